//! What is known about Python packages by name.

/// A package that is more than portable code with wheels for every platform.
pub(super) struct NativePackage {
    pub(super) name: &'static str,
    /// There are no wheels: installing compiles.
    pub(super) compiles: bool,
    /// Debian 13 packages whose libraries it loads when it runs.
    pub(super) libraries: &'static [&'static str],
}

/// Packages without wheels for Linux, or with libraries that their wheels do not hold.
const NATIVE: &[NativePackage] = &[
    NativePackage { name: "psycopg2", compiles: true, libraries: &["libpq5"] },
    NativePackage { name: "psycopg-c", compiles: true, libraries: &["libpq5"] },
    NativePackage { name: "mysqlclient", compiles: true, libraries: &["libmariadb3"] },
    NativePackage { name: "python-ldap", compiles: true, libraries: &["libldap2"] },
    NativePackage { name: "pycairo", compiles: true, libraries: &["libcairo2"] },
    NativePackage { name: "pygobject", compiles: true, libraries: &["libgirepository-2.0-0"] },
    NativePackage { name: "uwsgi", compiles: true, libraries: &[] },
    NativePackage { name: "dbus-python", compiles: true, libraries: &["libdbus-1-3"] },
    NativePackage { name: "gssapi", compiles: true, libraries: &["libgssapi-krb5-2"] },
    NativePackage { name: "pycups", compiles: true, libraries: &["libcups2t64"] },
    NativePackage { name: "pyodbc", compiles: false, libraries: &["unixodbc"] },
    NativePackage { name: "python-magic", compiles: false, libraries: &["libmagic1t64"] },
    NativePackage { name: "weasyprint", compiles: false, libraries: &["libpango-1.0-0", "libpangoft2-1.0-0"] },
    NativePackage { name: "opencv-python", compiles: false, libraries: &["libgl1", "libglib2.0-0t64"] },
    NativePackage { name: "pytesseract", compiles: false, libraries: &["tesseract-ocr"] },
    NativePackage { name: "pdf2image", compiles: false, libraries: &["poppler-utils"] },
    NativePackage { name: "pydub", compiles: false, libraries: &["ffmpeg"] },
];

/// Packages with compiled parts whose wheels hold everything they need. Worth knowing: the image is tied to one
/// architecture.
const COMPILED_WHEELS: &[&str] = &[
    "numpy",
    "scipy",
    "pandas",
    "polars",
    "pydantic-core",
    "pydantic",
    "cryptography",
    "lxml",
    "pillow",
    "psycopg2-binary",
    "psycopg-binary",
    "grpcio",
    "torch",
    "tensorflow",
    "scikit-learn",
    "uvloop",
    "httptools",
    "orjson",
    "ujson",
    "msgpack",
    "aiohttp",
    "greenlet",
    "sqlalchemy",
    "bcrypt",
    "argon2-cffi",
    "cffi",
    "pyyaml",
    "matplotlib",
    "pyarrow",
    "shapely",
    "regex",
    "tiktoken",
    "tokenizers",
    "opencv-python-headless",
    "asyncpg",
    "psutil",
    "watchfiles",
    "websockets",
    "rpds-py",
];

/// Returns what is known about a package without portable wheels.
pub(super) fn native(name: &str) -> Option<&'static NativePackage> {
    NATIVE.iter().find(|package| package.name == name)
}

/// Whether a package has compiled parts in its wheels.
pub(super) fn is_compiled_wheel(name: &str) -> bool {
    COMPILED_WHEELS.contains(&name)
}

/// Whether a package is a tool for developers that no program needs at run time.
pub(super) fn is_dev_tool(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "ruff",
        "mypy",
        "black",
        "flake8",
        "isort",
        "pylint",
        "pyright",
        "basedpyright",
        "bandit",
        "autopep8",
        "yapf",
        "pyflakes",
        "pycodestyle",
        "pydocstyle",
        "vulture",
        "radon",
        "tox",
        "nox",
        "pre-commit",
        "coverage",
        "hypothesis",
        "factory-boy",
        "ipython",
        "ipdb",
        "pdbpp",
        "debugpy",
        "jupyter",
        "jupyterlab",
        "notebook",
        "ipykernel",
        "pip-tools",
        "twine",
        "build",
        "bump2version",
        "bumpver",
        "commitizen",
        "sphinx",
        "mkdocs",
        "mkdocs-material",
        "pdoc",
        "watchdog-gevent",
        "locust",
        "django-debug-toolbar",
        "responses",
        "vcrpy",
        "freezegun",
        "time-machine",
        "pip-audit",
        "safety",
        "deptry",
        "invoke",
        "flake8-bugbear",
        "mypy-extensions",
        "django-stubs",
        "pudb",
        "snakeviz",
        "memory-profiler",
        "line-profiler",
        "poethepoet",
    ];
    NAMES.contains(&name)
        || ["pytest", "types-", "sphinx-", "mkdocs-", "flake8-", "pylint-", "mypy-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Returns the module that `python -m` runs in place of a console script, for packages that have one.
pub(super) fn module_of_script(script: &str) -> Option<&'static str> {
    const SCRIPTS: &[(&str, &str)] = &[
        ("uvicorn", "uvicorn"),
        ("gunicorn", "gunicorn"),
        ("flask", "flask"),
        ("fastapi", "fastapi"),
        ("hypercorn", "hypercorn"),
        ("daphne", "daphne"),
        ("granian", "granian"),
        ("celery", "celery"),
        ("django-admin", "django"),
        ("waitress-serve", "waitress"),
        ("streamlit", "streamlit"),
        ("alembic", "alembic"),
        ("quart", "quart"),
        ("sanic", "sanic"),
        ("litestar", "litestar"),
        ("dramatiq", "dramatiq"),
        ("arq", "arq"),
        ("huey_consumer", "huey.bin.huey_consumer"),
        ("chainlit", "chainlit"),
        ("mlflow", "mlflow"),
        ("scrapy", "scrapy"),
        ("robot", "robot"),
    ];
    SCRIPTS.iter().find(|(name, _)| *name == script).map(|(_, module)| *module)
}

/// Normalises a package name: PEP 503, "Normalized Names".
pub(super) fn normalize(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            other => out.extend(other.to_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        assert_eq!(normalize("Foo.-_Bar"), "foo-bar");
    }

    #[test]
    fn developer_tools_are_known_by_name_and_family() {
        assert!(is_dev_tool("pytest-asyncio") && is_dev_tool("ruff") && is_dev_tool("types-requests"));
        assert!(!is_dev_tool("httpx"));
    }
}
