//! One test for each way in which people lay out a Python project.

use insta::assert_snapshot;
use plim_project::{Choices, RewriteOptions, rewrite};

use crate::{FASTAPI, Folder, findings, shown};

#[test]
fn requirements_only() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi==0.1\nuvicorn==0.1\nnumpy==2.0\n"),
        ("app/__init__.py", ""),
        ("app/main.py", FASTAPI),
        ("app/tests/test_main.py", "def test(): pass\n"),
        ("tests/test_main.py", ""),
        ("README.md", "# shop\n"),
        ("settings.yaml", "a: 1\n"),
    ]);
    assert_snapshot!("requirements_only", shown(&folder.rewrite()));
    assert_snapshot!("requirements_only_ignore", folder.rewrite().dockerignore);
    assert_snapshot!("requirements_only_found", findings(&folder.detect().unwrap()));
}

#[test]
fn requirements_with_hashes_and_includes() {
    let folder = Folder::with(&[
        ("requirements/prod.txt", "-r base.txt\n-c ../constraints.txt\ngunicorn==23.0 --hash=sha256:aa\n"),
        ("requirements/base.txt", "flask==3.0 \\\n  --hash=sha256:bb \\\n  --hash=sha256:cc\n"),
        ("requirements/dev.txt", "pytest\n"),
        ("constraints.txt", "werkzeug==3.0\n"),
        ("wsgi.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    assert_snapshot!("hashes", shown(&folder.rewrite()));
    let profile = &folder.detect().unwrap().stacks[0];
    assert_eq!(profile.manifests, ["requirements/prod.txt", "constraints.txt", "requirements/base.txt"]);
    assert!(profile.install.hashed);
}

#[test]
fn pyproject_only() {
    let folder = Folder::with(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nrequires-python = \">=3.11,<3.13\"\ndependencies = [\"fastapi\", \"uvicorn[standard]\"]\n",
        ),
        ("shop/__init__.py", ""),
        ("shop/api.py", FASTAPI),
    ]);
    assert_snapshot!("pyproject_only", shown(&folder.rewrite()));
}

#[test]
fn src_layout_that_can_be_installed() {
    let folder = Folder::with(&[
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"hatchling\", \"hatch-vcs\"]\nbuild-backend = \"hatchling.build\"\n\n[project]\nname = \"shop\"\ndynamic = [\"version\"]\nreadme = \"README.md\"\nrequires-python = \">=3.12\"\ndependencies = [\"httpx\"]\n\n[project.scripts]\nshop = \"shop.cli:main\"\n",
        ),
        ("README.md", "# shop\n"),
        ("src/shop/__init__.py", ""),
        ("src/shop/cli.py", "def main():\n    pass\n"),
    ]);
    assert_snapshot!("src_layout", shown(&folder.rewrite()));
}

#[test]
fn src_layout_that_runs_from_its_sources() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("src/app/__init__.py", ""),
        ("src/app/main.py", FASTAPI),
    ]);
    let rewrite = folder.rewrite();
    assert!(rewrite.dockerfile.contains("PYTHONPATH=/app/src"), "{}", rewrite.dockerfile);
    assert!(rewrite.dockerfile.contains("COPY src /app/src"), "{}", rewrite.dockerfile);
}

#[test]
fn poetry_with_a_lock() {
    let folder = Folder::with(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nFlask = \"^3\"\ngunicorn = \"*\"\n",
        ),
        ("poetry.lock", ""),
        ("shop.py", "import flask\n\n\ndef create_app():\n    app = flask.Flask(__name__)\n    return app\n"),
    ]);
    assert_snapshot!("poetry", shown(&folder.rewrite()));
}

#[test]
fn uv_with_a_lock() {
    let folder = Folder::with(&[
        ("pyproject.toml", "[project]\nname = \"shop\"\nrequires-python = \">=3.13\"\ndependencies = [\"psutil\"]\n"),
        ("uv.lock", ""),
        (".python-version", "3.13\n"),
        ("main.py", "if __name__ == \"__main__\":\n    print(1)\n"),
    ]);
    assert_snapshot!("uv", shown(&folder.rewrite()));
}

#[test]
fn pipenv() {
    let folder = Folder::with(&[
        ("Pipfile", "[packages]\nflask = \"*\"\nwaitress = \"*\"\n"),
        ("Pipfile.lock", "{}"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    assert_snapshot!("pipenv", shown(&folder.rewrite()));
}

#[test]
fn flask_without_a_server() {
    let folder = Folder::with(&[
        ("requirements.txt", "flask\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("templates/index.html", ""),
        ("static/site.css", ""),
    ]);
    assert_snapshot!("flask", shown(&folder.rewrite()));
}

#[test]
fn django_with_gunicorn_and_system_packages() {
    let manage = "import os\nos.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")\n";
    let wsgi = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n";
    let folder = Folder::with(&[
        ("requirements.txt", "django>=5\ngunicorn\npsycopg2\n"),
        ("manage.py", manage),
        ("shop/__init__.py", ""),
        ("shop/settings.py", ""),
        ("shop/urls.py", "urlpatterns = [path(\"health/\", health)]\n"),
        ("shop/wsgi.py", wsgi),
        ("db.sqlite3", ""),
        (
            "Dockerfile",
            "FROM python:3.12\nENV PYTHONUNBUFFERED=1 DJANGO_ENV=production PATH=/x:$PATH\nWORKDIR /code\nRUN apt-get update && apt-get install -y gettext libpq-dev && rm -rf /var/lib/apt/lists/*\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\nRUN python manage.py collectstatic --noinput\nRUN ./fetch.sh\nLABEL team=\"the shop\"\nUSER shop\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=30s CMD curl -f http://localhost:8000/health/ || exit 1\nCMD gunicorn shop.wsgi:application --bind 0.0.0.0:8000 --workers ${WORKERS:-2}\n",
        ),
    ]);
    assert_snapshot!("django", shown(&folder.rewrite()));
    assert_snapshot!("django_found", findings(&folder.detect().unwrap()));
}

#[test]
fn static_files_of_django_are_collected_where_no_dockerfile_does() {
    let files = [
        ("requirements.txt", "django\ngunicorn\n"),
        ("manage.py", "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")\n"),
        ("shop/__init__.py", ""),
        ("shop/settings.py", "STATIC_ROOT = BASE_DIR / \"staticfiles\"\n"),
        ("shop/wsgi.py", "application = get_wsgi_application()\n"),
        ("Dockerfile", "FROM python:3.13\nCOPY . .\nCMD gunicorn shop.wsgi\n"),
    ];
    let collects =
        |files: &[(&str, &str)]| Folder::with(files).rewrite().dockerfile.contains("manage.py collectstatic");
    assert!(collects(&files[..5]));
    assert!(!collects(&files));
}

#[test]
fn procfile() {
    let folder = Folder::with(&[
        ("requirements.txt", "flask\ngunicorn\n"),
        ("runtime.txt", "python-3.11.9\n"),
        ("Procfile", "release: python migrate.py\nweb: gunicorn shop:app --bind 0.0.0.0:$PORT\n"),
        ("shop.py", "import flask\napp = flask.Flask(__name__)\n"),
    ]);
    let project = folder.detect().unwrap();
    assert_eq!(project.stacks[0].start, ["python3", "-m", "gunicorn", "shop:app", "--bind", "0.0.0.0:8080"]);
    assert!(findings(&project).contains("$PORT in the start command is fixed to 8080"), "{}", findings(&project));
    let project = folder.detect_with(&Choices { port: Some(9000), ..Choices::default() }).unwrap();
    assert_eq!(project.stacks[0].start, ["python3", "-m", "gunicorn", "shop:app", "--bind", "0.0.0.0:9000"]);
    assert_eq!((project.stacks[0].port, project.stacks[0].version.as_str()), (Some(9000), "3.11"));
}

#[test]
fn entrypoint_and_command_of_the_author_keep_their_roles() {
    let folder = Folder::with(&[
        ("requirements.txt", "gunicorn\n"),
        ("shop.py", "def app(environ, start_response): pass\n"),
        (
            "Dockerfile",
            "FROM python:3.13-slim\nWORKDIR /srv/shop\nCOPY . .\nUSER 1001:1001\nENTRYPOINT [\"tini\", \"--\", \"gunicorn\", \"-w\", \"2\"]\nCMD [\"shop:app\"]\n",
        ),
    ]);
    let dockerfile = folder.rewrite().dockerfile;
    for line in [
        r#"ENTRYPOINT ["/usr/bin/python3", "-m", "gunicorn", "-w", "2"]"#,
        r#"CMD ["shop:app"]"#,
        "USER 1001:1001",
        "WORKDIR /srv/shop",
    ] {
        assert!(dockerfile.contains(line), "{line} is not in\n{dockerfile}");
    }
}

#[test]
fn a_folder_that_the_author_flattens_is_flattened() {
    let folder = Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("src/main.py", FASTAPI),
        ("config/shop.ini", ""),
        (
            "Dockerfile",
            "FROM python:3.13\nWORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY src/ ./\nCOPY config/shop.ini /app/config/\nCMD [\"uvicorn\", \"main:app\", \"--reload\", \"--host\", \"0.0.0.0\", \"--port\", \"80\"]\n",
        ),
    ]);
    assert_snapshot!("flattened", shown(&folder.rewrite()));
}

#[test]
fn multi_stage_dockerfiles_are_heard_too() {
    let folder = Folder::with(&[
        ("requirements.txt", "flask\n"),
        ("shop.py", "import flask\napp = flask.Flask(__name__)\n"),
        (
            "Dockerfile",
            "FROM python:3.13 AS builder\nRUN apt-get update && apt-get install -y libmagic1\nCOPY requirements.txt .\nRUN pip install --prefix=/install -r requirements.txt gunicorn==23.0\n\nFROM python:3.13-slim\nWORKDIR /app\nCOPY --from=builder /install /usr/local\nCOPY . .\nCMD [\"gunicorn\", \"shop:app\", \"-b\", \"0.0.0.0:8000\"]\n",
        ),
    ]);
    let rewrite = folder.rewrite();
    assert!(rewrite.notes.is_empty(), "{:?}", rewrite.notes);
    assert!(rewrite.dockerfile.contains("-r requirements.txt gunicorn==23.0"), "{}", rewrite.dockerfile);
    assert!(rewrite.dockerfile.contains("distroless"), "{}", rewrite.dockerfile);
}

#[test]
fn a_setup_py_is_installed_as_a_package() {
    let folder = Folder::with(&[
        ("setup.py", "from setuptools import setup\nsetup(name='shop', install_requires=['requests'])\n"),
        ("shop/__init__.py", ""),
        ("shop/__main__.py", "print(1)\n"),
    ]);
    assert_snapshot!("setup_py", shown(&folder.rewrite()));
}

#[test]
fn a_script_without_dependencies_needs_no_install() {
    let folder = Folder::with(&[
        ("pyproject.toml", "[project]\nname = \"tick\"\nversion = \"1\"\n"),
        ("tick.py", "if __name__ == '__main__':\n    print('tick')\n"),
    ]);
    assert_snapshot!("script", shown(&folder.rewrite()));
}

#[test]
fn a_shell_is_kept_when_asked_for() {
    let folder = Folder::with(&[("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", FASTAPI)]);
    let project = folder.detect().unwrap();
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions { keep_shell: true }).unwrap();
    assert!(rewrite.dockerfile.contains("\nFROM docker.io/library/python:3.13-slim\n"), "{}", rewrite.dockerfile);
    assert!(rewrite.dockerfile.contains(r#"ENTRYPOINT ["/usr/local/bin/python3"]"#), "{}", rewrite.dockerfile);
}

#[test]
fn every_instruction_is_explained() {
    let folder = Folder::with(&[("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", FASTAPI)]);
    let rewrite = folder.rewrite();
    let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let lines: Vec<usize> = parsed.instructions.iter().map(|instruction| instruction.line).collect();
    let explained: Vec<usize> = rewrite.explain.iter().map(|explanation| explanation.line).collect();
    assert_eq!(lines, explained);
    let shown: Vec<String> =
        rewrite.explain.iter().map(|e| format!("{:>2} {} <- {}", e.line, e.instruction, e.why)).collect();
    assert_snapshot!("explain", shown.join("\n"));
}

#[test]
fn a_rewritten_project_is_understood_again() {
    let folder =
        Folder::with(&[("requirements.txt", "fastapi\nuvicorn\n"), ("app/__init__.py", ""), ("app/main.py", FASTAPI)]);
    let first = folder.rewrite();
    std::fs::write(folder.root().join("Dockerfile"), &first.dockerfile).unwrap();
    std::fs::write(folder.root().join(".dockerignore"), &first.dockerignore).unwrap();
    let second = folder.rewrite();
    similar_asserts(&first.dockerfile, &second.dockerfile);
    similar_asserts(&first.dockerignore, &second.dockerignore);
    assert_eq!(second.notes, first.notes);
}

fn similar_asserts(first: &str, second: &str) {
    assert!(first == second, "first:\n{first}\nsecond:\n{second}");
}
