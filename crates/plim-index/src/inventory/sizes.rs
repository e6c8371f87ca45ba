//! How much there is, and of what.

use std::collections::{BTreeMap, HashSet};

use bstr::{BString, ByteSlice};
use plim_oci::EntryKind;
use serde::Serialize;

use super::{Inventory, Node};
use crate::text;

/// What a package, or nobody, owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerSize {
    /// The package as an index into [`Inventory::packages`]; none for files that no package owns.
    pub package: Option<usize>,
    /// Its name.
    pub name: Option<String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Its regular files.
    pub files: usize,
}

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizeOf {
    /// The directory; the root is the empty path.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// Bytes of the files in it, at any depth.
    pub bytes: u64,
    /// Regular files in it, at any depth.
    pub files: usize,
}

/// A file and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSize {
    /// Where it is.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// Its size in bytes.
    pub bytes: u64,
    /// Number of the layer that put it here, the lowest is 0.
    pub layer: usize,
    /// The package that it belongs to, as an index into [`Inventory::packages`].
    pub package: Option<usize>,
}

impl Inventory {
    /// Returns the regular files; of several names of one file only the first.
    pub fn files(&self) -> impl Iterator<Item = (&BString, &Node)> {
        let mut seen = HashSet::new();
        self.nodes.iter().filter(move |(_, node)| {
            node.head.kind == EntryKind::File && node.origin.is_none_or(|origin| seen.insert(origin))
        })
    }

    /// Returns the bytes of all regular files; a file with several names counts once.
    pub fn total_size(&self) -> u64 {
        self.files().map(|(_, node)| node.head.size).sum()
    }

    /// Returns the number of regular files; a file with several names counts once.
    pub fn files_count(&self) -> usize {
        self.files().count()
    }

    /// Returns what each package owns and what nobody owns, the largest first.
    pub fn size_by_owner(&self) -> Vec<OwnerSize> {
        let mut sums: BTreeMap<Option<usize>, (u64, usize)> = BTreeMap::new();
        for (_, node) in self.files() {
            let sum = sums.entry(node.owner).or_default();
            *sum = (sum.0 + node.head.size, sum.1 + 1);
        }
        let name = |owner: usize| self.packages.get(owner).map(|package| package.name.clone());
        let mut sizes: Vec<OwnerSize> = sums
            .into_iter()
            .map(|(package, (bytes, files))| OwnerSize { package, name: package.and_then(name), bytes, files })
            .collect();
        sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.package.cmp(&b.package)));
        sizes
    }

    /// Returns what the directories down to a depth hold, the largest first; depth 1 is `usr`, 2 adds `usr/lib`.
    /// Files that lie less deep count for the directories above them alone.
    pub fn size_by_dir(&self, depth: usize) -> Vec<SizeOf> {
        let mut sums: BTreeMap<&[u8], (u64, usize)> = BTreeMap::new();
        for (path, node) in self.files() {
            for slash in path.find_iter(b"/").take(depth) {
                let sum = sums.entry(&path[..slash]).or_default();
                *sum = (sum.0 + node.head.size, sum.1 + 1);
            }
        }
        let mut sizes: Vec<SizeOf> =
            sums.into_iter().map(|(path, (bytes, files))| SizeOf { path: path.into(), bytes, files }).collect();
        sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        sizes
    }

    /// Returns what the top-level directories hold, the largest first.
    pub fn size_by_top_dir(&self) -> Vec<SizeOf> {
        self.size_by_dir(1)
    }

    /// Returns the largest files, the largest first.
    pub fn largest(&self, count: usize) -> Vec<FileSize> {
        let mut files: Vec<(&BString, &Node)> = self.files().collect();
        files.sort_by(|a, b| b.1.head.size.cmp(&a.1.head.size).then_with(|| a.0.cmp(b.0)));
        files.truncate(count);
        let sizes = files.into_iter().map(|(path, node)| FileSize {
            path: path.clone(),
            bytes: node.head.size,
            layer: node.layer,
            package: node.owner,
        });
        sizes.collect()
    }

    /// Returns the bytes that layers hold and later ones hide.
    pub fn hidden_bytes(&self) -> u64 {
        self.hidden.iter().map(|hidden| hidden.bytes).sum()
    }
}
