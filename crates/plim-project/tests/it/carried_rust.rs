//! What lives on of the Dockerfile of a Rust project.

use insta::assert_snapshot;
use plim_project::{CarryChoice, Choices, RewriteError, RewriteOptions, rewrite};

use crate::Folder;
use crate::carried::settled;

const MAIN: &str = "fn main() { std::net::TcpListener::bind(\"0.0.0.0:3000\").unwrap(); }\n";

fn project(dockerfile: &str) -> Folder {
    Folder::with(&[
        ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n"),
        ("src/main.rs", MAIN),
        ("config/default.toml", "a = 1\n"),
        ("start.sh", "#!/bin/sh\nset -e\nuntil nc -z db 5432; do sleep 1; done\nexec shop \"$@\"\n"),
        ("Dockerfile", dockerfile),
    ])
}

#[test]
fn what_cargo_does_is_not_carried_over() {
    let folder = project(
        "FROM rust:1.90\nRUN rustup target add x86_64-unknown-linux-musl && apt-get update && apt-get install -y musl-tools\nRUN USER=root cargo new --bin shop\nWORKDIR /shop\nCOPY Cargo.toml Cargo.lock ./\nRUN cargo build --release && rm src/*.rs && rm -f target/release/deps/shop*\nRUN mkdir -p src && echo 'fn main() {}' > src/main.rs\nCOPY src ./src\nRUN touch src/main.rs && cargo build --release && strip target/release/shop\nRUN cp target/release/shop /usr/local/bin/shop && chmod +x /usr/local/bin/shop && setcap cap_net_bind_service=+ep /usr/local/bin/shop\nRUN useradd app && mkdir -p /data && chown app /data\nUSER app\nEXPOSE 3000\nCMD [\"shop\"]\n",
    );
    assert_snapshot!("rust_cargo", settled(&folder));
}

#[test]
fn stages_that_build_something_else_live_on() {
    let folder = project(
        "FROM node:22 AS frontend\nWORKDIR /web\nCOPY web .\nRUN npm ci && npm run build\n\nFROM rust:1.90 AS chef\nRUN cargo install cargo-chef\nWORKDIR /app\nFROM chef AS planner\nCOPY . .\nRUN cargo chef prepare --recipe-path recipe.json\nFROM chef AS builder\nCOPY --from=planner /app/recipe.json recipe.json\nRUN cargo chef cook --release --recipe-path recipe.json\nCOPY . .\nCOPY --from=frontend /web/dist ./embedded\nRUN curl -fsSL https://example.com/model.bin -o model.bin\nRUN cargo build --release\nRUN cargo install sqlx-cli\n\nFROM debian:trixie-slim\nRUN apt-get update && apt-get install -y ca-certificates && rm -rf /var/lib/apt/lists/*\nWORKDIR /srv/shop\nCOPY --from=builder /app/target/release/shop /usr/local/bin/shop\nCOPY --from=builder /app/config ./config\nCOPY --from=frontend /web/dist ./static\nCOPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\nRUN cp config/default.toml config/local.toml\nEXPOSE 3000\nENTRYPOINT [\"/usr/local/bin/shop\"]\n",
    );
    assert_snapshot!("rust_stages", settled(&folder));
}

#[test]
fn tools_of_the_builder_in_the_image_keep_their_stage() {
    let folder = project(
        "FROM rust:1.90 AS build\nWORKDIR /app\nCOPY . .\nRUN cargo install sqlx-cli && cargo build --release\n\nFROM debian:trixie-slim\nCOPY --from=build /usr/local/cargo/bin/sqlx /usr/local/bin/sqlx\nCOPY --from=build /app/target/release/shop /bin/shop\nCMD [\"/bin/shop\"]\n",
    );
    assert_snapshot!("rust_tools", settled(&folder));
}

#[test]
fn an_entry_script_keeps_its_shell() {
    let folder = project(
        "FROM rust:1.90 AS build\nWORKDIR /app\nCOPY . .\nRUN cargo build --release\n\nFROM debian:trixie-slim\nWORKDIR /srv\nCOPY --from=build /app/target/release/shop /usr/local/bin/\nCOPY start.sh .\nEXPOSE 3000\nENTRYPOINT [\"./start.sh\"]\nCMD [\"--port\", \"3000\"]\n",
    );
    assert_snapshot!("rust_script", settled(&folder));
}

#[test]
fn a_tool_that_an_entry_script_may_call_must_be_settled() {
    let folder = project(
        "FROM rust:1.90\nWORKDIR /app\nCOPY . .\nRUN cargo install diesel_cli\nRUN cargo build --release\nRUN ./target/release/shop --seed\nCMD [\"./start.sh\"]\n",
    );
    let project = folder.detect().unwrap();
    let error = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap_err();
    assert!(matches!(&error, RewriteError::NotCarried { lines, .. } if lines.len() == 2), "{error}");
    assert!(error.hint().unwrap().contains("--carry 4=drop"));
    let carry = [(4, CarryChoice::Build), (6, CarryChoice::Drop)].into();
    let project = folder.detect_with(&Choices { carry, ..Choices::default() }).unwrap();
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert!(rewrite.dockerfile.contains("RUN cargo install diesel_cli"), "{}", rewrite.dockerfile);
}
