//! Node.js: the `package.json` of installed packages (docs.npmjs.com, "package.json").

use std::collections::BTreeSet;

use bstr::{BStr, ByteSlice};
use plim_oci::EntryHead;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Collector, Want};
use crate::facts::{NpmRecord, PackageFact, PackageRecord};
use crate::{LayerIndex, paths};

/// The largest `package.json` that is read, in bytes; real ones have some thousand.
const MAX_SIZE: u64 = 1024 * 1024;

/// How many dependencies and licences are kept of one package.
const MAX_LISTED: usize = 10_000;

/// Reads `package.json` files. Which of them are packages depends on links too, which the fold knows.
pub(super) struct Npm;

impl Collector for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        let named = head.path.strip_suffix(b"package.json").is_some_and(|dir| dir.ends_with(b"/"));
        if named && head.size <= MAX_SIZE { Want::Whole } else { Want::Nothing }
    }

    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        let directory = paths::split(head.path.as_bstr()).0;
        let record = record(content, directory).map(|record| PackageRecord::Npm(Box::new(record)));
        index.packages.extend(record.map(|record| PackageFact { entry, record }));
    }
}

/// Says whether a directory is one in which npm looks for an installed package: `node_modules/NAME` or
/// `node_modules/@SCOPE/NAME`, one in the other as often as need be. A `node_modules` elsewhere in a package, below its
/// tests for example, is data. pnpm keeps the packages themselves below `node_modules/.pnpm/ID`, Yarn below `.store/ID`.
pub(crate) fn is_place(directory: &BStr) -> bool {
    let mut parts = directory.split_str("/").skip_while(|part| *part != b"node_modules");
    if parts.next().is_none() {
        return false;
    }
    loop {
        let name = match parts.next() {
            Some(scope) if scope.starts_with(b"@") => parts.next(),
            Some(b".pnpm") => {
                // an id and another node_modules
                if parts.next().is_none() || parts.next() != Some(b"node_modules") {
                    return false;
                }
                continue;
            }
            Some(b".store") => match (parts.next(), parts.next()) {
                (Some(_), Some(b"package")) => Some(&b"package"[..]),
                (Some(_), Some(b"node_modules")) => continue,
                _ => return false,
            },
            other => other,
        };
        if name.is_none_or(|name| name.is_empty() || name.starts_with(b".")) {
            return false;
        }
        match parts.next() {
            None => return true,
            Some(b"node_modules") => {}
            Some(_) => return false,
        }
    }
}

/// The fields that matter, whatever is in them.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Manifest {
    name: Value,
    version: Value,
    description: Value,
    homepage: Value,
    author: Value,
    license: Value,
    licenses: Value,
    dependencies: Value,
    optional_dependencies: Value,
}

/// Reads a `package.json`. Outside of `node_modules`, what has no name and version is no package but a note to Node.js
/// on how to read the directory.
fn record(content: &[u8], directory: &BStr) -> Option<NpmRecord> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    // serde would take a list of the fields' values too
    if !content.trim_start().starts_with(b"{") {
        return None;
    }
    // serde takes a field twice for an error, JavaScript takes the last
    let manifest: Manifest = serde_json::from_slice(content)
        .or_else(|_| {
            serde_json::from_slice::<Map<String, Value>>(content)
                .and_then(|map| Manifest::deserialize(Value::Object(map)))
        })
        .ok()?;
    let place = is_place(directory);
    let name = match text(&manifest.name) {
        Some(name) => name,
        None if place => directory_name(directory),
        None => return None,
    };
    let version = text(&manifest.version);
    if version.is_none() && !place {
        return None;
    }
    let ranges = [&manifest.dependencies, &manifest.optional_dependencies].into_iter().filter_map(Value::as_object);
    let dependencies: BTreeSet<String> = ranges
        .flatten()
        .take(MAX_LISTED)
        .map(|(name, range)| format!("{name} {}", range.as_str().unwrap_or_default()).trim_end().to_owned())
        .collect();
    Some(NpmRecord {
        name,
        version: version.unwrap_or_default(),
        summary: text(&manifest.description),
        homepage: text(&manifest.homepage),
        author: text(&manifest.author).or_else(|| text(&manifest.author["name"])),
        licenses: licenses(&manifest),
        dependencies: dependencies.into_iter().collect(),
    })
}

/// Returns the names of licences: a text, or an object with a `type`, or a list of either.
fn licenses(manifest: &Manifest) -> Vec<String> {
    let one = |value: &Value| text(value).or_else(|| text(&value["type"]));
    let many = |value: &Value| match value {
        Value::Array(values) => values.iter().take(MAX_LISTED).filter_map(one).collect(),
        other => one(other).into_iter().collect::<Vec<String>>(),
    };
    let found = many(&manifest.license);
    if found.is_empty() { many(&manifest.licenses) } else { found }
}

/// Returns a value that is a text with something in it.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Returns the name that a directory gives its package, the scope included.
fn directory_name(directory: &BStr) -> String {
    let (parent, name) = paths::split(directory);
    let scope = paths::name(parent);
    if scope.starts_with(b"@") { format!("{scope}/{name}") } else { name.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> bool {
        is_place(path.as_bytes().as_bstr())
    }

    #[test]
    fn packages_are_where_npm_looks_for_them() {
        for path in [
            "node_modules/a",
            "app/node_modules/@s/a",
            "usr/lib/node_modules/npm/node_modules/b",
            "app/node_modules/@s/a/node_modules/@t/b",
            "app/node_modules/.pnpm/a@1.0.0/node_modules/a",
            "app/node_modules/.store/a-npm-1.0.0-abc/package",
            "app/packages/x/node_modules/a",
        ] {
            assert!(place(path), "{path}");
        }
        for path in [
            "",
            "app",
            "node_modules",
            "app/node_modules/@s",
            "app/node_modules/a/lib",
            "app/node_modules/a/test/node_modules/b",
            "app/node_modules/.cache/a",
            "app/node_modules/.bin",
            "app/node_modules/.pnpm/a@1.0.0",
            "app/node_modules//a",
        ] {
            assert!(!place(path), "{path}");
        }
    }

    #[test]
    fn fields_are_taken_in_all_their_shapes() {
        let read = |text: &str| record(text.as_bytes(), b"x/node_modules/@s/d".as_bstr());
        let found = read(
            "\u{feff}{\"name\":\"a\",\"version\":\"1.2.3\",\"license\":{\"type\":\"MIT\"},\"author\":{\"name\":\"A\"},\
             \"dependencies\":{\"b\":\"^1 || ^2\",\"c\":7},\"optionalDependencies\":{\"d\":\"*\"},\"scripts\":{\"x\":[1]}}",
        )
        .unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str(), found.author.as_deref()), ("a", "1.2.3", Some("A")));
        assert_eq!(found.licenses, ["MIT"]);
        assert_eq!(found.dependencies, ["b ^1 || ^2", "c", "d *"]);
        let old =
            read(r#"{"licenses":[{"type":"MIT"},"ISC",3],"name":1,"version":"1","version":"2","author":"B <b@x>"}"#);
        let old = old.unwrap();
        assert_eq!((old.name.as_str(), old.version.as_str()), ("@s/d", "2"));
        assert_eq!(old.licenses, ["MIT", "ISC"]);
        for bad in ["", "[]", "3", "{", &"[".repeat(100_000)] {
            assert_eq!(read(bad), None);
        }
    }

    #[test]
    fn elsewhere_only_what_has_a_name_and_a_version_counts() {
        let read = |text: &str| record(text.as_bytes(), b"app/esm".as_bstr()).is_some();
        assert!(!read(r#"{"type":"module"}"#));
        assert!(!read(r#"{"name":"x"}"#));
        assert!(read(r#"{"name":"x","version":"0"}"#));
    }
}
