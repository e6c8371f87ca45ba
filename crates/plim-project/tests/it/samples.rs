//! The sample applications, as far as they are there.

use camino::{Utf8Path, Utf8PathBuf};
use insta::assert_snapshot;
use plim_project::{Choices, DetectError, RewriteOptions, detect, rewrite};

use crate::{findings, shown};

#[expect(clippy::print_stdout, reason = "a skipped test must say so")]
fn sample(path: &str) -> Option<Utf8PathBuf> {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {path} is not there");
    None
}

#[test]
fn the_python_fixture() {
    let Some(root) = sample("../shared/fixtures/apps/python") else { return };
    let choices = Choices { dockerfile: Some("Dockerfile.before".into()), ..Choices::default() };
    let project = detect(&root, &choices).unwrap();
    assert_snapshot!("fixture_found", findings(&project));
    assert_snapshot!("fixture", shown(&rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap()));
}

#[test]
fn the_fixture_with_a_dockerfile_of_another_name() {
    let Some(root) = sample("../shared/fixtures/apps/python") else { return };
    let project = detect(&root, &Choices::default()).unwrap();
    let profile = &project.stacks[0];
    assert_eq!(project.dockerfile.as_deref().unwrap(), "Dockerfile.after");
    assert_eq!(profile.start[..3], ["python3", "-m", "uvicorn"]);
    assert_eq!(profile.manifests, ["requirements-prod.txt"]);
    assert_eq!(profile.health.as_deref(), Some("/healthz"));
}

#[test]
fn the_example_in_this_repository() {
    let Some(root) = sample("examples/python-api") else { return };
    let project = detect(&root, &Choices::default()).unwrap();
    assert_snapshot!("example_found", findings(&project));
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert_snapshot!("example", shown(&rewrite));
    assert_snapshot!("example_ignore", rewrite.dockerignore);
}

#[test]
fn the_node_fixture() {
    let Some(root) = sample("../shared/fixtures/apps/node") else { return };
    let choices = Choices { dockerfile: Some("Dockerfile.before".into()), ..Choices::default() };
    let project = detect(&root, &choices).unwrap();
    assert_snapshot!("node_fixture_found", findings(&project));
    assert_snapshot!(
        "node_fixture",
        shown(&rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap())
    );
}

#[test]
fn the_node_example_in_this_repository() {
    let Some(root) = sample("examples/node-api") else { return };
    let project = detect(&root, &Choices::default()).unwrap();
    assert_snapshot!("node_example_found", findings(&project));
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert_snapshot!("node_example", shown(&rewrite));
    assert_snapshot!("node_example_ignore", rewrite.dockerignore);
}

#[test]
fn other_stacks_are_recognised_but_not_rewritten() {
    for stack in ["go", "java"] {
        let Some(root) = sample(&format!("../shared/fixtures/apps/{stack}")) else { return };
        match detect(&root, &Choices::default()) {
            Err(DetectError::Unsupported { stack: found, .. }) => assert_eq!(found.as_str(), stack),
            // the Java sample has no build tool
            Err(DetectError::Nothing { .. }) if stack == "java" => {}
            other => panic!("{stack}: {other:?}"),
        }
    }
}

#[test]
fn the_rust_fixture() {
    let Some(root) = sample("../shared/fixtures/apps/rust") else { return };
    let choices = Choices { dockerfile: Some("Dockerfile.before".into()), ..Choices::default() };
    let project = detect(&root, &choices).unwrap();
    assert_snapshot!("rust_fixture_found", findings(&project));
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert_snapshot!("rust_fixture", rewrite.dockerfile);
}

#[test]
fn the_rust_example_in_this_repository() {
    let Some(root) = sample("examples/rust-api") else { return };
    let project = detect(&root, &Choices::default()).unwrap();
    assert_snapshot!("rust_example_found", findings(&project));
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert_snapshot!("rust_example", rewrite.dockerfile);
}
