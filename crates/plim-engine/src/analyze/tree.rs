//! The merged tree by size, with what is small summed up.

use std::collections::HashMap;
use std::hash::Hash;

use bstr::ByteSlice as _;
use plim_index::{Inventory, Node};

use super::TreeNode;

/// How many nodes a tree has at most.
const MAX_NODES: usize = 3000;

/// A node of its own has at least this part of the image: one in 2000, 0.05 %.
const PARTS: u64 = 2000;

/// How deep the tree is shown. Names lie deeper in hostile images alone.
const MAX_DEPTH: usize = 48;

/// A file: its path, its metadata and where the part of the path begins that is not yet in the tree.
type File<'a> = (&'a [u8], &'a Node);

/// Returns the tree.
pub(super) fn tree(inventory: &Inventory) -> TreeNode {
    let files: Vec<File<'_>> = inventory.files().map(|(path, node)| (path.as_bytes(), node)).collect();
    let total: u64 = files.iter().map(|(_, node)| node.head.size).sum();
    let mut least = (total / PARTS).max(1);
    loop {
        let builder = Builder { inventory, least };
        let mut root = builder.node("/".to_owned(), &files);
        root.directory = true;
        root.children = builder.children(&files, 0, 0);
        if count(&root) <= MAX_NODES {
            return root;
        }
        least = least.saturating_mul(2);
    }
}

fn count(node: &TreeNode) -> usize {
    1 + node.children.iter().map(count).sum::<usize>()
}

struct Builder<'a> {
    inventory: &'a Inventory,
    /// Bytes of the smallest node that stands for itself.
    least: u64,
}

impl Builder<'_> {
    /// Sums files up.
    fn node(&self, name: String, files: &[File<'_>]) -> TreeNode {
        let layer = heaviest(files, |node| node.origin.map_or(node.layer, |origin| origin.layer));
        let owner = heaviest(files, |node| node.owner).flatten();
        TreeNode {
            name,
            bytes: files.iter().map(|(_, node)| node.head.size).sum(),
            files: files.len() as u64,
            directory: false,
            layer: layer.unwrap_or(0) + 1,
            owner: owner.and_then(|owner| self.inventory.packages.get(owner)).map(|package| package.name.clone()),
            children: Vec::new(),
        }
    }

    /// Returns what is in a directory, of which the files are given in order of their paths; `skip` bytes of these lead
    /// into the directory.
    fn children(&self, files: &[File<'_>], skip: usize, depth: usize) -> Vec<TreeNode> {
        if depth >= MAX_DEPTH {
            return Vec::new();
        }
        let (mut nodes, mut small) = (Vec::new(), Vec::new());
        for group in files.chunk_by(|a, b| first(&a.0[skip..]) == first(&b.0[skip..])) {
            let Some((path, _)) = group.first() else { continue };
            let name = first(&path[skip..]);
            let bytes: u64 = group.iter().map(|(_, node)| node.head.size).sum();
            if bytes < self.least {
                small.extend_from_slice(group);
                continue;
            }
            let mut node = self.node(name.to_str_lossy().into_owned(), group);
            node.directory = path.len() > skip + name.len();
            if node.directory {
                node.children = self.children(group, skip + name.len() + 1, depth + 1);
            }
            nodes.push(node);
        }
        nodes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        if !small.is_empty() {
            nodes.push(self.node(String::new(), &small));
        }
        nodes
    }
}

/// Returns the first component of a path.
fn first(path: &[u8]) -> &[u8] {
    path.split_str("/").next().unwrap_or(path)
}

/// Returns the key that most bytes have; of equal ones that of the first file.
fn heaviest<K: Hash + Eq + Copy>(files: &[File<'_>], key: impl Fn(&Node) -> K) -> Option<K> {
    let mut sums: HashMap<K, (u64, usize)> = HashMap::new();
    for (number, (_, node)) in files.iter().enumerate() {
        sums.entry(key(node)).or_insert((0, number)).0 += node.head.size;
    }
    let heaviest = sums.into_iter().max_by_key(|(_, (bytes, number))| (*bytes, std::cmp::Reverse(*number)));
    heaviest.map(|(key, _)| key)
}
