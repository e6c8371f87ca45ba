//! The `.dockerignore`: what must not get into a build, without hiding anything that the build needs.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::{Kind, Source};

use crate::project::{Project, StackKind, StackProfile};

/// Patterns with one purpose.
struct Group {
    purpose: &'static str,
    patterns: &'static [&'static str],
}

const COMMON: &[Group] = &[
    Group {
        purpose: "version control and what belongs to it",
        patterns: &[
            ".git",
            ".gitignore",
            ".gitattributes",
            ".gitmodules",
            ".github",
            ".gitlab",
            ".gitlab-ci.yml",
            ".circleci",
            ".hg",
            ".svn",
        ],
    },
    Group {
        purpose: "environments and keys: give them to the running program, not to the build",
        patterns: &[
            "**/.env",
            "**/.env.*",
            "**/*.key",
            "**/*.pem",
            "**/*.p12",
            "**/*.pfx",
            "**/id_rsa*",
            "**/id_ed25519*",
            "**/.netrc",
            "**/.npmrc",
            "**/.pypirc",
            ".aws",
            ".ssh",
            ".kube",
        ],
    },
    Group {
        purpose: "editors and systems",
        patterns: &[".idea", ".vscode", ".devcontainer", ".editorconfig", "**/*.swp", "**/*~", "**/.DS_Store"],
    },
    Group {
        purpose: "the recipe itself",
        patterns: &[
            "**/Dockerfile*",
            "**/Containerfile*",
            ".dockerignore",
            "**/*.dockerignore",
            "docker-compose*.y*ml",
            "compose*.y*ml",
            "plim.toml",
        ],
    },
    Group {
        purpose: "tests, documentation, notes",
        patterns: &["tests", "test", "docs", "doc", "examples", "benchmarks", "*.md", "*.rst"],
    },
    Group { purpose: "local data", patterns: &["**/*.log", "**/*.sqlite3", "tmp", "logs"] },
];

const PYTHON: &[Group] = &[Group {
    purpose: "caches, virtual environments and builds of Python",
    patterns: &[
        "**/__pycache__",
        "**/*.py[cod]",
        ".venv",
        "venv",
        "env",
        ".tox",
        ".nox",
        "**/.pytest_cache",
        "**/.mypy_cache",
        "**/.ruff_cache",
        "**/.ipynb_checkpoints",
        ".coverage*",
        "htmlcov",
        "build",
        "dist",
        "**/*.egg-info",
        ".pre-commit-config.yaml",
    ],
}];

const NODE: &[Group] = &[Group {
    purpose: "installed packages, builds, caches and tests of Node.js",
    patterns: &[
        "**/node_modules",
        "**/.npm",
        "**/*.tsbuildinfo",
        ".yarn/cache",
        ".yarn/unplugged",
        ".yarn/install-state.gz",
        ".pnp.*",
        ".pnpm-store",
        "dist",
        "build",
        ".next",
        ".nuxt",
        ".output",
        ".turbo",
        ".cache",
        "coverage",
        ".nyc_output",
        "**/__tests__",
        "**/*.test.js",
        "**/*.test.ts",
        "**/*.spec.js",
        "**/*.spec.ts",
        ".eslintrc*",
        ".prettierrc*",
        ".husky",
        ".nvmrc",
        "npm-debug.log*",
        "yarn-error.log",
    ],
}];
const RUST: &[Group] = &[
    Group {
        purpose: "what cargo makes, and what only developers need",
        patterns: &[
            "**/target",
            "**/*.rs.bk",
            "**/*.profraw",
            "**/*.pdb",
            "lcov.info",
            ".rustfmt.toml",
            "rustfmt.toml",
            "clippy.toml",
            ".clippy.toml",
            "deny.toml",
            "Cross.toml",
            "release.toml",
            "cliff.toml",
        ],
    },
    Group {
        purpose: "the image has its compiler; with these files rustup would fetch another one",
        patterns: &["rust-toolchain", "rust-toolchain.toml"],
    },
];

/// Writes the file: the author's lines first, then ours as far as they hide nothing that the Dockerfile copies, then
/// exceptions for what is hidden all the same.
pub(super) fn write(project: &Project, profile: &StackProfile, dockerfile: &str) -> String {
    let author = project.dockerignore.as_deref().unwrap_or_default().trim_end();
    let needed = sources(dockerfile);
    let mut out = String::new();
    if !author.is_empty() {
        out.push_str(author);
        out.push('\n');
    }
    let known: Vec<&str> = author.lines().map(|line| line.trim().trim_end_matches('/')).collect();
    let groups = COMMON.iter().chain(match profile.kind {
        StackKind::Python => PYTHON,
        StackKind::Node => NODE,
        StackKind::Rust => RUST,
        _ => &[],
    });
    let mut ours: Vec<String> = Vec::new();
    for group in groups {
        let lines: Vec<String> = group
            .patterns
            .iter()
            // with public certificates about, the private keys are named one by one
            .filter(|pattern| **pattern != "**/*.pem" || project.certificates.is_empty())
            .flat_map(|pattern| seen(pattern, &project.below))
            .chain(named(project, profile, group))
            .filter(|pattern| !known.contains(&pattern.as_str()) && !hides(pattern, &needed))
            .collect();
        if lines.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str("# ");
        out.push_str(group.purpose);
        out.push('\n');
        for line in lines {
            out.push_str(&line);
            out.push('\n');
            ours.push(line);
        }
    }
    let mut exceptions: Vec<String> = Vec::new();
    // exceptions that the author made from what we exclude
    let excluded = Patterns::new(&ours).ok();
    for line in author.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix('!')
            && !path.contains(['*', '?', '['])
            && excluded.as_ref().is_some_and(|patterns| patterns.excludes(path.trim_matches('/')))
        {
            exceptions.push(line.to_owned());
        }
    }
    if let Ok(patterns) = Patterns::parse(&out) {
        let inputs = profile.build_inputs.iter().map(|input| input.path.clone());
        let needed: Vec<Utf8PathBuf> = needed.iter().cloned().chain(inputs).collect();
        exceptions.extend(needed.iter().filter(|path| patterns.excludes(path.as_str())).map(|path| format!("!{path}")));
    }
    exceptions.dedup();
    if !exceptions.is_empty() {
        out.push_str("\n# needed by the build all the same\n");
        for line in exceptions {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// A pattern as it is, and for the project's folder below the context.
fn seen(pattern: &str, below: &Utf8Path) -> Vec<String> {
    let mut all = vec![pattern.to_owned()];
    if !below.as_str().is_empty() && !pattern.starts_with("**/") && !pattern.starts_with(".git") {
        all.push(format!("{}/{pattern}", escape(below.as_str())));
    }
    all
}

/// Paths of this project that belong to a group.
fn named(project: &Project, profile: &StackProfile, group: &Group) -> Vec<String> {
    let paths: &[Utf8PathBuf] = match group.patterns.first() {
        Some(&"**/.env") => &project.private_keys,
        Some(&"tests") => &profile.left_out,
        _ => &[],
    };
    let generic = Patterns::new(group.patterns).ok();
    let listed = |path: &Utf8Path| {
        let by_pem = path.extension() == Some("pem") && !project.certificates.is_empty();
        !by_pem && generic.as_ref().is_some_and(|patterns| patterns.excludes(path.as_str()))
    };
    // what lies beside the project in the context has patterns of its own
    let own = paths.iter().filter(|path| !listed(path) && !path.starts_with(".."));
    own.map(|path| escape(project.below.join(path).as_str())).collect()
}

/// Writes a path as a pattern that matches only it.
fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars().filter(|c| !c.is_control()) {
        if matches!(character, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Whether a pattern of ours alone would hide something that is copied.
fn hides(pattern: &str, needed: &[Utf8PathBuf]) -> bool {
    Patterns::new([pattern]).is_ok_and(|patterns| needed.iter().any(|path| patterns.excludes(path.as_str())))
}

/// Returns what a Dockerfile copies from the build context.
fn sources(dockerfile: &str) -> Vec<Utf8PathBuf> {
    let parsed = plim_dockerfile::parse(dockerfile);
    let mut paths = Vec::new();
    for instruction in &parsed.instructions {
        if let Kind::Copy(copy) = &instruction.kind
            && copy.from.is_none()
        {
            for source in &copy.sources {
                if let Source::Path(path) = source {
                    paths.push(path.value.trim_start_matches("./").trim_end_matches('/').into());
                }
            }
        }
    }
    paths
}
