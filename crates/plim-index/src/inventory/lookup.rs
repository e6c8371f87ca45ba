//! Finding things in the merged tree.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryKind;
use serde::Serialize;

use super::{Inventory, Node, OsRelease, Package};
use crate::facts::{ElfFact, OsReleaseFact, ScriptFact};
use crate::paths::{self, Step};
use crate::{LayerIndex, fold, text};

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Its path in the tree, links of its directories followed.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// What a symbolic link leads to in the end.
    #[serde(serialize_with = "text::optional_path")]
    pub target: Option<BString>,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of the layer that put it here, the lowest is 0.
    pub layer: usize,
    /// The instruction that made the layer.
    pub created_by: Option<String>,
    /// The package that it belongs to, as an index into [`Inventory::packages`].
    pub package: Option<usize>,
    /// Name and version of that package.
    pub package_name: Option<String>,
}

/// Says what stands at a path of a merged tree.
pub(crate) fn step<'a>(nodes: &'a BTreeMap<BString, Node>, path: &BStr) -> Step<'a> {
    match nodes.get(path) {
        None => Step::Missing,
        Some(node) => match node.head.kind {
            EntryKind::Dir => Step::Dir,
            EntryKind::Symlink => Step::Link(node.head.link.as_bstr()),
            _ => Step::Other,
        },
    }
}

impl Inventory {
    /// Returns what is at a path that contains no links, given without a leading slash.
    pub fn get(&self, path: impl AsRef<[u8]>) -> Option<&Node> {
        self.nodes.get(path.as_ref().as_bstr())
    }

    /// Follows all symbolic links of a path, as the kernel would inside the container; a leading slash is fine.
    /// Nothing when it leads nowhere. The root is the empty path.
    pub fn resolve(&self, path: impl AsRef<[u8]>) -> Option<BString> {
        let found = paths::follow(path.as_ref().as_bstr(), true, |path| step(&self.nodes, path)).ok()?;
        (found.is_empty() || self.nodes.contains_key(&found)).then_some(found)
    }

    /// Follows the symbolic links of a path's directories but not of its last name. Nothing when that does not exist.
    pub fn resolve_parent(&self, path: impl AsRef<[u8]>) -> Option<BString> {
        let found = paths::follow(path.as_ref().as_bstr(), false, |path| step(&self.nodes, path)).ok()?;
        self.nodes.contains_key(&found).then_some(found)
    }

    /// Returns what a path leads to, all links followed.
    pub fn lookup(&self, path: impl AsRef<[u8]>) -> Option<&Node> {
        self.nodes.get(&self.resolve(path)?)
    }

    /// Returns everything below a directory, at any depth, in byte order of the paths. The directory is given as it is
    /// called in the tree; the empty path is the root.
    pub fn below(&self, dir: impl AsRef<[u8]>) -> impl Iterator<Item = (&BString, &Node)> {
        fold::below(&self.nodes, dir.as_ref().as_bstr())
    }

    /// Finds a program as execvp(3) does: a name with a slash as it is (relative to the root), others in the
    /// directories of `search`, separated by colons. Returns the path before and the file after following links.
    pub fn which(&self, program: &str, search: &str) -> Option<(BString, BString)> {
        let candidates: Vec<String> = if program.contains('/') {
            vec![program.to_owned()]
        } else {
            search.split(':').map(|dir| format!("{dir}/{program}")).collect()
        };
        candidates.iter().find_map(|candidate| {
            let file = self.resolve(candidate)?;
            let executable = self.nodes.get(&file).is_some_and(is_executable);
            executable.then(|| Some((self.resolve_parent(candidate)?, file)))?
        })
    }

    /// Tells where the thing at a path comes from; links of its directories are followed, its own is not.
    pub fn who(&self, path: impl AsRef<[u8]>) -> Option<Who> {
        let path = self.resolve_parent(path)?;
        let node = self.nodes.get(&path)?;
        let package = node.owner.and_then(|owner| self.packages.get(owner));
        let is_link = node.head.kind == EntryKind::Symlink;
        Some(Who {
            target: is_link.then(|| self.resolve(&path)).flatten(),
            bytes: node.head.size,
            layer: node.layer,
            created_by: self.layers.get(node.layer).and_then(|layer| layer.created_by.clone()),
            package: node.owner,
            package_name: package.map(|package| format!("{} {}", package.name, package.version)),
            path,
        })
    }

    /// Returns the package that the file at a path belongs to; links of its directories are followed.
    pub fn owner_of(&self, path: impl AsRef<[u8]>) -> Option<&Package> {
        let node = self.nodes.get(&self.resolve_parent(path)?)?;
        self.packages.get(node.owner?)
    }

    /// Returns what is known of a node as an ELF file.
    pub fn elf(&self, node: &Node) -> Option<&ElfFact> {
        self.fact(node, LayerIndex::elf_of)
    }

    /// Returns what is known of a node as a script.
    pub fn script(&self, node: &Node) -> Option<&ScriptFact> {
        self.fact(node, LayerIndex::script_of)
    }

    /// Returns a fact about the content of a node.
    fn fact<'a, T>(&'a self, node: &Node, of: impl Fn(&'a LayerIndex, u32) -> Option<&'a T>) -> Option<&'a T> {
        let origin = node.origin?;
        of(self.indexes.get(origin.layer)?, origin.entry)
    }

    /// Finds the identification of the operating system, in the order of os-release(5).
    pub(crate) fn find_os(&self) -> Option<OsRelease> {
        let mut found = ["etc/os-release", "usr/lib/os-release"].into_iter();
        let fact = found.find_map(|path| self.fact(self.lookup(path)?, LayerIndex::os_release_of))?;
        Some(os_release(fact))
    }
}

fn os_release(fact: &OsReleaseFact) -> OsRelease {
    let get = |key: &str| fact.fields.get(key).filter(|value| !value.is_empty()).cloned();
    OsRelease {
        id: get("ID").unwrap_or_else(|| "linux".to_owned()),
        id_like: get("ID_LIKE").iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
        name: get("NAME"),
        pretty_name: get("PRETTY_NAME"),
        version_id: get("VERSION_ID"),
        version_codename: get("VERSION_CODENAME"),
    }
}

/// Says whether something is a file that may be executed by anyone.
pub(super) fn is_executable(node: &Node) -> bool {
    node.head.kind == EntryKind::File && node.head.mode & 0o111 != 0
}
