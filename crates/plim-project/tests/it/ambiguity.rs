//! What cannot be decided, and how plim says so.

use insta::assert_snapshot;
use plim_project::{Choices, DetectError, StackKind};

use crate::{FASTAPI, Folder};

pub(crate) fn told(error: &DetectError) -> String {
    format!("error: {error}\nhint: {}", error.hint().unwrap_or_default())
}

#[test]
fn two_applications() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("shop/api.py", FASTAPI),
        ("shop/admin.py", FASTAPI),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the start command is ambiguous: FastAPI shop.admin:app (shop/admin.py:3), FastAPI shop.api:app (shop/api.py:3)
    hint: choose with `--start`, or with `[project] start` in plim.toml
    ");
    let start = vec!["uvicorn".to_owned(), "shop.admin:app".to_owned()];
    let project = folder.detect_with(&Choices { start: Some(start), ..Choices::default() }).unwrap();
    assert_eq!(project.stacks[0].start, ["python3", "-m", "uvicorn", "shop.admin:app"]);
    assert_eq!(project.stacks[0].port, Some(8000));
}

#[test]
fn two_project_folders() {
    let folder = Folder::with(&[("backend/requirements.txt", ""), ("worker/pyproject.toml", "")]);
    let shown = told(&folder.detect().unwrap_err()).replace(folder.root().as_str(), "FOLDER");
    assert_snapshot!(shown, @r"
    error: several projects are in FOLDER: backend (python), worker (python)
    hint: choose one with `--project backend`, or with `[project] dir` in plim.toml
    ");
}

#[test]
fn one_project_folder_below_is_taken() {
    let folder = Folder::with(&[("backend/requirements.txt", "fastapi\n"), ("backend/main.py", FASTAPI)]);
    let project = folder.detect().unwrap();
    assert!(project.root.ends_with("backend"));
    assert_eq!(project.stacks[0].found[0].what, "project folder backend");
}

#[test]
fn two_stacks() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", FASTAPI),
        ("package.json", r#"{"scripts": {"start": "node ."}}"#),
        ("index.js", ""),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the stack is ambiguous: python (requirements.txt), node (package.json)
    hint: choose with `--stack`, or with `[project] stack` in plim.toml
    ");
    assert!(folder.detect_with(&Choices { stack: Some(StackKind::Python), ..Choices::default() }).is_ok());
    assert!(folder.detect_with(&Choices { stack: Some(StackKind::Node), ..Choices::default() }).is_ok());
    let go = folder.detect_with(&Choices { stack: Some(StackKind::Go), ..Choices::default() }).unwrap_err();
    assert_snapshot!(told(&go), @r"
    error: go projects cannot be rewritten yet (go.mod shows one)
    hint: `plim lint`, `plim build` and `plim analyze` work on the project's own Dockerfile and image all the same
    ");
}

#[test]
fn tools_of_the_front_end_are_no_program() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", FASTAPI),
        ("package.json", r#"{"devDependencies": {"prettier": "3"}}"#),
    ]);
    assert!(folder.detect().is_ok());
}

#[test]
fn nothing() {
    let folder = Folder::with(&[("README.md", "")]);
    let error = folder.detect().unwrap_err().to_string();
    let shown = error.replace(folder.root().as_str(), "FOLDER");
    assert_snapshot!(shown, @r"
    no project found in FOLDER (looked for pyproject.toml, requirements.txt, setup.py, setup.cfg, Pipfile, package.json, go.mod, Cargo.toml, pom.xml, build.gradle, build.gradle.kts)
    ");
}

#[test]
fn no_start() {
    let folder = Folder::with(&[("requirements.txt", "requests\n"), ("lib.py", "x = 1\n")]);
    let shown = told(&folder.detect().unwrap_err()).replace(folder.root().as_str(), "FOLDER");
    assert_snapshot!(shown, @r#"
    error: nothing in FOLDER says how to start the program (looked for CMD or ENTRYPOINT in the Dockerfile, web: in a Procfile, manage.py, an application object of FastAPI, Starlette, Quart, Litestar or Flask, [project.scripts], __main__.py, a file with `if __name__ == "__main__"`)
    hint: say it with `--start 'python -m package'`, or with `[project] start = ["python", "-m", "package"]` in plim.toml
    "#);
}

#[test]
fn a_list_of_commands_that_ends_in_another_program() {
    let folder = Folder::with(&[
        ("requirements.txt", "django\ngunicorn\n"),
        ("manage.py", "DJANGO_SETTINGS_MODULE\n"),
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD python manage.py migrate && nginx\n"),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the start command `python manage.py migrate && nginx` (Dockerfile:3) needs a shell: it uses `&`
    hint: the image starts the program directly; say how with `--start 'nginx'`, or with `[project] start = …` in plim.toml; or put the commands into a script of the project that CMD runs, which is kept with its shell
    ");
}

#[test]
fn a_command_that_needs_a_shell() {
    let folder = Folder::with(&[
        ("requirements.txt", "django\ngunicorn\n"),
        ("manage.py", "DJANGO_SETTINGS_MODULE\n"),
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD python manage.py migrate && gunicorn shop.wsgi > /log\n"),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the start command `python manage.py migrate && gunicorn shop.wsgi > /log` (Dockerfile:3) needs a shell: it uses `&`
    hint: say how to start the program without a shell with `--start 'python -m …'`, or with `[project] start = …` in plim.toml; or put the commands into a script of the project that CMD runs, which is kept with its shell
    ");
}

#[test]
fn a_program_that_is_not_there() {
    let folder = Folder::with(&[
        ("requirements.txt", "flask\n"),
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nENTRYPOINT [\"./docker-entrypoint\"]\n"),
        ("docker-entrypoint", "#!/usr/bin/perl\n"),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the start command `./docker-entrypoint` (Dockerfile:3) runs `./docker-entrypoint`, which is neither a module nor a script of the project
    hint: say how to start the program without a shell with `--start 'python -m …'`, or with `[project] start = …` in plim.toml
    ");
}

#[test]
fn broken_manifests_are_shown_with_their_line() {
    let folder = Folder::with(&[("requirements.txt", "flask\n-r missing.txt\n")]);
    assert_eq!(folder.detect().unwrap_err().to_string(), "requirements.txt:2: missing.txt does not exist");
    let folder = Folder::with(&[("requirements.txt", "-r ../../secret.txt\n")]);
    assert_eq!(
        folder.detect().unwrap_err().to_string(),
        "requirements.txt:1: ../../secret.txt is outside of the project"
    );
    let folder = Folder::with(&[("pyproject.toml", "[project]\nname = \n")]);
    let error = folder.detect().unwrap_err().to_string();
    assert!(error.starts_with("pyproject.toml:2: "), "{error}");
}
