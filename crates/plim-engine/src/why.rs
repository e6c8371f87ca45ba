//! `plim why`: what brought a path into an image, and who needs it.

use bstr::ByteSlice;
use plim_index::{Inventory, PackageKind};
use plim_oci::{Digest, Events};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workspace::write_whole;
use crate::{Failure, Tool, Workspace, place};

/// Names of files that need something are listed up to this number.
const SHOWN: usize = 20;

/// The report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `why`.
    pub command: String,
    /// The image as it was named.
    pub subject: String,
    /// The path, links of its directories followed.
    pub path: String,
    /// What a symbolic link leads to in the end.
    pub target: Option<String>,
    /// Bytes; of a directory, all files below it.
    pub bytes: u64,
    /// Files below it, when it is a directory.
    pub files: Option<u64>,
    /// The layers that brought it, lowest first: one for a file, perhaps several for a directory.
    pub layers: Vec<Brought>,
    /// The package that it belongs to, with its version.
    pub package: Option<String>,
    /// Packages that say that they depend on that package.
    pub package_needed_by: Vec<String>,
    /// ELF files that ask for it as a library.
    pub library_of: Vec<String>,
    /// Scripts that name it as their interpreter.
    pub interpreter_of: Vec<String>,
}

/// A layer that brought something.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Brought {
    /// Its number, from 1.
    pub layer: usize,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// The Dockerfile and the line, when plim built the image on this machine.
    pub line: Option<String>,
    /// Bytes that it brought.
    pub bytes: u64,
}

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(WhyReport).to_value()
}

/// Looks a path up in an image.
pub fn why(workspace: &Workspace, name: &str, path: &str, events: &dyn Events) -> Result<WhyReport, Failure> {
    let opened = place::open(workspace, name, events)?;
    let image = opened.image()?;
    let layers = workspace
        .indexes
        .ensure_all(&image, &*opened.blobs, events)
        .map_err(|error| Failure::caused(format!("failed to read {name}"), &error))?;
    let inventory = plim_index::fold(&image.config, &layers);
    // no layer needs to name the root
    let root = path.bytes().all(|byte| byte == b'/').then(|| plim_index::Who {
        path: bstr::BString::default(),
        target: None,
        bytes: 0,
        layer: 0,
        created_by: None,
        package: None,
        package_name: None,
    });
    let who = root.or_else(|| inventory.who(path)).ok_or_else(|| {
        let file = path.rsplit('/').next().unwrap_or(path);
        let near = inventory.nodes.keys().find(|known| known.rsplit_str("/").next() == Some(file.as_bytes()));
        let failure = Failure::subject(format!("there is no {path} in {name}"));
        match near {
            Some(near) if !file.is_empty() => failure.hint(format!("there is /{near}")),
            _ => failure.hint(format!("`plim analyze {name}` shows what is in it")),
        }
    })?;
    let lines = Lines::of(workspace, &image.descriptor.digest);
    let mut brought: Vec<Brought> = Vec::new();
    let mut add = |layer: usize, bytes: u64| match brought.iter_mut().find(|known| known.layer == layer + 1) {
        Some(known) => known.bytes += bytes,
        None => brought.push(Brought {
            layer: layer + 1,
            created_by: inventory.layers.get(layer).and_then(|summary| summary.created_by.clone()),
            line: image.layers.get(layer).and_then(|layer| lines.line_of(&layer.descriptor.digest)),
            bytes,
        }),
    };
    let mut bytes = who.bytes;
    let mut files = None;
    let node = inventory.get(&who.path);
    if who.path.is_empty() || node.is_some_and(|node| node.head.kind == plim_oci::EntryKind::Dir) {
        let below: Vec<_> =
            inventory.below(&who.path).filter(|(_, node)| node.head.kind == plim_oci::EntryKind::File).collect();
        for (_, node) in &below {
            add(node.layer, node.head.size);
        }
        files = Some(below.len() as u64);
        bytes = below.iter().map(|(_, node)| node.head.size).sum();
    }
    if files.is_none_or(|files| files == 0) {
        add(who.layer, bytes);
    }
    brought.sort_by_key(|brought| brought.layer);
    let package = who.package.and_then(|package| inventory.packages.get(package));
    Ok(WhyReport {
        schema: 1,
        tool: Tool::this(),
        command: "why".to_owned(),
        subject: name.to_owned(),
        path: format!("/{}", who.path),
        target: who.target.as_ref().map(|target| format!("/{target}")),
        bytes,
        files,
        layers: brought,
        package: who.package_name.clone(),
        package_needed_by: package.map(|package| dependents(&inventory, package)).unwrap_or_default(),
        library_of: library_of(&inventory, &who.path),
        interpreter_of: interpreter_of(&inventory, &who),
    })
}

/// Packages whose dependencies name a package or something that it provides.
fn dependents(inventory: &Inventory, package: &plim_index::Package) -> Vec<String> {
    let mut names = vec![package.name.as_str()];
    names.extend(package.provides.iter().filter_map(|clause| clause.split([' ', '(']).next()));
    let asks = |clause: &String| {
        clause.split('|').any(|choice| {
            let name =
                choice.trim().split([' ', '(', ':', '[', ';', '<', '>', '=', '~', '!']).next().unwrap_or_default();
            match package.kind {
                PackageKind::Python => name.replace(['_', '.'], "-").eq_ignore_ascii_case(&package.normalized_name),
                _ => names.contains(&name),
            }
        })
    };
    let dependents =
        inventory.packages.iter().filter(|other| other.kind == package.kind && other.depends.iter().any(asks));
    dependents.map(|other| other.name.clone()).take(SHOWN).collect()
}

/// ELF files that need a library by its file name or its own name.
fn library_of(inventory: &Inventory, path: &bstr::BString) -> Vec<String> {
    let Some(node) = inventory.lookup(path) else { return Vec::new() };
    let mut names: Vec<&[u8]> = vec![path.rsplit_str("/").next().unwrap_or(path)];
    if let Some(soname) = inventory.elf(node).and_then(|elf| elf.soname.as_ref()) {
        names.push(soname);
    }
    let users = inventory.nodes.iter().filter(|(_, node)| {
        let elf = inventory.elf(node);
        elf.is_some_and(|elf| elf.needed.iter().any(|needed| names.contains(&needed.as_slice())))
    });
    users.map(|(path, _)| format!("/{path}")).take(SHOWN).collect()
}

fn interpreter_of(inventory: &Inventory, who: &plim_index::Who) -> Vec<String> {
    let scripts = inventory.nodes.iter().filter(|(_, node)| {
        let script = inventory.script(node);
        script.is_some_and(|script| inventory.resolve(&script.interpreter).as_ref() == Some(&who.path))
    });
    scripts.map(|(path, _)| format!("/{path}")).take(SHOWN).collect()
}

/// The lines of the Dockerfile that made the layers of an image that plim built.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lines {
    dockerfile: String,
    layers: Vec<(Digest, usize)>,
}

impl Lines {
    /// Keeps the lines of a build. That they are lost costs only an answer, so failing to is no error.
    pub(crate) fn keep(workspace: &Workspace, dockerfile: &str, built: &plim_build::Built) {
        let layers = built.steps.iter().filter_map(|step| Some((step.layer.clone()?, step.line))).collect();
        let lines = Self { dockerfile: dockerfile.to_owned(), layers };
        let kept = workspace.cache_dir("lines").and_then(|dir| {
            let json = serde_json::to_vec(&lines).map_err(|error| Failure::caused("failed to keep lines", &error))?;
            write_whole(&dir.join(format!("{}.json", built.image.descriptor.digest.hex())), &json)
        });
        if let Err(failure) = kept {
            tracing::debug!(message = failure.message, "the lines of the Dockerfile are not kept");
        }
    }

    fn of(workspace: &Workspace, image: &Digest) -> Self {
        let read = || {
            let path = workspace.cache_dir("lines").ok()?.join(format!("{}.json", image.hex()));
            serde_json::from_slice(&std::fs::read(path).ok()?).ok()
        };
        read().unwrap_or_default()
    }

    fn line_of(&self, layer: &Digest) -> Option<String> {
        let (_, line) = self.layers.iter().find(|(known, _)| known == layer)?;
        Some(format!("{}:{line}", self.dockerfile))
    }
}
