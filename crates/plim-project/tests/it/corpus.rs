//! Dockerfiles of strangers, as far as they are there: nothing panics, and hardly a command is without a purpose.

use std::collections::BTreeMap;
use std::io::Read;

use camino::Utf8Path;
use plim_project::{Choices, Evidence, Purpose, RewriteError, RewriteOptions, rewrite};

use crate::{FASTAPI, Folder};

/// The largest share of commands without a purpose, in percent.
const MOST_UNKNOWN: usize = 15;

#[expect(clippy::print_stdout, reason = "a skipped test must say so")]
fn files() -> Vec<String> {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lint/dev.tar.zst");
    let Ok(packed) = std::fs::read(&path) else {
        println!("skipped: {path} is not there");
        return Vec::new();
    };
    let unpacked = zstd::decode_all(packed.as_slice()).expect("the archive is whole");
    let mut files = Vec::new();
    for entry in tar::Archive::new(unpacked.as_slice()).entries().expect("the archive is whole") {
        let mut bytes = Vec::new();
        entry.and_then(|mut entry| entry.read_to_end(&mut bytes)).expect("the archive is whole");
        files.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    files
}

#[test]
fn commands_of_real_dockerfiles_have_a_purpose() {
    let files = files();
    let (mut commands, mut opaque) = (0, 0);
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        for command in Evidence::read(file).declared.commands {
            commands += 1;
            opaque += usize::from(command.opaque);
            if command.purpose() == Purpose::Unknown {
                let name = if command.opaque { "(a script)" } else { command.program() };
                *unknown.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    let count: usize = unknown.values().sum();
    let mut names: Vec<(usize, String)> = unknown.into_iter().map(|(name, count)| (count, name)).collect();
    names.sort_by(|a, b| b.cmp(a));
    println!("{commands} commands of {} files, {count} unknown, {opaque} scripts not understood", files.len());
    for (count, name) in names.iter().take(40) {
        println!("{count:>5} {name}");
    }
    assert!(count * 100 <= commands * MOST_UNKNOWN, "{count} of {commands} commands have no purpose");
}

/// Whether a file begins its stages with an image of a language.
fn begins_with(file: &str, image: &str) -> bool {
    file.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("from"))
            && words.find(|word| !word.starts_with('-')).is_some_and(|name| {
                let name = name.split([':', '@']).next().unwrap_or_default();
                name.rsplit('/').next() == Some(image)
            })
    })
}

/// Rewrites strangers' Dockerfiles around a project of the same kind, and counts how many need decisions of the user.
#[expect(clippy::print_stdout, reason = "the statistic is for readers")]
fn rewrite_all(image: &str, project: &[(&str, &str)], start: &[&str]) {
    let (mut written, mut unclear, mut refused) = (0, Vec::new(), 0);
    let mut commands = 0;
    for file in files().iter().filter(|file| begins_with(file, image)) {
        let files: Vec<(&str, &str)> = project.iter().copied().chain([("Dockerfile", file.as_str())]).collect();
        let folder = Folder::with(&files);
        // their start commands name files that are not there
        let start = start.iter().map(|word| (*word).to_owned()).collect();
        let Ok(project) = folder.detect_with(&Choices { start: Some(start), ..Choices::default() }) else {
            refused += 1;
            continue;
        };
        commands += project.evidence.facts.len();
        match rewrite(&project, &project.stacks[0], &RewriteOptions::default()) {
            Ok(rewrite) => {
                written += 1;
                let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
                assert!(parsed.errors.is_empty(), "{:?}\n{file}\n---\n{}", parsed.errors, rewrite.dockerfile);
            }
            Err(RewriteError::NotCarried { lines, .. }) => unclear.push(lines),
            Err(error) => panic!("{error}\n{file}"),
        }
    }
    let lines: usize = unclear.iter().map(Vec::len).sum();
    println!(
        "{image}: {written} written, {} with {lines} of {commands} lines that are not clear, {refused} refused",
        unclear.len()
    );
    for (line, what) in unclear.iter().flatten().take(60) {
        println!("{line:>4} {what}");
    }
    assert!(unclear.len() * 4 <= written + unclear.len() + refused, "too many files need decisions of the user");
}

#[test]
fn real_dockerfiles_of_node_projects_are_rewritten_or_refused() {
    let project = [
        (
            "package.json",
            r#"{"scripts": {"start": "node server.js", "build": "tsc"}, "dependencies": {"express": "4"}, "devDependencies": {"typescript": "5"}}"#,
        ),
        ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {}}"#),
        ("server.js", ""),
    ];
    rewrite_all("node", &project, &["node", "server.js"]);
}

#[test]
fn real_dockerfiles_of_rust_projects_are_rewritten_or_refused() {
    let project = [
        ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n"),
        ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n"),
        ("src/main.rs", "fn main() {}\n"),
    ];
    rewrite_all("rust", &project, &["shop"]);
}

#[test]
fn real_dockerfiles_of_python_projects_are_rewritten_or_refused() {
    let is_python =
        |file: &&String| file.lines().any(|line| line.starts_with("FROM python") || line.starts_with("from python"));
    let files = files();
    let (mut written, mut unclear, mut refused) = (0, Vec::new(), 0);
    for file in files.iter().filter(is_python) {
        let folder = Folder::with(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("app/__init__.py", ""),
            ("app/main.py", FASTAPI),
            ("Dockerfile", file),
        ]);
        // their start commands name files that are not there
        let start = ["uvicorn", "app.main:app"].map(ToOwned::to_owned).to_vec();
        let Ok(project) = folder.detect_with(&Choices { start: Some(start), ..Choices::default() }) else {
            refused += 1;
            continue;
        };
        match rewrite(&project, &project.stacks[0], &RewriteOptions::default()) {
            Ok(rewrite) => {
                written += 1;
                let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
                assert!(parsed.errors.is_empty(), "{:?}\n{file}\n---\n{}", parsed.errors, rewrite.dockerfile);
            }
            Err(RewriteError::NotCarried { lines, .. }) => unclear.push(lines),
            Err(error) => panic!("{error}\n{file}"),
        }
    }
    println!("{written} written, {} with lines that are not clear, {refused} refused", unclear.len());
    for (line, what) in unclear.iter().flatten().take(40) {
        println!("{line:>4} {what}");
    }
    assert!(unclear.len() <= written + refused, "most files need decisions of the user");
}
