//! With Debian's archive, where the host's apt configuration names a mirror.

use std::path::PathBuf;

use jiff::Timestamp;
use plim_debian::index::Universe;
use plim_debian::resolve::{self, Wish};
use plim_debian::{Archive, ArchiveOptions, Plan, find_mirror, recipe};
use plim_oci::http::{Client, ClientOptions};
use plim_oci::{Platform, Silent};

/// Returns the archive of the host's mirror with a cache below the target directory; nothing where there is none.
pub(crate) fn archive() -> Option<Archive> {
    let options = ArchiveOptions::new(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("debian"), Timestamp::now());
    if find_mirror(None, None, &options.apt_config_roots).is_err() {
        println!("skipped: the host's apt configuration names no Debian mirror");
        return None;
    }
    Some(Archive::new(options, Client::new(&ClientOptions::default()).unwrap()))
}

pub(crate) fn plan(archive: &Archive, name: &str) -> Plan {
    archive.plan(recipe(name).unwrap(), &Platform::new("linux", "amd64"), &Silent).unwrap()
}

#[test]
fn every_recipe_has_its_packages() {
    let Some(archive) = archive() else { return };
    for recipe in plim_debian::recipes() {
        let plan = archive.plan(recipe, &Platform::new("linux", "amd64"), &Silent).unwrap();
        assert!(plan.packages().count() >= recipe.packages.len(), "{}", recipe.name);
        let again = archive.plan(recipe, &Platform::new("linux", "amd64"), &Silent).unwrap();
        assert_eq!(plan.lock(), again.lock());
    }
}

/// Every thirtieth package of the archive, alone on a new system.
#[test]
fn answers_of_the_resolver_satisfy_all_relations() {
    let Some(archive) = archive() else { return };
    let read = archive.indexes("trixie", &Platform::new("linux", "amd64"), &Silent).unwrap();
    let universe = Universe::new(read.iter().map(|(_, index)| index));
    let mut unmet = Vec::new();
    let mut count = 0;
    for entry in read[0].1.entries().step_by(30) {
        count += 1;
        match resolve::closure(&universe, Wish { installed: &[], names: &[entry.name()], recommends: false }) {
            Ok(ids) => assert_eq!(resolve::broken(&universe, &ids), Vec::<String>::new(), "{}", entry.name()),
            Err(error) => unmet.push(error.to_string()),
        }
    }
    // a release has next to no package that cannot be installed
    assert!(count > 1000 && unmet.len() * 200 < count, "{} of {count}: {unmet:#?}", unmet.len());
}

#[test]
fn other_architectures_have_the_same_recipes() {
    let Some(archive) = archive() else { return };
    let plan = archive.plan(recipe("python").unwrap(), &Platform::new("linux", "arm64"), &Silent).unwrap();
    assert!(plan.packages().all(|package| ["arm64", "all"].contains(&package.architecture.as_str())));
}

#[test]
fn the_static_level_is_the_same_every_time() {
    let Some(archive) = archive() else { return };
    let plan = plan(&archive, "static");
    plan.fetch(&Silent).unwrap();
    let level = &plan.levels()[0];
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        level.unpack(dir.path(), &[], &Silent).unwrap();
        level.finish(dir.path()).unwrap();
        dir
    };
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let (one, two) = (make(), make());
    let shown = listing(one.path());
    assert_eq!(shown, listing(two.path()));
    for path in [
        "/bin -> usr/bin",
        "/etc/localtime -> /usr/share/zoneinfo/Etc/UTC",
        "/home/nonroot 40700 65532:65532",
        "/tmp 41777 0:0",
    ] {
        assert!(shown.lines().any(|line| line.starts_with(path)), "{path}");
    }
    for path in ["/usr/bin/sh", "/usr/share/zoneinfo/right", "/usr/share/man"] {
        assert!(!shown.lines().any(|line| line.starts_with(path)), "{path}");
    }
    let bundle = std::fs::read_to_string(one.path().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100);
}

/// Returns every path with type, permissions, owner, time, size and digest.
pub(crate) fn listing(dir: &std::path::Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir_now) = todo.pop() {
        for entry in std::fs::read_dir(&dir_now).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let mut line = format!("/{}", path.strip_prefix(dir).unwrap().display());
            if let Ok(target) = std::fs::read_link(&path) {
                let _ = write!(line, " -> {}", target.display());
            }
            let _ =
                write!(line, " {:o} {}:{} {}.{}", meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec());
            if meta.is_file() {
                let _ = write!(line, " {} {}", meta.len(), plim_oci::Digest::of(&std::fs::read(&path).unwrap()));
            }
            if meta.is_dir() {
                todo.push(path);
            }
            lines.push(line);
        }
    }
    lines.sort();
    lines.join("\n")
}
