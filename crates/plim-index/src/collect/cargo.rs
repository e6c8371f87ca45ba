//! Rust programs: the crates that they were built from, as `cargo auditable` writes them into the section `.dep-v0`
//! (<https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>): JSON, compressed with zlib.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use crate::facts::CargoRecord;

/// The section.
pub(super) const SECTION: &[u8] = b".dep-v0";

/// The largest section that is read, in bytes; real ones have some thousand.
pub(super) const MAX_SECTION: u64 = 1024 * 1024;

/// The largest list that is inflated, in bytes.
const MAX_LIST: u64 = 4 * 1024 * 1024;

/// How many crates and how many dependencies in all are kept of one program.
const MAX_CRATES: usize = 20_000;
const MAX_DEPENDENCIES: usize = 100_000;

/// The longest name, version or source that is believed; crates.io allows names of 64 letters.
const MAX_TEXT: usize = 256;

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dependencies: Vec<usize>,
    #[serde(default)]
    root: bool,
}

/// Reads the content of the section; nothing when it makes no sense.
pub(super) fn records(section: &[u8]) -> Vec<CargoRecord> {
    let mut text = Vec::new();
    let inflated = ZlibDecoder::new(section).take(MAX_LIST + 1).read_to_end(&mut text);
    if inflated.is_err() || text.len() as u64 > MAX_LIST {
        return Vec::new();
    }
    let Ok(List { packages }) = serde_json::from_slice(&text) else { return Vec::new() };
    let believable =
        |found: &Crate| [&found.name, &found.version, &found.source].iter().all(|text| text.len() <= MAX_TEXT);
    if packages.len() > MAX_CRATES || !packages.iter().all(believable) {
        return Vec::new();
    }
    let mut left = MAX_DEPENDENCIES;
    let mut all = Vec::with_capacity(packages.len());
    for found in &packages {
        let names = found.dependencies.iter().filter_map(|at| packages.get(*at)).map(|other| other.name.clone());
        let dependencies: Vec<String> = names.take(left).collect();
        left -= dependencies.len();
        all.push(CargoRecord {
            name: found.name.clone(),
            version: found.version.clone(),
            source: found.source.clone(),
            build: found.kind.as_deref() == Some("build"),
            root: found.root,
            dependencies,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn pack(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn crates_know_their_kind_and_what_they_need() {
        let text =
            br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","dependencies":[1,2,9],"root":true},
            {"name":"serde","version":"1.0.1","source":"crates.io"},
            {"name":"cc","version":"1.2.0","source":"crates.io","kind":"build","features":["x"]}],"format":1}"#;
        let found = records(&pack(text));
        let rows: Vec<(&str, bool, bool)> =
            found.iter().map(|record| (record.name.as_str(), record.build, record.root)).collect();
        assert_eq!(rows, [("app", false, true), ("serde", false, false), ("cc", true, false)]);
        assert_eq!(found[0].dependencies, ["serde", "cc"]);
        let packed = pack(text);
        for cut in 0..packed.len() {
            assert!(records(&packed[..cut]).is_empty());
        }
    }

    #[test]
    fn lists_without_bounds_are_left_out() {
        assert!(records(&pack(&vec![b' '; 5_000_000])).is_empty());
        let long = format!(r#"{{"packages":[{{"name":"{}","version":"1"}}]}}"#, "x".repeat(300));
        assert!(records(&pack(long.as_bytes())).is_empty());
        let zeros = vec!["0"; 300_000].join(",");
        let many = format!(r#"{{"packages":[{{"name":"x","version":"1","dependencies":[{zeros}]}}]}}"#);
        assert_eq!(records(&pack(many.as_bytes()))[0].dependencies.len(), MAX_DEPENDENCIES);
    }
}
