//! The treemap of an image: a tree of bounded size, and where its cells lie without a script.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use plim_engine::analyze::TreeNode;
use serde::Serialize;

use super::{files, share};
use crate::numbers::bytes;
use crate::show::html::treemap::{Rect, squarify};
use crate::show::names::fit_path;

/// Nodes that a report holds. Each takes about 80 bytes of it.
const NODES: usize = 2_000;
/// Children of a directory that have nodes of their own.
const CHILDREN: usize = 60;
/// Columns of a name.
const NAME: usize = 80;
/// Width for which the map without a script is laid out, in pixels; it is stretched to what there is.
const WIDTH: f64 = 1_060.0;
/// Height of that map, in pixels. The style sheet has the same number.
const HEIGHT: f64 = 560.0;
/// Height of a directory's title, in pixels.
const TITLE: f64 = 17.0;
/// Cells of that map.
const CELLS: usize = 800;

/// A node as the script reads it; the names are short because there are many.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Node {
    /// Name; a chain of directories with nothing else in them is one node. Empty for what is summed up.
    pub(super) n: String,
    /// Bytes.
    pub(super) b: u64,
    /// Files.
    pub(super) f: u64,
    /// Layer, from 1.
    pub(super) l: usize,
    /// Number of the package in the list of owners, from 1; 0 for none.
    pub(super) o: usize,
    /// Whether it is a directory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) d: bool,
    /// What is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) c: Vec<Node>,
}

/// The names of packages, each once.
#[derive(Debug, Default)]
pub(super) struct Owners {
    pub(super) names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Owners {
    fn number(&mut self, name: Option<&str>) -> usize {
        let Some(name) = name else { return 0 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(fit_path(name, NAME, "…"));
        self.numbers.insert(name.to_owned(), self.names.len());
        self.names.len()
    }
}

/// A directory that could be opened; the largest one is next.
struct Closed<'a> {
    node: &'a TreeNode,
    at: Vec<usize>,
}

impl Ord for Closed<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // of two equal ones the first in the tree, so that the same report is the same page
        self.node.bytes.cmp(&other.node.bytes).then_with(|| other.at.cmp(&self.at))
    }
}

impl PartialOrd for Closed<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Closed<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Closed<'_> {}

/// Returns the tree with at most [`NODES`] nodes: the largest directories are opened first, what is left over in a directory is
/// summed up in a node without a name.
pub(super) fn bounded(root: &TreeNode) -> (Node, Owners) {
    let mut owners = Owners::default();
    let mut tree = closed(root, &mut owners).0;
    let mut nodes = 1;
    let mut heap = BinaryHeap::from([Closed { node: end_of_chain(root), at: Vec::new() }]);
    while let Some(Closed { node, at }) = heap.pop() {
        if nodes + node.children.len().min(CHILDREN + 1) > NODES {
            continue;
        }
        let mut children = Vec::new();
        let mut below = Vec::new();
        let (own, rest) = node.children.split_at(node.children.len().min(CHILDREN));
        for child in own {
            let (shown, end) = closed(child, &mut owners);
            if !end.children.is_empty() {
                below.push(Closed { node: end, at: at.iter().copied().chain([children.len()]).collect() });
            }
            children.push(shown);
        }
        if !rest.is_empty() {
            children.push(Node {
                b: rest.iter().map(|node| node.bytes).sum(),
                f: rest.iter().map(|node| node.files).sum(),
                l: rest[0].layer,
                ..Node::default()
            });
        }
        nodes += children.len();
        heap.extend(below);
        let mut place = &mut tree;
        for step in at {
            place = &mut place.c[step];
        }
        place.c = children;
    }
    (tree, owners)
}

/// A node without its children, and the directory at the end of its chain.
fn closed<'a>(node: &'a TreeNode, owners: &mut Owners) -> (Node, &'a TreeNode) {
    let end = end_of_chain(node);
    let mut name = node.name.clone();
    let mut at = node;
    while !std::ptr::eq(at, end) {
        at = &at.children[0];
        // the last part says most, and a long chain shows nothing else anyway
        if name.len() < 4 * NAME {
            name = format!("{}/{}", name.trim_end_matches('/'), at.name);
        }
    }
    let node = Node {
        n: fit_path(&name, NAME, "…"),
        b: node.bytes,
        f: node.files,
        l: end.layer,
        o: owners.number(end.owner.as_deref()),
        d: node.directory,
        c: Vec::new(),
    };
    (node, end)
}

/// Follows directories that hold one directory and nothing else.
fn end_of_chain(mut node: &TreeNode) -> &TreeNode {
    while let [only] = node.children.as_slice()
        && only.directory
        && !only.name.is_empty()
    {
        node = only;
    }
    node
}

/// A cell of the map without a script. Across it is measured in percent, so that it fits any width; down in pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Cell {
    x: String,
    y: String,
    w: String,
    h: String,
    class: String,
    label: String,
    title: String,
}

/// Returns the cells of the map, those below after those that they lie on.
pub(super) fn cells(tree: &Node, owners: &Owners, colour: &dyn Fn(usize) -> String) -> Vec<Cell> {
    let mut drawing = Drawing { owners, colour, whole: tree.b, cells: Vec::new() };
    let root = Rect { x: 0.0, y: 0.0, w: WIDTH, h: HEIGHT };
    drawing.children(tree, root, "", 1);
    drawing.cells
}

struct Drawing<'a> {
    owners: &'a Owners,
    colour: &'a dyn Fn(usize) -> String,
    whole: u64,
    cells: Vec<Cell>,
}

impl Drawing<'_> {
    fn children(&mut self, node: &Node, bounds: Rect, path: &str, depth: usize) {
        let sizes: Vec<f64> = node.c.iter().map(|child| child.b as f64).collect();
        for (child, rect) in node.c.iter().zip(squarify(&sizes, bounds)) {
            // smaller than that, a cell is a hairline
            if rect.w >= 2.0 && rect.h >= 2.0 && self.cells.len() < CELLS {
                self.cell(child, rect, path, depth);
            }
        }
    }

    fn cell(&mut self, node: &Node, rect: Rect, above: &str, depth: usize) {
        let name = if node.n.is_empty() { "smaller files" } else { &node.n };
        let path = format!("{above}/{name}");
        let opened = !node.c.is_empty() && depth < 8 && rect.w > 44.0 && rect.h > TITLE + 16.0;
        let class = if opened { "dir".to_owned() } else { (self.colour)(node.l) };
        let owner = if node.o == 0 { "no package" } else { &self.owners.names[node.o - 1] };
        let room = ((rect.w - 8.0) / 6.6).max(0.0) as usize;
        self.cells.push(Cell {
            x: percent(rect.x / WIDTH),
            y: format!("{:.1}", rect.y),
            w: percent(rect.w / WIDTH),
            h: format!("{:.1}", rect.h),
            class,
            label: if room >= 3 && rect.h >= 14.0 { fit_path(name, room, "…") } else { String::new() },
            title: format!(
                "{}: {} in {}, {} of what a container sees; layer {}, {owner}",
                fit_path(&path, 2 * NAME, "…"),
                bytes(node.b),
                files(node.f),
                share(node.b, self.whole),
                node.l,
            ),
        });
        if opened {
            self.children(node, rect.inside(2.0, TITLE, 2.0, 2.0), &path, depth + 1);
        }
    }
}

fn percent(part: f64) -> String {
    format!("{:.3}%", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::analyze::sample;

    fn size(node: &Node) -> usize {
        1 + node.c.iter().map(size).sum::<usize>()
    }

    fn sums_up(node: &Node) -> bool {
        (node.c.is_empty() || node.c.iter().map(|child| child.b).sum::<u64>() == node.b) && node.c.iter().all(sums_up)
    }

    #[test]
    fn a_small_tree_is_kept_whole_and_chains_are_one_node() {
        let (tree, owners) = bounded(&sample::rich().tree);
        assert!(sums_up(&tree));
        let usr = &tree.c[0];
        assert_eq!((tree.n.as_str(), usr.n.as_str()), ("/", "usr"));
        assert_eq!(usr.c[1].n, "local/site-packages");
        assert_eq!(owners.names[usr.o - 1], "libllvm19");
    }

    #[test]
    fn a_large_tree_is_bounded_and_no_byte_is_lost() {
        let report = sample::large(3_000);
        let (tree, _) = bounded(&report.tree);
        assert!((600..=NODES).contains(&size(&tree)), "{}", size(&tree));
        assert!(sums_up(&tree));
        assert_eq!(tree.b, report.tree.bytes);
        assert_eq!((tree.n.as_str(), tree.c.len()), ("/node_modules", CHILDREN + 1));
        assert_eq!(tree.c[CHILDREN].n, "");
    }

    #[test]
    fn a_deep_chain_is_one_node_with_a_short_name() {
        let mut node = TreeNode { name: "file".to_owned(), bytes: 5, files: 1, ..TreeNode::default() };
        for _ in 0..2_000 {
            node = TreeNode {
                name: "deep".to_owned(),
                bytes: 5,
                directory: true,
                children: vec![node],
                ..TreeNode::default()
            };
        }
        let (tree, _) = bounded(&node);
        assert_eq!(size(&tree), 2);
        assert!(tree.n.chars().count() <= NAME);
    }

    #[test]
    fn cells_are_bounded_and_named() {
        let (tree, owners) = bounded(&sample::large(60).tree);
        let drawn = cells(&tree, &owners, &|layer| format!("c{layer}"));
        assert_eq!(drawn.len(), 60 * 11, "directories and what is in them");
        let (mut tree, _) = bounded(&sample::large(60).tree);
        tree.c = (0..3).flat_map(|_| tree.c.clone()).collect();
        assert!(cells(&tree, &owners, &|_| String::new()).len() <= CELLS);
        assert!(cells(&Node::default(), &owners, &|_| String::new()).is_empty());
        let (tree, owners) = bounded(&sample::rich().tree);
        let drawn = cells(&tree, &owners, &|layer| format!("c{layer}"));
        let llvm = drawn.iter().find(|cell| cell.title.contains("libLLVM")).unwrap();
        assert_eq!(
            llvm.title,
            "/usr/lib/libLLVM.so.19.1: 121 MB in 1 file, 29 % of what a container sees; layer 5, libllvm19"
        );
    }
}
