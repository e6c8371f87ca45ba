//! Dockerfiles of strangers, as far as they are there: nothing panics, and hardly a command is without a purpose.

use std::collections::BTreeMap;
use std::io::Read;

use camino::Utf8Path;
use plim_project::{Evidence, Purpose};

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
#[expect(clippy::print_stdout, reason = "the share is worth knowing")]
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
