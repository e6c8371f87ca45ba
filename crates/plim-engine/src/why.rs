//! `plim why`: what brought something into an image, and who needs it.

mod chain;
mod copies;
mod dependents;
mod lines;
mod report;
mod subject;
#[cfg(test)]
mod tests;

use bstr::{BString, ByteSlice};
use plim_index::Inventory;
use plim_oci::{EntryKind, Events, Image};

pub(crate) use self::lines::Lines;
pub use self::report::*;
use self::subject::{Files, Subject};
use crate::place::Known;
use crate::{Failure, Tool, Workspace, place};

/// Names of files that need something are listed up to this number.
const SHOWN: usize = 20;

/// How many links are followed, as Linux does.
const MAX_LINKS: usize = 40;

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(WhyReport).to_value()
}

/// Looks something up in an image: a path that a container sees or that a layer hides, a pattern of paths, or a package,
/// `pkg:NAME` or just its name where there is no such path.
pub fn why(workspace: &Workspace, name: &str, what: &str, events: &dyn Events) -> Result<WhyReport, Failure> {
    let Known { image, inventory, .. } = place::look_into(workspace, name, events)?;
    let lines = Lines::of(workspace, &image.descriptor.digest);
    let asked = Asked { name, image: &image, inventory: &inventory, lines };
    match subject::find(&inventory, what)? {
        Subject::Path(path) => Ok(asked.path(&path)),
        Subject::Files(files) => Ok(asked.files(files)),
        Subject::Hidden(path) => Ok(asked.hidden(&path)),
        Subject::Nothing => Err(missing(&inventory, name, what)),
    }
}

/// Says that there is no such thing, and what there is.
fn missing(inventory: &Inventory, name: &str, what: &str) -> Failure {
    let file = what.rsplit('/').next().unwrap_or(what);
    let near = inventory.nodes.keys().find(|known| known.rsplit_str("/").next() == Some(file.as_bytes()));
    let failure = Failure::subject(format!("there is no {what} in {name}"));
    match near {
        Some(near) if !file.is_empty() => failure.hint(format!("there is /{near}")),
        _ => failure.hint(format!("`plim analyze {name}` shows what is in it")),
    }
}

/// An image about which something is asked.
struct Asked<'a> {
    name: &'a str,
    image: &'a Image,
    inventory: &'a Inventory,
    lines: Lines,
}

impl Asked<'_> {
    /// A report in which nothing is said yet.
    fn empty(&self, path: String) -> WhyReport {
        WhyReport {
            schema: 1,
            tool: Tool::this(),
            command: "why".to_owned(),
            subject: self.name.to_owned(),
            path,
            present: true,
            target: None,
            links: Vec::new(),
            bytes: 0,
            files: None,
            matches: Vec::new(),
            layers: Vec::new(),
            hidden: Vec::new(),
            package: None,
            package_needed_by: Vec::new(),
            package_chain: Vec::new(),
            library_of: Vec::new(),
            interpreter_of: Vec::new(),
            needed_by: Vec::new(),
        }
    }

    /// Answers for a path of the merged tree.
    fn path(&self, path: &BString) -> WhyReport {
        let inventory = self.inventory;
        let node = inventory.get(path);
        let mut report = self.empty(format!("/{path}"));
        report.hidden = copies::of(self, path);
        report.links = links(inventory, path);
        report.target = match node {
            Some(node) if node.head.kind == EntryKind::Symlink => {
                inventory.resolve(path).map(|target| format!("/{target}"))
            }
            _ => None,
        };
        let mut wanted = vec![inventory.resolve(path).unwrap_or_else(|| path.clone())];
        if path.is_empty() || node.is_some_and(|node| node.head.kind == EntryKind::Dir) {
            let below: Vec<_> = inventory.below(path).filter(|(_, node)| node.head.kind == EntryKind::File).collect();
            report.bytes = below.iter().map(|(_, node)| node.head.size).sum();
            report.files = Some(below.len() as u64);
            report.layers = self.brought(below.iter().map(|(_, node)| (node.layer, node.head.size)));
            // everything needs something of the root
            wanted = if path.is_empty() { Vec::new() } else { below.iter().map(|(path, _)| (*path).clone()).collect() };
        } else if let Some(node) = node {
            report.bytes = node.head.size;
        }
        if let (true, Some(node)) = (report.layers.is_empty(), node) {
            report.layers = self.brought([(node.layer, report.bytes)].into_iter());
        }
        if let Some(owner) = node.and_then(|node| node.owner) {
            self.tell_package(&mut report, owner);
        }
        report.library_of = chain::library_of(inventory, path);
        report.interpreter_of = chain::interpreter_of(inventory, path);
        report.needed_by = chain::from_start(self.image, inventory, &wanted);
        report
    }

    /// Answers for the files of a pattern or of a package.
    fn files(&self, files: Files) -> WhyReport {
        let mut report = self.empty(files.title);
        let mut found: Vec<_> = files
            .paths
            .iter()
            .filter_map(|path| Some((path, self.inventory.get(path)?)))
            .filter(|(_, node)| node.head.kind != EntryKind::Dir)
            .collect();
        report.layers = self.brought(found.iter().map(|(_, node)| (node.layer, node.head.size)));
        report.bytes = found.iter().map(|(_, node)| node.head.size).sum();
        report.files = Some(found.len() as u64);
        let wanted: Vec<BString> = found.iter().map(|(path, _)| (*path).clone()).collect();
        report.needed_by = chain::from_start(self.image, self.inventory, &wanted);
        found.sort_by(|a, b| b.1.head.size.cmp(&a.1.head.size).then_with(|| a.0.cmp(b.0)));
        report.matches = found
            .iter()
            .take(SHOWN)
            .map(|(path, node)| Match {
                path: format!("/{path}"),
                bytes: node.head.size,
                layer: node.layer + 1,
                package: node
                    .owner
                    .and_then(|owner| self.inventory.packages.get(owner))
                    .map(|owner| owner.name.clone()),
            })
            .collect();
        if let Some(package) = files.package {
            self.tell_package(&mut report, package);
            if let (true, Some(package)) = (report.layers.is_empty(), self.inventory.packages.get(package)) {
                // it owns no files, as meta packages and parts of programs
                report.layers = self.brought([(package.layer, 0)].into_iter());
            }
        }
        report
    }

    /// Answers for a path that only layers below have.
    fn hidden(&self, path: &BString) -> WhyReport {
        WhyReport { present: false, hidden: copies::of(self, path), ..self.empty(format!("/{path}")) }
    }

    fn tell_package(&self, report: &mut WhyReport, number: usize) {
        let Some(package) = self.inventory.packages.get(number) else { return };
        report.package = Some(format!("{} {}", package.name, package.version));
        report.package_needed_by = dependents::direct(self.inventory, number);
        report.package_chain = dependents::chain(self.inventory, number);
    }

    /// Adds bytes up by layer, lowest first.
    fn brought(&self, parts: impl Iterator<Item = (usize, u64)>) -> Vec<Brought> {
        let mut sums: std::collections::BTreeMap<usize, u64> = std::collections::BTreeMap::new();
        for (layer, bytes) in parts {
            *sums.entry(layer).or_default() += bytes;
        }
        let rows = sums.into_iter().map(|(layer, bytes)| Brought {
            layer: layer + 1,
            created_by: self.created_by(layer),
            line: self.line(layer),
            bytes,
        });
        rows.collect()
    }

    fn created_by(&self, layer: usize) -> Option<String> {
        self.inventory.layers.get(layer).and_then(|summary| summary.created_by.clone())
    }

    fn line(&self, layer: usize) -> Option<String> {
        self.image.layers.get(layer).and_then(|layer| self.lines.line_of(&layer.descriptor.digest))
    }
}

/// Follows a symbolic link name by name: what each leads to, the last one perhaps to nothing.
fn links(inventory: &Inventory, path: &BString) -> Vec<String> {
    let mut at = path.clone();
    let mut chain = Vec::new();
    while let Some(node) = inventory.get(&at).filter(|node| node.head.kind == EntryKind::Symlink) {
        if chain.len() == MAX_LINKS {
            break;
        }
        let dir = at.rfind_byte(b'/').map_or(&b""[..], |slash| &at[..slash]);
        let link = &node.head.link;
        let target: BString =
            if link.starts_with(b"/") { link.clone() } else { bstr::concat([dir, b"/", link.as_slice()]).into() };
        let Some(next) = inventory.resolve_parent(&target).or_else(|| inventory.resolve(&target)) else {
            chain.push(format!("{link} (which is not there)"));
            break;
        };
        chain.push(format!("/{next}"));
        at = next;
    }
    chain
}
