//! The dependencies that a manifest names.

use camino::Utf8PathBuf;
use toml::{Table, Value};

use super::{Manifest, join, strings};
use crate::error::DetectError;
use crate::folder::line_of;

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Use {
    /// The program.
    Program,
    /// The build script.
    Build,
    /// Tests, examples and benchmarks.
    Test,
}

/// A dependency.
#[derive(Debug, Clone)]
pub(in super::super) struct Dependency {
    /// The name by which the package calls it.
    pub(in super::super) key: String,
    /// The name of the package.
    pub(in super::super) package: String,
    /// Its folder relative to the root, when it is a part of the project.
    pub(in super::super) path: Option<Utf8PathBuf>,
    pub(in super::super) git: bool,
    pub(in super::super) optional: bool,
    /// Whether it is wanted on Linux.
    pub(in super::super) for_linux: bool,
    pub(in super::super) purpose: Use,
    pub(in super::super) features: Vec<String>,
    /// The manifest and line that name it.
    pub(in super::super) place: String,
}

const SECTIONS: [(&str, Use); 5] = [
    ("dependencies", Use::Program),
    ("build-dependencies", Use::Build),
    ("build_dependencies", Use::Build),
    ("dev-dependencies", Use::Test),
    ("dev_dependencies", Use::Test),
];

/// Reads all dependencies of a manifest, those of targets included.
pub(super) fn all(manifest: &Manifest, inherited: Option<&Manifest>) -> Result<Vec<Dependency>, DetectError> {
    let mut found = Vec::new();
    section_of(manifest, &manifest.table, inherited, true, &mut found)?;
    for (target, table) in manifest.section("target").into_iter().flatten() {
        if let Some(table) = table.as_table() {
            section_of(manifest, table, inherited, is_linux(target), &mut found)?;
        }
    }
    Ok(found)
}

fn section_of(
    manifest: &Manifest,
    table: &Table,
    inherited: Option<&Manifest>,
    for_linux: bool,
    found: &mut Vec<Dependency>,
) -> Result<(), DetectError> {
    for (section, purpose) in SECTIONS {
        for (key, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            found.push(read(manifest, key, value, inherited, for_linux, purpose)?);
        }
    }
    Ok(())
}

fn read(
    manifest: &Manifest,
    key: &str,
    value: &Value,
    inherited: Option<&Manifest>,
    for_linux: bool,
    purpose: Use,
) -> Result<Dependency, DetectError> {
    let own = value.as_table();
    let by_workspace = own.is_some_and(|own| own.get("workspace").and_then(Value::as_bool) == Some(true));
    let shared = inherited.filter(|_| by_workspace).and_then(|workspace| {
        let shared = workspace.section("workspace")?.get("dependencies")?.get(key)?;
        Some((workspace, shared))
    });
    // the path of an inherited dependency begins at the workspace
    let (source, table) = match shared {
        Some((workspace, shared)) => (workspace, shared.as_table()),
        None => (manifest, own),
    };
    let text = |name: &str| table.and_then(|table| table.get(name)).and_then(Value::as_str);
    let path = match text("path") {
        None => None,
        Some(written) => Some(local(source, key, written)?),
    };
    let mut features = strings(table.and_then(|table| table.get("features")));
    if shared.is_some() {
        features.extend(strings(own.and_then(|own| own.get("features"))));
    }
    Ok(Dependency {
        key: key.to_owned(),
        package: text("package").unwrap_or(key).to_owned(),
        path,
        git: text("git").is_some(),
        optional: own.and_then(|own| own.get("optional")).and_then(Value::as_bool).unwrap_or(false),
        for_linux,
        purpose,
        features,
        place: format!("{}:{}", manifest.path, line_of_key(&manifest.text, key)),
    })
}

/// Returns the folder of a dependency of the project itself, which must be in the project's folder.
fn local(manifest: &Manifest, key: &str, written: &str) -> Result<Utf8PathBuf, DetectError> {
    join(manifest.dir(), written).ok_or_else(|| {
        manifest.outside(
            written,
            format!("the dependency {key} is in {written}, outside of the project folder"),
            "a build sees only the project folder: run plim in the folder that holds both, or take the dependency from a registry or from git",
        )
    })
}

/// The line of `key = …`, of `key.workspace = …` or of `[dependencies.key]`.
fn line_of_key(text: &str, key: &str) -> usize {
    let names = |line: &str| {
        let line = line.trim_start();
        let rest = line.strip_prefix(key).or_else(|| line.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"'));
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.'])) || line.contains(&format!(".{key}]"))
    };
    text.lines().position(names).map_or_else(|| line_of(text, key), |index| index + 1)
}

/// Whether a target, a triple or `cfg(…)`, may be Linux with the GNU C library.
fn is_linux(target: &str) -> bool {
    let target = target.trim();
    match target.strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')')) {
        Some(expression) => holds(expression.trim()),
        None => target.contains("linux") && target.ends_with("gnu"),
    }
}

/// Evaluates a `cfg` expression. What is not known counts as true, because a dependency too many does no harm.
fn holds(expression: &str) -> bool {
    for (operator, kind) in [("all", 0), ("any", 1), ("not", 2)] {
        let inner = expression.strip_prefix(operator).map(str::trim_start);
        if let Some(inner) = inner.and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')')) {
            let parts = split(inner);
            return match kind {
                0 => parts.iter().all(|part| holds(part)),
                1 => parts.iter().any(|part| holds(part)),
                _ => !parts.first().is_some_and(|part| holds(part)),
            };
        }
    }
    match expression.split_once('=') {
        None => !matches!(expression, "windows" | "test" | "miri" | "loom"),
        Some((name, value)) => {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "target_os" => value == "linux",
                "target_family" => value == "unix",
                "target_env" => value == "gnu",
                "target_vendor" => value == "unknown",
                "target_arch" => !value.starts_with("wasm"),
                "target_pointer_width" => value == "64",
                _ => true,
            }
        }
    }
}

/// Splits at the commas that are outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Returns the folder of every package that is put in the place of another one, by `[patch]` or `[replace]`.
pub(in super::super) fn replaced(manifest: &Manifest) -> Result<Vec<Utf8PathBuf>, DetectError> {
    let patches = manifest.section("patch").into_iter().flatten().filter_map(|(_, table)| table.as_table());
    let mut paths = Vec::new();
    for (key, value) in patches.chain(manifest.section("replace")).flatten() {
        if let Some(written) = value.get("path").and_then(Value::as_str) {
            paths.push(local(manifest, key, written)?);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged_as_cargo_does_on_linux() {
        for target in [
            "cfg(unix)",
            "cfg(not(windows))",
            "cfg(target_os = \"linux\")",
            "cfg(any(windows, target_os = \"linux\"))",
            "cfg(all(unix, not(target_os = \"macos\")))",
            "cfg(tokio_unstable)",
            "x86_64-unknown-linux-gnu",
        ] {
            assert!(is_linux(target), "{target}");
        }
        for target in [
            "cfg(windows)",
            "cfg(target_os = \"macos\")",
            "cfg(not(unix))",
            "cfg(any(target_os = \"macos\", target_os = \"ios\"))",
            "cfg(target_family = \"wasm\")",
            "cfg(not(any(target_os = \"macos\", unix)))",
            "x86_64-pc-windows-msvc",
            "cfg(target_env = \"musl\")",
        ] {
            assert!(!is_linux(target), "{target}");
        }
    }

    #[test]
    fn lines_are_those_of_the_keys() {
        let text =
            "[package]\nname = \"serde-app\"\n[dependencies]\nserde_json = \"1\"\nserde = \"1\"\n[dependencies.axum]\n";
        assert_eq!(line_of_key(text, "serde"), 5);
        assert_eq!(line_of_key(text, "axum"), 6);
    }
}
