//! `plim`, built from this working copy, and what it prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The columns that help texts are wrapped to.
const COLUMNS: &str = "100";

/// The built program.
pub(super) struct Program {
    path: PathBuf,
}

impl Program {
    /// Builds `plim` and asks Cargo where it put it.
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--quiet", "--package", "plim-cli", "--bin", "plim", "--message-format", "json"])
            .current_dir(root)
            .stderr(Stdio::inherit())
            .output()
            .context("failed to run cargo build")?;
        if !output.status.success() {
            bail!("cargo build failed");
        }
        let path = executable(&output.stdout).context("cargo build names no program")?;
        Ok(Self { path })
    }

    /// Runs the program as someone who has set no variable, and returns what it prints.
    pub(super) fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.path)
            .args(args)
            .env_clear()
            .envs([("NO_COLOR", "1"), ("COLUMNS", COLUMNS), ("LANG", "C.UTF-8")])
            .output()
            .with_context(|| format!("failed to run {}", self.path.display()))?;
        if !output.status.success() {
            bail!("plim {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout).context("plim prints no UTF-8")
    }
}

/// The program that Cargo's messages name, one JSON object a line.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    messages
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "plim")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"plim_diag"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"plim"},"executable":"/t/debug/plim"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/plim")));
        assert_eq!(executable(b"nothing"), None);
    }
}
