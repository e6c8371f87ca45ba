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
