//! Dockerfiles and projects where people keep them: beside, above and below each other.

use std::fmt::Write as _;

use insta::assert_snapshot;
use plim_project::{Choices, Project, RewriteOptions, rewrite};

use crate::ambiguity::told;
use crate::{FASTAPI, Folder, findings};

const SIMPLE: &str = "FROM python:3.13\nWORKDIR /srv\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\nCMD [\"uvicorn\", \"main:app\", \"--port\", \"8000\"]\n";

/// A project of two files, in a folder that may be that of the context.
fn project(below: &str) -> Vec<(String, &'static str)> {
    let at = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
    vec![(at("requirements.txt"), "fastapi\nuvicorn\n"), (at("main.py"), FASTAPI)]
}

fn folder(projects: &[&str], files: &[(&str, &str)]) -> Folder {
    let own: Vec<(String, &str)> = projects.iter().flat_map(|below| project(below)).collect();
    let all: Vec<(&str, &str)> =
        own.iter().map(|(path, text)| (path.as_str(), *text)).chain(files.iter().copied()).collect();
    Folder::with(&all)
}

/// Where the project is, what was found, and the new files.
fn shown(folder: &Folder, choices: &Choices) -> String {
    let project = folder.detect_with(choices).unwrap_or_else(|error| panic!("{error}"));
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).expect("the template fits");
    let mut out = place(folder, &project);
    let _ = write!(out, "\n{}\n", findings(&project));
    for line in rewrite.dockerfile.lines().filter(|line| line.starts_with("COPY") && !line.contains("--from")) {
        let _ = write!(out, "\n{line}");
    }
    out
}

fn place(folder: &Folder, project: &Project) -> String {
    let from = |path: &camino::Utf8Path| path.strip_prefix(folder.root()).map_or("outside".into(), ToString::to_string);
    format!(
        "context {:?} root {:?} below {:?} dockerfile {:?}",
        from(&project.context),
        from(&project.root),
        project.below.as_str(),
        project.dockerfile.as_deref().map_or("", |path| if path.is_absolute() { "outside" } else { path.as_str() }),
    )
}

fn error(folder: &Folder, choices: &Choices) -> String {
    let error = folder.detect_with(choices).expect_err("it cannot be decided");
    told(&error).replace(folder.root().as_str(), "FOLDER")
}

fn default() -> Choices {
    Choices::default()
}

#[test]
fn a_dockerfile_in_a_folder_of_its_own() {
    for path in [
        "docker/Dockerfile",
        ".docker/prod.Dockerfile",
        "build/Dockerfile",
        "deploy/Dockerfile.prod",
        "Dockerfile.production",
    ] {
        let folder =
            folder(&[""], &[(path, SIMPLE), ("tests/Dockerfile", SIMPLE), (".devcontainer/Dockerfile", SIMPLE)]);
        let project = folder.detect().unwrap();
        assert_eq!(project.dockerfile.as_deref().unwrap(), path);
        assert_eq!(project.context, folder.root());
        assert_eq!(project.stacks[0].found[0].what, format!("Dockerfile {path}"));
    }
}

#[test]
fn several_dockerfiles_are_ambiguous() {
    let folder = folder(
        &[""],
        &[
            ("docker/default.Dockerfile", SIMPLE),
            ("docker/alpine.Dockerfile", SIMPLE),
            ("docker/db.Dockerfile", "FROM postgres\n"),
        ],
    );
    assert_snapshot!(error(&folder, &default()));
    let choices = Choices { dockerfile: Some("docker/alpine.Dockerfile".into()), ..default() };
    assert_eq!(folder.detect_with(&choices).unwrap().dockerfile.unwrap(), "docker/alpine.Dockerfile");
}

#[test]
fn the_usual_name_stands_for_the_others_of_its_folder() {
    let folder = folder(&[""], &[("docker/Dockerfile", SIMPLE), ("docker/Dockerfile.alpine", SIMPLE)]);
    assert_eq!(folder.detect().unwrap().dockerfile.unwrap(), "docker/Dockerfile");
}

#[test]
fn a_dockerfile_for_developers_is_taken_when_there_is_no_other() {
    let files = [("Dockerfile.dev", SIMPLE), ("docker/prod/Dockerfile", SIMPLE)];
    assert_eq!(folder(&[""], &files).detect().unwrap().dockerfile.unwrap(), "docker/prod/Dockerfile");
    assert_eq!(folder(&[""], &files[..1]).detect().unwrap().dockerfile.unwrap(), "Dockerfile.dev");
}

#[test]
fn a_dockerfile_may_lie_outside_of_the_project() {
    let folder =
        folder(&[""], &[("../infra/shop.dockerfile", SIMPLE), ("../infra/shop.dockerfile.dockerignore", "*.md\n")]);
    for path in ["../infra/shop.dockerfile".into(), folder.root().join("../infra/shop.dockerfile")] {
        let project = folder.detect_with(&Choices { dockerfile: Some(path), ..default() }).unwrap();
        assert!(project.dockerfile.unwrap().is_absolute());
        assert_eq!(project.context, folder.root());
        assert_eq!(project.dockerignore.as_deref(), Some("*.md\n"));
    }
}

#[test]
fn a_dockerfile_with_nothing_in_it_is_an_error() {
    let folder = folder(&[""], &[("Dockerfile", "\u{feff}# soon\r\n")]);
    assert_snapshot!(error(&folder, &default()));
    let missing = Choices { dockerfile: Some("Dockerfile.prod".into()), ..default() };
    assert_snapshot!(error(&folder, &missing));
}

#[test]
fn byte_order_marks_line_ends_and_links_do_not_matter() {
    let text = format!("\u{feff}{}", SIMPLE.replace('\n', "\r\n"));
    let folder = folder(&[""], &[("docker/app", &text)]);
    std::os::unix::fs::symlink("docker/app", folder.root().join("Dockerfile")).unwrap();
    let project = folder.detect().unwrap();
    assert_eq!(project.stacks[0].workdir, "/srv");
    assert_eq!(project.stacks[0].port, Some(8000));
}

const STAGES: &str = "FROM python:3.13 AS builder\nWORKDIR /code\nCOPY . .\nRUN pip install -r requirements.txt\nCMD [\"uvicorn\", \"main:app\", \"--port\", \"9000\"]\n\
                      FROM builder AS dev-envs\nRUN apt-get update && apt-get install -y git\nCMD [\"sleep\", \"infinity\"]\n";

#[test]
fn a_stage_can_be_the_image() {
    let folder = folder(&[""], &[("Dockerfile", STAGES)]);
    let project = folder.detect_with(&Choices { target: Some("Builder".into()), ..default() }).unwrap();
    assert_eq!((project.stacks[0].port, project.target.as_deref()), (Some(9000), Some("Builder")));
    assert!(project.evidence.facts.iter().all(|fact| fact.line < 6));
    assert_snapshot!(error(&folder, &Choices { target: Some("bilder".into()), ..default() }));
}

#[test]
fn a_dockerfile_above_the_project_copies_its_files() {
    let text = "FROM python:3.13\nWORKDIR /code\nCOPY app/requirements.txt .\nRUN pip install -r requirements.txt\nCOPY app/ .\nCMD [\"uvicorn\", \"main:app\"]\n";
    let folder = folder(
        &["app"],
        &[("Dockerfile", text), (".dockerignore", "docs\napp/notes\n"), ("app/notes/x", ""), ("app/static/x.css", "")],
    );
    assert_snapshot!(shown(&folder, &default()));
    assert_snapshot!(folder.rewrite().dockerignore);
}

#[test]
fn a_project_that_keeps_its_folder_in_the_image() {
    let text = "FROM python:3.13\nWORKDIR /code\nCOPY backend/requirements.txt .\nRUN pip install -r requirements.txt\nCOPY backend ./backend\nCOPY shared/ ./shared\nCOPY conf/*.ini /code/conf/\nCMD [\"uvicorn\", \"backend.main:app\"]\n";
    let folder = folder(
        &["backend"],
        &[("Dockerfile", text), ("shared/lib.py", "x = 1\n"), ("conf/a.ini", ""), ("conf/b.md", "")],
    );
    assert_snapshot!(shown(&folder, &default()));
}

#[test]
fn a_dockerfile_above_that_copies_everything() {
    let text = "FROM python:3.13\nWORKDIR /code\nCOPY . .\nRUN pip install -r app/requirements.txt\nCMD [\"python\", \"-m\", \"uvicorn\", \"app.main:app\"]\n";
    let folder = folder(&["app"], &[("docker/Dockerfile", text), ("config/x.ini", ""), ("README.md", "")]);
    assert_snapshot!(shown(&folder, &default()));
}

#[test]
fn the_image_decides_between_back_end_and_front_end() {
    let text = "FROM node AS web\nCOPY frontend/package.json .\nRUN npm ci\nFROM python:3.13\nWORKDIR /app\nCOPY backend/ .\nRUN pip install -r requirements.txt\nCOPY --from=web /dist static\nCMD [\"uvicorn\", \"main:app\"]\n";
    let folder =
        folder(&["backend"], &[("Dockerfile", text), ("frontend/package.json", "{\"scripts\": {\"start\": \"x\"}}")]);
    assert_snapshot!(shown(&folder, &default()));
}

#[test]
fn tools_of_the_repository_do_not_hide_the_project() {
    let text = "FROM python:3.13\nWORKDIR /app\nCOPY backend/ .\nRUN pip install -r requirements.txt\nCMD [\"uvicorn\", \"main:app\"]\n";
    let folder = folder(&["backend"], &[("Dockerfile", text), ("package.json", "{\"devDependencies\": {}}")]);
    assert_eq!(folder.detect().unwrap().root, folder.root().join("backend"));
}

#[test]
fn several_projects_with_dockerfiles_are_listed() {
    let folder = folder(
        &["services/api", "services/jobs"],
        &[
            ("services/api/Dockerfile", SIMPLE),
            ("frontend/package.json", "{}"),
            ("frontend/Dockerfile.playwright", "FROM node\n"),
        ],
    );
    assert_snapshot!(error(&folder, &default()));
    let choices = Choices { project_dir: Some("./services/api/".into()), ..default() };
    assert_snapshot!(shown(&folder, &choices));
    assert_snapshot!(error(&folder, &Choices { project_dir: Some("../x".into()), ..default() }));
}

#[test]
fn the_only_program_is_taken() {
    let folder = folder(
        &["services/api"],
        &[
            ("services/api/Dockerfile", SIMPLE),
            ("lib/pyproject.toml", "[project]\nname = \"lib\"\n"),
            ("lib/lib/__init__.py", ""),
            ("web/package.json", "{\"scripts\": {\"build\": \"vite build\"}}"),
        ],
    );
    assert_snapshot!(shown(&folder, &default()));
}

#[test]
fn the_dockerfile_of_a_project_may_copy_from_above() {
    let text = "FROM python:3.13\nWORKDIR /app\nCOPY services/api/requirements.txt .\nRUN pip install -r requirements.txt\nCOPY lib ./lib\nCOPY services/api .\nCMD [\"uvicorn\", \"main:app\"]\n";
    let folder =
        folder(&["services/api", "services/jobs"], &[("services/api/Dockerfile", text), ("lib/__init__.py", "")]);
    assert_snapshot!(shown(&folder, &Choices { project_dir: Some("services/api".into()), ..default() }));
}

#[test]
fn a_chosen_project_without_a_dockerfile_does_not_take_that_of_another() {
    let text = "FROM python:3.13\nCOPY api/ /app\n";
    let folder = folder(&["api", "jobs"], &[("Dockerfile", text)]);
    let project = folder.detect_with(&Choices { project_dir: Some("jobs".into()), ..default() }).unwrap();
    assert_eq!((project.dockerfile.as_deref(), project.context), (None, folder.root().join("jobs")));
    assert_eq!(folder.detect().unwrap().root, folder.root().join("api"));
    let chosen = Choices { project_dir: Some("jobs".into()), dockerfile: Some("Dockerfile".into()), ..default() };
    assert_eq!(folder.detect_with(&chosen).unwrap().context, folder.root());
}
