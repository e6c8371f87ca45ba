//! docs/reference: what the program can say about itself is not written by hand.

mod cli;
mod program;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::program::Program;

/// Where the documents go, from the root of the repository.
const REFERENCE: &str = "docs/reference";

/// Whether documents are written or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those that differ are written.
    Write,
    /// Those that differ are an error.
    Check,
}

/// One generated file.
struct Document {
    name: &'static str,
    text: String,
}

/// Makes every document, then writes or compares them.
pub(crate) fn run(mode: Mode) -> anyhow::Result<()> {
    let root = root()?;
    let program = Program::build(&root)?;
    let documents = [
        Document { name: "cli.md", text: cli::document(&program)? },
        Document { name: "rules.md", text: rules::document(&root.join("crates/plim-rules/src/dockerfile"))? },
        Document { name: "report-optimize.schema.json", text: program.run(&["debug", "schema", "optimize"])? },
        Document { name: "report-analyze.schema.json", text: program.run(&["debug", "schema", "analyze"])? },
        Document { name: "report-diff.schema.json", text: program.run(&["debug", "schema", "diff"])? },
        Document { name: "report-why.schema.json", text: program.run(&["debug", "schema", "why"])? },
    ];
    let dir = root.join(REFERENCE);
    let stale: Vec<&Document> = documents.iter().filter(|document| !is_current(&dir, document)).collect();
    match mode {
        Mode::Write => {
            fs::create_dir_all(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
            for document in stale {
                let path = dir.join(document.name);
                fs::write(&path, &document.text).with_context(|| format!("failed to write {}", path.display()))?;
            }
            Ok(())
        }
        Mode::Check if stale.is_empty() => Ok(()),
        Mode::Check => {
            let names: Vec<String> = stale.iter().map(|document| format!("{REFERENCE}/{}", document.name)).collect();
            bail!("stale: {}; run `cargo xtask generate`", names.join(", "))
        }
    }
}

fn is_current(dir: &Path, document: &Document) -> bool {
    fs::read(dir.join(document.name)).is_ok_and(|found| found == document.text.as_bytes())
}

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).context("xtask has no folder above it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_current_when_every_byte_is_the_same() {
        let document = Document { name: "main.rs", text: include_str!("main.rs").to_owned() };
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert!(is_current(&src, &document));
        assert!(!is_current(&src, &Document { text: format!("{} ", document.text), ..document }));
        assert!(!is_current(&src, &Document { name: "absent.md", text: String::new() }));
    }
}
