//! Compose files as witnesses.

use insta::assert_snapshot;
use plim_project::Choices;

use crate::ambiguity::told;
use crate::{FASTAPI, Folder, findings};

const DOCKERFILE: &str = "FROM python:3.13 AS builder\nWORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt\n";

fn folder(files: &[(&str, &str)]) -> Folder {
    let own = [("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", FASTAPI)];
    Folder::with(&own.into_iter().chain(files.iter().copied()).collect::<Vec<_>>())
}

const SHOP: &str = r#"x-env: &env
  LOG_LEVEL: ${LOG_LEVEL:-info}
  WORKERS: 2
services:
  db:
    image: docker.io/library/postgres:17-alpine
    environment: [POSTGRES_PASSWORD=not-to-be-shown]
  cache: {image: "bitnami/redis:7"}
  proxy: {image: "traefik:3"}
  worker:
    build: &build
      context: .
      args: {FLAVOUR: full, TOKEN: "$TOKEN"}
    command: celery worker
  web:
    build: *build
    command: uvicorn main:app --host 0.0.0.0 --port 9000
    environment:
      <<: *env
      SECRET_KEY: not-to-be-shown
      API_KEY: ${API_KEY:?must be set}
      EMPTY:
    ports:
      - "127.0.0.1:80:9000/tcp"
      - target: 9001
        protocol: udp
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:9000/readyz?full=1"]
    depends_on:
      db: {condition: service_healthy}
"#;

#[test]
fn what_the_dockerfile_does_not_say() {
    let folder = folder(&[("Dockerfile", DOCKERFILE), ("compose.yaml", SHOP), ("compose.override.yaml", "")]);
    let project = folder.detect().unwrap();
    assert_snapshot!(findings(&project));
    let compose = project.compose.as_ref().unwrap();
    assert_eq!(compose.build_args.0, [("FLAVOUR".to_owned(), "full".to_owned())]);
    let environment: Vec<_> = compose.environment.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(environment, ["SECRET_KEY=not-to-be-shown", "LOG_LEVEL=info", "WORKERS=2"]);
    assert!(!format!("{project:?}").contains("not-to-be-shown"), "values may be secrets");
    let needs: Vec<_> = project.needs().iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["db (docker.io/library/postgres:17-alpine)", "cache (bitnami/redis:7)"]);
}

#[test]
fn what_the_dockerfile_says_wins() {
    let dockerfile = format!(
        "{DOCKERFILE}EXPOSE 8000\nHEALTHCHECK CMD curl http://localhost:8000/x\nCMD [\"uvicorn\", \"main:app\"]\n"
    );
    let folder = folder(&[("Dockerfile", &dockerfile), ("docker-compose.yml", SHOP)]);
    assert_snapshot!(findings(&folder.detect().unwrap()));
}

#[test]
fn the_stage_and_the_dockerfile_of_the_service_are_taken() {
    let dockerfile =
        format!("{DOCKERFILE}CMD [\"uvicorn\", \"main:app\"]\nFROM builder AS dev-envs\nCMD [\"sleep\", \"1\"]\n");
    let compose = "services:\n  api:\n    build:\n      context: ..\n      dockerfile: docker/api.Dockerfile\n      target: builder\n";
    let folder = folder(&[
        ("docker/api.Dockerfile", &dockerfile),
        ("docker/other.Dockerfile", DOCKERFILE),
        ("docker/compose.yml", compose),
    ]);
    let project = folder.detect().unwrap();
    assert_eq!(
        (project.dockerfile.as_deref().unwrap().as_str(), project.target.as_deref()),
        ("docker/api.Dockerfile", Some("builder"))
    );
    assert_snapshot!(findings(&project));
    let target = Choices {
        target: Some("dev-envs".into()),
        start: Some(vec!["uvicorn".into(), "main:app".into()]),
        ..Choices::default()
    };
    assert_eq!(folder.detect_with(&target).unwrap().target.as_deref(), Some("dev-envs"));
}

#[test]
fn what_is_for_developers_is_not_taken() {
    let compose = "services:\n  api:\n    build: {context: ., dockerfile: Dockerfile.dev, target: development}\n    command: [sh, -c, 'sleep 1 && uvicorn main:app']\n    ports: [8000]\n";
    let folder = folder(&[
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD [\"uvicorn\", \"main:app\"]\n"),
        ("Dockerfile.dev", "FROM python:3.13 AS development\nCOPY . .\n"),
        ("compose.yml", compose),
    ]);
    let project = folder.detect().unwrap();
    assert_eq!((project.dockerfile.as_deref().unwrap().as_str(), project.target), ("Dockerfile", None));
}

#[test]
fn services_built_in_different_ways_are_ambiguous() {
    let service = |name: &str, rest: &str| format!("  {name}:\n    build: {{context: ., {rest}}}\n    ports: [8000]\n");
    let one =
        format!("services:\n{}{}", service("a", "dockerfile: a.Dockerfile"), service("b", "dockerfile: b.Dockerfile"));
    let folder_ = folder(&[("a.Dockerfile", DOCKERFILE), ("b.Dockerfile", DOCKERFILE), ("compose.yml", &one)]);
    assert_snapshot!(told(&folder_.detect().unwrap_err()));
    let two = format!("services:\n{}{}", service("a", "target: builder"), service("b", "target: web"));
    let folder_ = folder(&[("Dockerfile", DOCKERFILE), ("compose.yml", &two)]);
    assert_snapshot!(told(&folder_.detect().unwrap_err()));
}

#[test]
fn a_compose_file_above_knows_the_services_of_a_repository() {
    let compose = "services:\n  api:\n    build: ./shop\n    expose: [8123]\n  web:\n    build: ../elsewhere\n";
    let files = [
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD [\"python\", \"main.py\"]\n"),
        ("../compose.yaml", compose),
        ("../.git/HEAD", ""),
    ];
    let folder = folder(&files);
    let project = folder.detect().unwrap();
    assert_eq!((project.stacks[0].port, project.compose.unwrap().file.as_str()), (Some(8123), "../compose.yaml"));
}

#[test]
fn the_context_of_the_service_is_that_of_the_project() {
    let compose = "services:\n  api:\n    build: {context: ., dockerfile: api/Dockerfile}\n    ports: ['80:8000']\n  web:\n    build: web\n";
    let dockerfile =
        "FROM python:3.13\nWORKDIR /srv\nCOPY api/requirements.txt .\nCOPY api .\nCMD [\"uvicorn\", \"main:app\"]\n";
    let folder = Folder::with(&[
        ("api/requirements.txt", "fastapi\nuvicorn\n"),
        ("api/main.py", FASTAPI),
        ("api/Dockerfile", dockerfile),
        ("web/package.json", "{\"scripts\": {\"start\": \"x\"}}"),
        ("web/Dockerfile", "FROM node\nCOPY . .\n"),
        ("compose.yaml", compose),
    ]);
    let project = folder.detect_with(&Choices { project_dir: Some("api".into()), ..Choices::default() }).unwrap();
    assert_eq!((project.context.clone(), project.below.as_str()), (folder.root(), "api"));
    assert_snapshot!(findings(&project));
}

#[test]
fn a_broken_file_is_named_and_ignored() {
    let folder = folder(&[
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD [\"uvicorn\", \"main:app\"]\n"),
        ("compose.yaml", "services:\n  a: [x\nb: 1\n"),
    ]);
    let shown = findings(&folder.detect().unwrap());
    assert!(shown.starts_with("compose.yaml is not understood <- line 3: "), "{shown}");
}
