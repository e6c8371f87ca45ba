//! What the author's commands tell, with commands built by hand.

use camino::Utf8Path;

use super::profile;
use crate::error::DetectError;
use crate::evidence::{CopyFrom, Declared, Evidence, RunCommand, Told};
use crate::folder::Folder;
use crate::project::{Choices, StackProfile};

const MANIFEST: &str = "[package]\nname = \"shop\"\n[features]\ntls = [\"dep:openssl\"]\n[dependencies]\naxum = \"0.8\"\nopenssl = { version = \"1\", optional = true }\n";

const LOCK: &str = "\
[[package]]
name = \"axum\"
version = \"1.0.0\"
source = \"registry\"

[[package]]
name = \"openssl\"
version = \"1.0.0\"
source = \"registry\"
dependencies = [\"openssl-sys\"]

[[package]]
name = \"openssl-sys\"
version = \"1.0.0\"
source = \"registry\"
dependencies = [\"cc\", \"pkg-config\"]
";

/// A project folder with an author's Dockerfile.
struct Project {
    dir: tempfile::TempDir,
    declared: Declared,
}

impl Project {
    fn with(dockerfile: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let base = [("Cargo.lock", LOCK), ("Dockerfile", dockerfile)];
        for (path, content) in base.iter().chain(files) {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let mut declared = Evidence::read(dockerfile).declared;
        declared.commands.clear();
        declared.copies_from.clear();
        Self { dir, declared }
    }

    /// A command of a stage, run in /src.
    fn run(mut self, stage: usize, in_image: bool, line: usize, text: &str) -> Self {
        let plain = crate::command::plain(text, &|_| None).unwrap();
        self.declared.commands.push(RunCommand {
            stage,
            in_image,
            line,
            cwd: "/src".to_owned(),
            env: plain.env,
            words: plain.words,
            ..RunCommand::default()
        });
        self
    }

    fn copy_from(mut self, line: usize, source: &str, dest: &str) -> Self {
        let value = CopyFrom {
            from: "build".to_owned(),
            stage: Some(0),
            sources: vec![source.to_owned()],
            dest: dest.to_owned(),
            chown: None,
            into: 1,
            in_image: true,
        };
        self.declared.copies_from.push(Told { value, line });
        self
    }

    fn profile(&self) -> Result<StackProfile, DetectError> {
        let folder = Folder::read(Utf8Path::from_path(self.dir.path()).unwrap())?;
        profile(&folder, &self.declared, Utf8Path::new("Dockerfile"), None, &Choices::default())
    }
}

fn command(profile: &StackProfile) -> &str {
    let command = &profile.build[0].command;
    command.lines().find(|line| line.contains("cargo build")).unwrap().trim()
}

const TWO_STAGES: &str = "FROM rust:1.90 AS build\nWORKDIR /src\nCOPY . .\nRUN …\nFROM debian:bookworm-slim\n";

#[test]
fn features_and_profile_are_those_of_the_author() {
    let project = Project::with(TWO_STAGES, &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() {}")])
        .run(0, false, 4, "cargo build --profile dist --features tls --no-default-features")
        .copy_from(6, "/src/target/dist/shop", "/usr/local/bin/server");
    let profile = project.profile().unwrap();
    assert_eq!(
        command(&profile),
        "cargo build --profile dist --locked --bin shop --no-default-features --features tls --target \"$(sed -n 's/^host: //p' /tmp/rustc)\" && \\"
    );
    assert!(profile.build[0].command.ends_with("install -D target/*/dist/shop /out/usr/local/bin/server"));
    assert_eq!(profile.start, ["/usr/local/bin/server"]);
    assert_eq!(profile.version, "1.90");
    assert_eq!(profile.workdir, "/");
    // only the feature brings OpenSSL in
    assert_eq!(profile.install.system, ["libssl-dev", "pkg-config"]);
    assert!(!super::is_static(&profile));
    let plain = Project::with(TWO_STAGES, &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() {}")])
        .run(0, false, 4, "cargo build --release")
        .profile()
        .unwrap();
    assert!(super::is_static(&plain) && plain.install.system.is_empty());
}

#[test]
fn a_build_without_optimisation_gets_it() {
    let project = Project::with(TWO_STAGES, &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() {}")]).run(
        0,
        false,
        4,
        "cargo build",
    );
    let profile = project.profile().unwrap();
    assert!(command(&profile).starts_with("cargo build --release --locked"), "{}", command(&profile));
    assert!(profile.found.iter().any(|finding| finding.what.contains("no place for a debug build")));
}

#[test]
fn the_binary_is_the_one_that_the_image_gets() {
    let files = [
        ("Cargo.toml", MANIFEST),
        ("src/bin/server.rs", "fn main() {}"),
        ("src/bin/worker.rs", "fn main() {}"),
        ("src/bin/seed.rs", "fn main() {}"),
    ];
    // by its place in the last stage, through a copy in the stage of the build
    let project = Project::with(TWO_STAGES, &files)
        .run(0, false, 4, "cargo build --release")
        .run(0, false, 4, "cp target/release/worker /worker")
        .copy_from(6, "/worker", "/app/");
    let profile = project.profile().unwrap();
    assert_eq!(profile.start, ["/app/worker"]);
    // by the command that builds it
    let project = Project::with(TWO_STAGES, &files).run(0, false, 4, "cargo build -r --bin seed");
    assert_eq!(project.profile().unwrap().start, ["/usr/local/bin/seed"]);
    // by the start command, and a second one beside it
    let dockerfile = format!("{TWO_STAGES}CMD [\"server\", \"--threads\", \"2\"]\n");
    let project = Project::with(&dockerfile, &files)
        .run(0, false, 4, "cargo build --release --bins")
        .copy_from(6, "/src/target/release/server", "/usr/local/bin/")
        .copy_from(7, "/src/target/release/worker", "/usr/local/bin/worker");
    let profile = project.profile().unwrap();
    assert_eq!(profile.start, ["/usr/local/bin/server", "--threads", "2"]);
    assert!(command(&profile).contains("--bin server --bin worker"), "{}", command(&profile));
    // and without any of it, nobody knows
    let error = Project::with(TWO_STAGES, &files).run(0, false, 4, "cargo build --release").profile().unwrap_err();
    assert!(matches!(error, DetectError::Ambiguous { flag: "--start", .. }), "{error}");
}

#[test]
fn installed_binaries_are_found() {
    let project = Project::with(TWO_STAGES, &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() {}")])
        .run(0, false, 4, "cargo install --path . --locked")
        .copy_from(6, "/usr/local/cargo/bin/shop", "/bin/shop");
    let profile = project.profile().unwrap();
    // /bin is a link in the image, which a folder cannot be copied over
    assert_eq!(profile.start, ["/usr/bin/shop"]);
}

#[test]
fn files_beside_the_binary_keep_their_places() {
    let files = [
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", "fn main() { read(\"unused.txt\") }"),
        ("static/a.css", ""),
        ("config/app.toml", ""),
        ("unused.txt", ""),
    ];
    let dockerfile = format!("{TWO_STAGES}WORKDIR /srv\nCOPY config/app.toml /etc/shop/\n");
    let project = Project::with(&dockerfile, &files)
        .run(0, false, 4, "cargo build --release")
        .copy_from(8, "/src/target/release/shop", "/srv/")
        .copy_from(9, "/src/static", "/srv/static");
    let profile = project.profile().unwrap();
    let shown: Vec<String> = profile.artifacts.iter().map(|a| format!("{} -> {}", a.path, a.dest)).collect();
    assert_eq!(shown, ["config/app.toml -> /etc/shop/app.toml", "static -> static"]);
}

#[test]
fn variables_of_the_build_stay_in_the_build() {
    let dockerfile = "FROM rust:1 AS build\nARG GIT_SHA=unknown\nENV SQLX_OFFLINE=true RUSTFLAGS=\"-C target-cpu=x86-64-v2\"\nWORKDIR /src\nFROM debian\n";
    let main = "fn main() { println!(\"{}\", env!(\"GIT_SHA\")) }";
    let project = Project::with(dockerfile, &[("Cargo.toml", MANIFEST), ("src/main.rs", main)]).run(
        0,
        false,
        4,
        "cargo build --release --target x86_64-unknown-linux-musl",
    );
    let profile = project.profile().unwrap();
    let env: Vec<String> = profile.install.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env,
        [
            "RUSTFLAGS=-C target-cpu=x86-64-v2 -C target-feature=+crt-static",
            "CARGO_PROFILE_RELEASE_STRIP=true",
            "SQLX_OFFLINE=true"
        ]
    );
    assert_eq!(profile.install.args, [("GIT_SHA".to_owned(), "unknown".to_owned())]);
    assert!(profile.env.is_empty());
}

#[test]
fn packages_go_to_the_stage_that_needs_them() {
    let dockerfile = "FROM rust:1 AS build\nWORKDIR /src\nFROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y libssl3 ffmpeg ca-certificates\n";
    let mut project = Project::with(dockerfile, &[("Cargo.toml", MANIFEST), ("src/main.rs", "fn main() {}")]).run(
        0,
        false,
        2,
        "cargo build --release",
    );
    for name in ["libssl-dev", "pkg-config", "cmake", "curl"] {
        let package = crate::evidence::SystemPackage { name: name.to_owned(), for_build: true, line: 2 };
        project.declared.packages.push(package);
    }
    let profile = project.profile().unwrap();
    // nothing links with OpenSSL; the program starts ffmpeg, for which the image needs a C library
    assert_eq!(profile.install.system, ["cmake"]);
    assert_eq!(profile.system, ["ffmpeg"]);
    assert!(!super::is_static(&profile));
}

#[test]
fn what_a_feature_brings_along_counts_when_it_is_on() {
    let lock = LOCK.replace("[\"cc\", \"pkg-config\"]", "[\"openssl-src\", \"pkg-config\"]");
    let manifest =
        "[package]\nname = \"shop\"\n[features]\nown-tls = [\"openssl/vendored\"]\n[dependencies]\nopenssl = \"1\"\n";
    let files = [("Cargo.toml", manifest), ("Cargo.lock", lock.as_str()), ("src/main.rs", "fn main() {}")];
    let off = Project::with(TWO_STAGES, &files).run(0, false, 4, "cargo build --release").profile().unwrap();
    assert!(!super::is_static(&off));
    assert_eq!(off.install.system, ["libssl-dev", "pkg-config"]);
    let on = Project::with(TWO_STAGES, &files).run(0, false, 4, "cargo build --release -F own-tls").profile().unwrap();
    assert!(super::is_static(&on));
    assert_eq!(on.install.system, ["make", "perl"]);
}
