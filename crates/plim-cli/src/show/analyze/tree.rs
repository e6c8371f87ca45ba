//! Directories and files as branches of text.

use plim_engine::analyze::TreeNode;

use super::files;
use crate::numbers::bytes;
use crate::show::Look;
use crate::show::names::{fit, fit_path, width};

/// Columns of the whole line.
const LINE: usize = 100;
/// Columns of a package's name.
const OWNER: usize = 24;

/// The pieces of which branches are made.
struct Branches {
    middle: &'static str,
    last: &'static str,
    passing: &'static str,
}

const UNICODE: Branches = Branches { middle: "├─ ", last: "└─ ", passing: "│  " };
const ASCII: Branches = Branches { middle: "|- ", last: "`- ", passing: "|  " };

/// Returns the lines of a tree down to `look.depth` levels: bytes, branches, name, and the package that has most of it.
pub(super) fn render(root: &TreeNode, look: Look) -> String {
    let branches = if look.unicode { &UNICODE } else { &ASCII };
    let mut out = String::new();
    line(&mut out, root, "", &look);
    below(&mut out, root, "", look.depth, branches, look);
    out
}

fn below(out: &mut String, node: &TreeNode, indent: &str, depth: usize, branches: &Branches, look: Look) {
    if depth == 0 {
        return;
    }
    let shown = look.rows.min(node.children.len());
    let left = &node.children[shown..];
    for (number, child) in node.children[..shown].iter().enumerate() {
        let last = number + 1 == shown && left.is_empty();
        let sign = if last { branches.last } else { branches.middle };
        line(out, child, &format!("{indent}{sign}"), &look);
        let next = format!("{indent}{}", if last { "   " } else { branches.passing });
        below(out, child, &next, depth - 1, branches, look);
    }
    if !left.is_empty() {
        let size: u64 = left.iter().map(|child| child.bytes).sum();
        out.push_str(&format!("  {:>8}  {indent}{}{} more\n", bytes(size), branches.last, left.len()));
    }
}

fn line(out: &mut String, node: &TreeNode, branch: &str, look: &Look) {
    let head = format!("  {:>8}  {branch}", bytes(node.bytes));
    let owner =
        node.owner.as_deref().map_or(String::new(), |owner| format!("  [{}]", fit(owner, OWNER, look.ellipsis())));
    let name = match node.name.as_str() {
        "" => format!("({}, each smaller)", files(node.files)),
        "/" => "/".to_owned(),
        name if node.directory => format!("{name}/"),
        name => name.to_owned(),
    };
    // however deep the tree: a name needs some columns
    let room = LINE.saturating_sub(width(&head) + width(&owner)).max(16);
    out.push_str(&format!("{head}{}{owner}\n", fit_path(&name, room, look.ellipsis())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::analyze::sample;

    #[test]
    fn branches_are_drawn_as_far_as_asked() {
        let look = Look { rows: 3, depth: 2, unicode: true };
        insta::assert_snapshot!("tree_unicode", render(&sample::rich().tree, look));
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii() {
        let text = render(&sample::rich().tree, Look { rows: 3, depth: 3, unicode: false });
        assert!(text.contains("|- ") && text.contains("`- "));
        // names keep their own letters
        assert!(!text.contains(['├', '└', '│', '…']), "{text}");
    }

    #[test]
    fn a_deep_tree_is_no_deeper_than_asked() {
        let mut node = TreeNode::default();
        for _ in 0..300 {
            node = TreeNode { name: "d".to_owned(), directory: true, children: vec![node], ..TreeNode::default() };
        }
        assert_eq!(render(&node, Look { rows: 10, depth: 4, unicode: true }).lines().count(), 5);
        assert!(render(&node, Look { rows: 10, depth: 290, unicode: true }).ends_with("d/\n"));
    }
}
