//! rules.md: the pages of the rules, which stand beside their code, in the order of their ids.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

const HEAD: &str = "\
# The rules

Written by `cargo xtask generate` from the pages beside the rules. `plim lint` applies them; `--fix` applies the fixes that are
safe, `--unsafe-fixes` the others too.

";

/// Returns the document for a folder of pages.
pub(super) fn document(dir: &Path) -> anyhow::Result<String> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| format!("failed to read {}", dir.display()))? {
        let path = entry.with_context(|| format!("failed to read {}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let page = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
            let Some(id) = page.lines().next().and_then(|line| line.strip_prefix("# ")) else {
                bail!("{} does not begin with `# id`", path.display());
            };
            pages.insert(id.to_owned(), deeper(&page));
        }
    }
    let mut text = HEAD.to_owned();
    for id in pages.keys() {
        writeln!(text, "- [{id}](#{id})")?;
    }
    for page in pages.values() {
        text.push('\n');
        text.push_str(page.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// The page with every heading one level deeper; a `#` inside a code block is a comment and stays.
fn deeper(page: &str) -> String {
    let mut in_code = false;
    let mut text = String::with_capacity(page.len() + 16);
    for line in page.lines() {
        in_code ^= line.starts_with("```");
        if !in_code && line.starts_with('#') {
            text.push('#');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::deeper;

    #[test]
    fn headings_move_and_comments_stay() {
        let page = "# id\n\n## Example\n\n```dockerfile\n# a comment\nFROM scratch\n```\n\n## More\n";
        assert_eq!(deeper(page), "## id\n\n### Example\n\n```dockerfile\n# a comment\nFROM scratch\n```\n\n### More\n");
    }
}
