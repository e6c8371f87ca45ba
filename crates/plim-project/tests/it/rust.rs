//! Rust projects, from folder to Dockerfile.

use insta::assert_snapshot;
use plim_project::{Choices, DetectError};

use crate::{Folder, findings, shown};

const MAIN: &str = r#"
#[tokio::main]
async fn main() {
    let app = axum::Router::new().route("/health", axum::routing::get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
"#;

const LOCK: &str = r#"version = 4

[[package]]
name = "axum"
version = "0.8.4"
source = "registry"

[[package]]
name = "shop"
version = "0.1.0"
dependencies = ["axum", "tokio"]

[[package]]
name = "tokio"
version = "1.47.0"
source = "registry"
"#;

const MANIFEST: &str = "\
[package]
name = \"shop\"
version = \"0.1.0\"
edition = \"2024\"

[dependencies]
axum = \"0.8\"
tokio = { version = \"1\", features = [\"full\"] }
";

/// A lock file in which `shop` takes in one package, which takes in the others.
fn lock(packages: &[(&str, &[&str])]) -> String {
    let package = |name: &str, dependencies: &[&str], source: &str| {
        let list: Vec<String> = dependencies.iter().map(|name| format!("\"{name}\"")).collect();
        format!("\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n{source}dependencies = [{}]\n", list.join(", "))
    };
    let names: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
    let rest = packages.iter().map(|(name, dependencies)| package(name, dependencies, "source = \"registry\"\n"));
    format!("version = 4\n{}{}", package("shop", &names, ""), rest.collect::<String>())
}

fn told(error: &DetectError) -> String {
    format!("error: {error}\nhint: {}", error.hint().unwrap_or_default())
}

/// A package of one main file that depends on one other.
fn with_dependency(name: &str, others: &[(&str, &[&str])], more: &[(&str, &str)]) -> Folder {
    let manifest = format!("[package]\nname = \"shop\"\n\n[dependencies]\n{name} = \"1\"\n");
    let lock = lock(others);
    let files = [("Cargo.toml", manifest.as_str()), ("Cargo.lock", lock.as_str()), ("src/main.rs", MAIN)];
    Folder::with(&files.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn a_single_package() {
    let folder = Folder::with(&[("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/main.rs", MAIN)]);
    assert_snapshot!("rust_single_found", findings(&folder.detect().unwrap()));
    let rewrite = folder.rewrite();
    assert_snapshot!("rust_single", shown(&rewrite));
    assert_snapshot!("rust_single_ignore", rewrite.dockerignore);
}

#[test]
fn every_instruction_is_explained() {
    let folder = with_dependency(
        "diesel",
        &[("diesel", &["pq-sys"]), ("pq-sys", &[])],
        &[
            ("Dockerfile", "FROM rust:1\nWORKDIR /app\nCOPY . .\nENV MODE=x\nCMD [\"./target/release/shop\"]\n"),
            ("static/a.css", ""),
            ("src/web.rs", "fn f() { dir(\"static\") }\n"),
        ],
    );
    let rewrite = folder.rewrite();
    let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let lines: Vec<usize> = parsed.instructions.iter().map(|instruction| instruction.line).collect();
    let explained: Vec<usize> = rewrite.explain.iter().map(|explanation| explanation.line).collect();
    assert_eq!(lines, explained);
    let shown: Vec<String> =
        rewrite.explain.iter().map(|e| format!("{:>2} {} <- {}", e.line, e.instruction, e.why)).collect();
    assert_snapshot!("rust_explain", shown.join("\n"));
}

#[test]
fn a_workspace_of_two_members() {
    let folder = Folder::with(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\ncatalogue = { path = \"crates/catalogue\" }\naxum = \"0.8\"\n[profile.release]\nstrip = true\n",
        ),
        ("Cargo.lock", LOCK),
        (
            "crates/shop-api/Cargo.toml",
            "[package]\nname = \"shop-api\"\nversion.workspace = true\n[dependencies]\ncatalogue.workspace = true\naxum = { workspace = true }\n[[bench]]\nname = \"speed\"\nharness = false\n",
        ),
        ("crates/shop-api/src/main.rs", MAIN),
        ("crates/shop-api/tests/api.rs", "#[test] fn a() {}"),
        ("crates/catalogue/Cargo.toml", "[package]\nname = \"catalogue\"\nbuild = \"make.rs\"\n"),
        ("crates/catalogue/src/lib.rs", "pub const NAMES: &str = include_str!(\"../../../docs/names.md\");"),
        ("crates/catalogue/make.rs", "fn main() {}"),
        ("docs/names.md", ""),
        ("docs/other.md", ""),
        (
            "Dockerfile",
            "FROM rust:1.90-bookworm\nWORKDIR /usr/src/shop\nCOPY . .\nRUN cargo build --release\nEXPOSE 3000\nCMD [\"./target/release/shop-api\"]\n",
        ),
    ]);
    assert_snapshot!("rust_workspace_found", findings(&folder.detect().unwrap()));
    let rewrite = folder.rewrite();
    assert_snapshot!("rust_workspace", shown(&rewrite));
    let ignore = plim_dockerfile::ignore::Patterns::parse(&rewrite.dockerignore).unwrap();
    assert!(!ignore.excludes("docs/names.md"), "{}", rewrite.dockerignore);
    assert!(ignore.excludes("docs/other.md") && ignore.excludes("crates/shop-api/tests/api.rs"));
}

#[test]
fn a_library_of_the_system_is_loaded() {
    let packages: &[(&str, &[&str])] = &[
        ("diesel", &["pq-sys"]),
        ("pq-sys", &["pkg-config"]),
        ("reqwest", &["openssl-sys"]),
        ("openssl-sys", &["pkg-config"]),
    ];
    let folder = with_dependency("diesel", packages, &[]);
    // what is not below the dependencies of the package plays no part
    assert_snapshot!("rust_dynamic_found", findings(&folder.detect().unwrap()));
    assert_snapshot!("rust_dynamic", shown(&folder.rewrite()));
}

#[test]
fn a_library_that_is_brought_along_stays_inside() {
    // crates with their features, and what they ask for
    type Case<'a> = (&'a [(&'a str, &'a [&'a str])], &'a str);
    let cases: [Case<'_>; 3] = [
        (&[("openssl", &["openssl-sys"]), ("openssl-sys", &["openssl-src"]), ("openssl-src", &["cc"])], "make perl"),
        (&[("rusqlite", &["libsqlite3-sys"]), ("libsqlite3-sys", &["cc"])], ""),
        (
            &[
                ("rustls", &["aws-lc-sys"]),
                ("aws-lc-sys", &["bindgen", "cc", "cmake"]),
                ("bindgen", &["clang-sys"]),
                ("clang-sys", &["libloading"]),
                ("libloading", &[]),
            ],
            "cmake make",
        ),
    ];
    for (packages, installed) in cases {
        let folder = with_dependency(packages[0].0, packages, &[]);
        let project = folder.detect().unwrap();
        assert_eq!(project.stacks[0].install.system.join(" "), installed, "{}", findings(&project));
        assert!(folder.rewrite().dockerfile.contains("\nFROM gcr.io/distroless/static-debian13:nonroot\n"));
    }
}

#[test]
fn what_is_loaded_at_run_time_needs_a_c_library() {
    let folder = with_dependency("libloading", &[("libloading", &[])], &[]);
    let dockerfile = folder.rewrite().dockerfile;
    assert!(dockerfile.contains("\nFROM gcr.io/distroless/cc-debian13:nonroot\n"), "{dockerfile}");
    assert!(!dockerfile.contains("crt-static"), "{dockerfile}");
    assert!(dockerfile.contains("FROM docker.io/library/rust:1-slim-trixie AS build"), "{dockerfile}");
}

#[test]
fn an_unknown_native_package_gets_the_full_image() {
    let folder = with_dependency("odd-sys", &[("odd-sys", &["pkg-config"])], &[]);
    let dockerfile = folder.rewrite().dockerfile;
    assert!(dockerfile.contains("FROM docker.io/library/rust:1-trixie AS build"), "{dockerfile}");
    assert!(dockerfile.contains("distroless/cc-debian13"), "{dockerfile}");
}

#[test]
fn without_a_lock_file_nothing_is_assumed() {
    let folder = Folder::with(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN)]);
    let dockerfile = folder.rewrite().dockerfile;
    assert!(!dockerfile.contains("--locked"), "{dockerfile}");
    assert!(dockerfile.contains("COPY Cargo.toml ./\n"), "{dockerfile}");
    assert!(dockerfile.contains("distroless/cc-debian13"), "{dockerfile}");
}

#[test]
fn files_that_the_program_reads_go_along() {
    let main = format!(
        "{MAIN}{}",
        r#"
fn files() {
    ServeDir::new("static");
    Tera::new("templates/**/*.html");
    Config::builder().add_source(File::with_name("config/default"));
    let banner = include_str!("../assets/banner.txt");
    sqlx::migrate!("migrations");
    std::fs::read("docs");
    // std::fs::read("data/notes.txt")
}
"#
    );
    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/main.rs", &main),
        ("static/app.css", ""),
        ("templates/index.html", ""),
        ("config/default.toml", ""),
        ("config/production.toml", ""),
        ("assets/banner.txt", ""),
        ("migrations/1.sql", ""),
        ("docs/a.md", ""),
        ("data/notes.txt", ""),
        (
            "Dockerfile",
            "FROM rust:1\nWORKDIR /app\nCOPY . .\nRUN cargo build --release\nCMD cargo run --release -- serve --port 3000\n",
        ),
    ]);
    assert_snapshot!("rust_files_found", findings(&folder.detect().unwrap()));
    assert_snapshot!("rust_files", shown(&folder.rewrite()));
}

#[test]
fn a_pinned_compiler_is_kept() {
    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/main.rs", MAIN),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.88.0\"\ncomponents = [\"clippy\"]\n"),
    ]);
    let rewrite = folder.rewrite();
    assert!(rewrite.dockerfile.contains("FROM docker.io/library/rust:1.88.0-slim AS build"), "{}", rewrite.dockerfile);
    assert!(rewrite.dockerignore.contains("\nrust-toolchain.toml\n"), "{}", rewrite.dockerignore);
}

#[test]
fn a_program_that_checks_itself_keeps_its_check() {
    let dockerfile = "FROM rust:1\nWORKDIR /app\nCOPY . .\nRUN cargo build --release\nHEALTHCHECK --interval=10s CMD [\"./target/release/shop\", \"health\"]\nENTRYPOINT [\"./target/release/shop\"]\nCMD [\"serve\"]\n";
    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/main.rs", MAIN),
        ("Dockerfile", dockerfile),
    ]);
    let new = folder.rewrite().dockerfile;
    assert!(new.contains("HEALTHCHECK --interval=10s CMD [\"/usr/local/bin/shop\", \"health\"]\n"), "{new}");
    assert!(new.contains("ENTRYPOINT [\"/usr/local/bin/shop\"]\nCMD [\"serve\"]\n"), "{new}");

    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/main.rs", MAIN),
        (
            "Dockerfile",
            &dockerfile.replace("[\"./target/release/shop\", \"health\"]", "curl -f http://localhost:3000/health"),
        ),
    ]);
    let rewrite = folder.rewrite();
    assert!(!rewrite.dockerfile.contains("HEALTHCHECK"), "{}", rewrite.dockerfile);
    assert!(rewrite.notes.iter().any(|note| note.contains("health check in line 5")), "{:?}", rewrite.notes);
}

#[test]
fn patched_and_vendored_dependencies_come_before_the_others() {
    let manifest = format!("{MANIFEST}\n[patch.crates-io]\naxum = {{ path = \"forks/axum\" }}\n");
    let folder = Folder::with(&[
        ("Cargo.toml", &manifest),
        ("Cargo.lock", LOCK),
        ("src/main.rs", MAIN),
        ("forks/axum/Cargo.toml", "[package]\nname = \"axum\"\n"),
        ("forks/axum/src/lib.rs", ""),
        (
            ".cargo/config.toml",
            "[build]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n[source.crates-io]\nreplace-with = \"vendored-sources\"\n[source.vendored-sources]\ndirectory = \"vendor\"\n",
        ),
        ("vendor/tokio/Cargo.toml", "[package]\nname = \"tokio\"\n"),
    ]);
    assert_snapshot!("rust_vendored", shown(&folder.rewrite()));
}

#[test]
fn rocket_listens_everywhere() {
    let folder = with_dependency("rocket", &[("rocket", &[])], &[]);
    std::fs::write(folder.root().join("src/main.rs"), "#[get(\"/ping\")] fn ping() {}\n").unwrap();
    let project = folder.detect().unwrap();
    assert_eq!((project.stacks[0].port, project.stacks[0].health.as_deref()), (Some(8000), Some("/ping")));
    assert!(folder.rewrite().dockerfile.contains("\nENV ROCKET_ADDRESS=0.0.0.0\n"));
}

#[test]
fn two_binaries() {
    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/bin/worker.rs", "fn main() {}"),
        ("src/bin/server/main.rs", MAIN),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the binary is ambiguous: server (src/bin/server/main.rs), worker (src/bin/worker.rs)
    hint: choose with `--start`, or with `[project] start` in plim.toml
    ");
    let start = ["server", "--port", "9000"].map(ToOwned::to_owned).to_vec();
    let project = folder.detect_with(&Choices { start: Some(start), ..Choices::default() }).unwrap();
    assert_eq!(project.stacks[0].start, ["/usr/local/bin/server", "--port", "9000"]);
    assert_eq!(project.stacks[0].port, Some(9000));

    let default = MANIFEST.replace("edition", "default-run = \"server\"\nedition");
    std::fs::write(folder.root().join("Cargo.toml"), default).unwrap();
    assert_eq!(folder.detect().unwrap().stacks[0].start, ["/usr/local/bin/server"]);
}

#[test]
fn helpers_of_the_workspace_are_no_program() {
    let folder = Folder::with(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"shop\", \"xtask\"]\n"),
        ("shop/Cargo.toml", MANIFEST),
        ("shop/src/main.rs", MAIN),
        ("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"),
        ("xtask/src/main.rs", "fn main() {}"),
        ("Cargo.lock", LOCK),
    ]);
    assert_eq!(folder.detect().unwrap().stacks[0].start, ["/usr/local/bin/shop"]);
}

#[test]
fn no_binary() {
    let folder = Folder::with(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "")]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: Cargo.toml builds no program: shop is a library
    hint: give the folder of the program, for example with `--project examples/server`
    ");
    let folder = Folder::with(&[("Cargo.toml", MANIFEST)]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: Cargo.toml builds no program: there is no src/main.rs, no src/bin and no [[bin]]
    hint: give the folder of the program, for example with `--project examples/server`
    ");
}

#[test]
fn a_start_that_is_not_built() {
    let folder = Folder::with(&[
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", MAIN),
        ("Dockerfile", "FROM rust\nCOPY . .\nENTRYPOINT [\"./serve\"]\n"),
    ]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: the start command `./serve` (Dockerfile:3) runs `./serve`, which the project does not build
    hint: the project builds shop: say which one starts, and with which arguments, with `--start 'shop …'` or with `[project] start = …` in plim.toml
    ");
}

#[test]
fn what_is_outside_of_the_folder_is_named() {
    let outside = MANIFEST.replace("axum = \"0.8\"", "axum = { path = \"../axum\" }");
    let folder = Folder::with(&[("Cargo.toml", &outside), ("src/main.rs", MAIN)]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: Cargo.toml:7: the dependency axum is in ../axum, outside of the project folder
    hint: a build sees only the project folder: run plim in the folder that holds both, or take the dependency from a registry or from git
    ");
    let inherits = MANIFEST.replace("axum = \"0.8\"", "axum = { workspace = true }");
    let folder = Folder::with(&[("Cargo.toml", &inherits), ("src/main.rs", MAIN)]);
    assert_snapshot!(told(&folder.detect().unwrap_err()), @r"
    error: Cargo.toml:7: its workspace is outside of the project folder
    hint: run plim in the folder of the workspace and choose the binary with `--start NAME`
    ");
    let folder = Folder::with(&[
        ("../Cargo.toml", "[workspace]\nmembers = [\"sh*\"]\n"),
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", MAIN),
    ]);
    let error = folder.detect().unwrap_err().to_string();
    assert!(error.starts_with("Cargo.toml:1: it is a member of the workspace in "), "{error}");
    let folder = Folder::with(&[("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n")]);
    assert_eq!(folder.detect().unwrap_err().to_string(), "Cargo.toml:2: there is no Cargo.toml in a");
}

#[test]
fn a_rewritten_project_is_understood_again() {
    let folder = Folder::with(&[("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/main.rs", MAIN)]);
    let first = folder.rewrite();
    std::fs::write(folder.root().join("Dockerfile"), &first.dockerfile).unwrap();
    std::fs::write(folder.root().join(".dockerignore"), &first.dockerignore).unwrap();
    let second = folder.rewrite();
    assert_eq!(first.dockerfile, second.dockerfile);
    assert_eq!(first.dockerignore, second.dockerignore);
}
