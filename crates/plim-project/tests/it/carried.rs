//! What lives on of the author's Dockerfile: commands, stages, copies.

use insta::assert_snapshot;
use plim_project::{CarryChoice, Choices, Kept, RewriteError, RewriteOptions, rewrite};

use crate::{FASTAPI, Folder, shown};

/// A FastAPI project with a Dockerfile.
fn project(dockerfile: &str) -> Folder {
    Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("app/__init__.py", ""),
        ("app/main.py", FASTAPI),
        ("scripts/assets.sh", "mkdir -p static\n"),
        ("conf/app.ini", "a=1\n"),
        ("Dockerfile", dockerfile),
    ])
}

/// What became of each instruction and command, and the new files.
pub(crate) fn settled(folder: &Folder) -> String {
    let rewrite = folder.rewrite();
    let facts = rewrite.facts.iter().map(|fact| {
        let kept = match &fact.kept {
            Kept::Kept => "kept".to_owned(),
            Kept::Dropped(reason) => format!("dropped: {reason}"),
            Kept::Unknown => "unknown".to_owned(),
        };
        format!("{:>2} {} -> {kept}", fact.line, fact.what)
    });
    let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
    assert!(parsed.errors.is_empty(), "{:?}\n{}", parsed.errors, rewrite.dockerfile);
    facts.chain([shown(&rewrite)]).collect::<Vec<_>>().join("\n")
}

#[test]
fn packages_of_alpine_are_translated() {
    let folder = project(
        "FROM python:3.13-alpine AS builder\nRUN apk add --no-cache build-base libffi-dev postgresql-dev\nCOPY requirements.txt .\nRUN pip wheel -w /wheels -r requirements.txt\n\nFROM python:3.13-alpine\nRUN apk add --no-cache --virtual .run libpq jpeg tini && adduser -D app\nCOPY --from=builder /wheels /wheels\nRUN pip install --no-cache /wheels/*\nWORKDIR /srv/shop\nCOPY . .\nUSER app\nCMD [\"uvicorn\", \"app.main:app\", \"--host\", \"0.0.0.0\", \"--port\", \"8000\"]\n",
    );
    assert_snapshot!("alpine", settled(&folder));
}

#[test]
fn branches_and_loops_are_kept_whole() {
    let folder = project(
        "FROM python:3.13-slim\nARG MODE=prod\nENV REGION=eu\nWORKDIR /app\nCOPY . .\nRUN set -eux; apt-get update; apt-get install -y curl; \\\n    if [ \"$MODE\" = prod ]; then python -m app.setup --region $REGION; fi; \\\n    for name in a b; do mkdir -p /data/$name; done; \\\n    rm -rf /var/lib/apt/lists/*\nCMD uvicorn app.main:app --port 8000\n",
    );
    assert_snapshot!("branches", settled(&folder));
}

#[test]
fn downloads_are_fetched_in_the_build_stage() {
    let folder = project(
        "FROM python:3.13-slim\nARG TOOL=1.2\nENV PATH=/opt/tool/bin:$PATH\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\nRUN curl -fsSLo /usr/local/bin/one https://example.com/$TOOL/one && chmod +x /usr/local/bin/one\nRUN cd /tmp && curl -fsSLO https://example.com/tool.tgz && mkdir -p /opt/tool && tar -xzf tool.tgz -C /opt/tool && rm tool.tgz\nRUN curl -fsSL https://example.com/two.tar.gz | tar -xz -C /usr/local\nADD https://example.com/three /usr/local/share/three\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\nCOPY --from=docker.io/library/busybox:1 /bin/busybox /usr/local/bin/\nCOPY conf/app.ini /etc/app/app.ini\nWORKDIR /app\nCOPY . .\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
    );
    assert_snapshot!("downloads", settled(&folder));
}

#[test]
fn folders_for_data_belong_to_the_program() {
    let folder = project(
        "FROM python:3.13-slim\nRUN groupadd -r app && useradd -r -g app app\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nRUN mkdir -p /data /app/uploads && chown -R app:app /data /app\nVOLUME /data\nUSER app\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
    );
    assert_snapshot!("data", settled(&folder));
}

#[test]
fn stages_of_other_languages_live_on() {
    let folder = project(
        "ARG NODE=22\nFROM node:${NODE} AS build\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n# the pages\nCOPY frontend ./frontend\nRUN npm run build && \\\n    cat <<EOF > dist/x\n\n  two  \nEOF\n\nFROM python:3.13-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\nCOPY --from=build --chown=app /app/dist ./static\nRUN python manage.py collectstatic && sh scripts/assets.sh\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
    );
    assert_snapshot!("frontend", settled(&folder));
}

#[test]
fn poetry_in_a_builder_is_replaced() {
    let folder = Folder::with(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\n[tool.poetry.dependencies]\npython = \"^3.13\"\nfastapi = \"*\"\nuvicorn = \"*\"\n",
        ),
        ("poetry.lock", ""),
        ("app/__init__.py", ""),
        ("app/main.py", FASTAPI),
        (
            "Dockerfile",
            "FROM python:3.13-slim AS base\nENV POETRY_VERSION=1.8 PATH=\"/opt/venv/bin:$PATH\"\nFROM base AS builder\nRUN curl -sSL https://install.python-poetry.org | python3 - && poetry config virtualenvs.create false\nCOPY pyproject.toml poetry.lock ./\nRUN --mount=type=cache,target=/root/.cache python -m venv /opt/venv && . /opt/venv/bin/activate && poetry install --only main\nFROM base\nCOPY --from=builder /opt/venv /opt/venv\nWORKDIR /app\nCOPY app app\nRUN <<EOF\npoetry run python -m app.warm\necho done\nEOF\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
        ),
    ]);
    assert_snapshot!("poetry_builder", settled(&folder));
}

#[test]
fn what_is_not_understood_must_be_settled() {
    let folder = project(
        "FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nRUN sed -i s/a/b/ /etc/ImageMagick-6/policy.xml\nRUN if true; then\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
    );
    let project = folder.detect().unwrap();
    let error = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap_err();
    assert!(matches!(&error, RewriteError::NotCarried { lines, .. } if lines.len() == 2));
    assert_eq!(
        error.to_string(),
        "what the program needs of these lines is not clear: Dockerfile:4 `RUN sed -i s/a/b/ /etc/ImageMagick-6/policy.xml`, Dockerfile:5 `RUN if true; then`"
    );
    assert!(error.hint().unwrap().contains("--carry 4=drop"));
    let carry = [(4, CarryChoice::Build), (5, CarryChoice::Drop)].into();
    let project = folder.detect_with(&Choices { carry, ..Choices::default() }).unwrap();
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert!(rewrite.dockerfile.contains("sed -i s/a/b/ /etc/ImageMagick-6/policy.xml"), "{}", rewrite.dockerfile);
    assert!(rewrite.facts.iter().all(|fact| fact.kept != Kept::Unknown));
}

#[test]
fn conda_is_refused() {
    for dockerfile in [
        "FROM continuumio/miniconda3\nWORKDIR /app\nCOPY . .\nRUN conda env create -f environment.yml\nCMD [\"uvicorn\", \"app.main:app\"]\n",
        "FROM python:3.13\nWORKDIR /app\nCOPY . .\nRUN micromamba install -y numpy\nCMD [\"uvicorn\", \"app.main:app\"]\n",
    ] {
        let error = project(dockerfile).detect().unwrap_err();
        assert!(error.to_string().contains("conda"), "{error}");
        assert!(error.hint().unwrap().contains("pip"), "{error}");
    }
}
