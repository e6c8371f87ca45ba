//! The floors of the house: which crate may depend on which (ARCHITECTURE.md, "The floors").

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The allowed edges. A crate may depend on those named here and on no other crate of the workspace;
/// tests may use `plim-testkit` besides.
const EDGES: &[(&str, &[&str])] = &[
    ("plim-diag", &[]),
    ("plim-oci", &[]),
    ("plim-sandbox", &[]),
    ("plim-dockerfile", &["plim-diag"]),
    ("plim-index", &["plim-oci"]),
    ("plim-build", &["plim-dockerfile", "plim-oci", "plim-sandbox"]),
    ("plim-debian", &["plim-oci"]),
    ("plim-project", &["plim-dockerfile", "plim-diag"]),
    ("plim-rules", &["plim-project", "plim-index", "plim-dockerfile", "plim-diag"]),
    (
        "plim-engine",
        &[
            "plim-rules",
            "plim-project",
            "plim-build",
            "plim-sandbox",
            "plim-debian",
            "plim-index",
            "plim-dockerfile",
            "plim-oci",
            "plim-diag",
        ],
    ),
    ("plim-cli", &["plim-engine", "plim-diag"]),
    ("plim-testkit", &["plim-oci"]),
    ("xtask", &[]),
];

/// Fails naming every edge that leads upwards or sideways, and every crate without a floor.
pub(crate) fn check() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"])
        .output()
        .context("failed to run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let wrong = violations(&metadata);
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n       ")) }
}

fn violations(metadata: &Value) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(edges) = allowed.get(name) else {
            wrong.push(format!("{name} has no floor: add it to xtask/src/floors.rs and ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let test_only = dependency["kind"].as_str() == Some("dev") && to == "plim-testkit";
            if allowed.contains_key(to) && !edges.contains(&to) && !test_only {
                wrong.push(format!("{name} -> {to} is no allowed edge"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::violations;

    #[test]
    fn an_edge_upwards_is_named() {
        let metadata =
            json!({"packages": [{"name": "plim-oci", "dependencies": [{"name": "plim-engine", "kind": null}]}]});
        assert_eq!(violations(&metadata), ["plim-oci -> plim-engine is no allowed edge"]);
    }

    #[test]
    fn tests_may_use_the_testkit() {
        let metadata =
            json!({"packages": [{"name": "plim-index", "dependencies": [{"name": "plim-testkit", "kind": "dev"}]}]});
        assert!(violations(&metadata).is_empty());
    }

    #[test]
    fn a_crate_without_a_floor_is_named() {
        let metadata = json!({"packages": [{"name": "plim-utils", "dependencies": []}]});
        assert_eq!(violations(&metadata).len(), 1);
    }
}
