//! Packages of operating systems: Debian's, Alpine's and those of RPM.

use std::borrow::Cow;

use crate::facts::{ApkRecord, DebRecord, PackageRecord, RpmRecord};
use crate::inventory::{Inventory, Node, Package, PackageKind, Source};

/// What tells packages of one database apart: name, architecture and version.
pub(super) type Identity<'a> = (&'a str, &'a str, Cow<'a, str>);

/// Returns the identity of an installed package.
pub(super) fn identity(record: &PackageRecord) -> Option<Identity<'_>> {
    match record {
        PackageRecord::Deb(deb) => {
            installed(deb).then_some((&deb.package, &deb.architecture, Cow::Borrowed(&deb.version)))
        }
        PackageRecord::Apk(apk) => Some((&apk.name, &apk.architecture, Cow::Borrowed(&apk.version))),
        PackageRecord::Rpm(rpm) => {
            Some((&rpm.name, rpm.architecture.as_deref().unwrap_or_default(), Cow::Owned(rpm.full_version())))
        }
        _ => None,
    }
}

/// Describes a package of an operating system; nothing for others.
pub(super) fn package(inventory: &Inventory, record: &PackageRecord, layer: usize, node: &Node) -> Option<Package> {
    match record {
        PackageRecord::Deb(deb) => Some(deb_package(inventory, deb, layer, node)),
        PackageRecord::Apk(apk) => Some(apk_package(apk, layer, node)),
        PackageRecord::Rpm(rpm) => Some(rpm_package(rpm, layer, node)),
        _ => None,
    }
}

/// Says whether the files of a package are there: its third status word tells; no status is distroless' way.
fn installed(deb: &DebRecord) -> bool {
    let state = deb.status.as_deref().map(|status| status.split_whitespace().nth(2).unwrap_or_default());
    !matches!(state, Some("not-installed" | "config-files"))
}

fn deb_package(inventory: &Inventory, record: &DebRecord, layer: usize, node: &Node) -> Package {
    let copyright = format!("usr/share/doc/{}/copyright", record.package);
    let licenses = inventory
        .lookup(&copyright)
        .and_then(|node| node.origin)
        .and_then(|origin| inventory.indexes[origin.layer].copyright_of(origin.entry))
        .map(|fact| fact.licenses.clone());
    let depends = [&record.pre_depends, &record.depends].into_iter().flatten().flat_map(|text| text.split(','));
    let base = Package::new(PackageKind::Deb, &record.package, &record.version, layer, node.head.path.clone());
    Package {
        architecture: Some(record.architecture.clone()).filter(|text| !text.is_empty()),
        source: Some(source(record)),
        maintainer: record.maintainer.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: licenses.unwrap_or_default(),
        depends: depends.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect(),
        provides: record.provides.iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned()).collect(),
        section: record.section.clone(),
        essential: record.essential,
        installed_size: record.installed_size.map(|kib| kib.saturating_mul(1024)),
        ..base
    }
}

/// Tells the source package: `Source: name (version)`, each part being the package's own where it is left out.
fn source(record: &DebRecord) -> Source {
    let text = record.source.as_deref().unwrap_or(&record.package);
    let (name, version) = match text.split_once('(') {
        Some((name, version)) => (name.trim(), version.trim_end().trim_end_matches(')').trim()),
        None => (text.trim(), record.version.as_str()),
    };
    Source { name: name.to_owned(), version: version.to_owned() }
}

fn apk_package(record: &ApkRecord, layer: usize, node: &Node) -> Package {
    let base = Package::new(PackageKind::Apk, &record.name, &record.version, layer, node.head.path.clone());
    let source = record.origin.as_ref().unwrap_or(&record.name);
    Package {
        architecture: Some(record.architecture.clone()).filter(|text| !text.is_empty()),
        source: Some(Source { name: source.clone(), version: record.version.clone() }),
        maintainer: record.maintainer.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.license.iter().cloned().collect(),
        depends: record.depends.clone(),
        provides: record.provides.clone(),
        installed_size: record.installed_size,
        ..base
    }
}

fn rpm_package(record: &RpmRecord, layer: usize, node: &Node) -> Package {
    let base = Package::new(PackageKind::Rpm, &record.name, &record.full_version(), layer, node.head.path.clone());
    Package {
        architecture: record.architecture.clone(),
        source: record.source_rpm.as_deref().and_then(source_rpm),
        maintainer: record.vendor.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.license.iter().cloned().collect(),
        depends: record.requires.clone(),
        provides: record.provides.clone(),
        installed_size: record.installed_size,
        ..base
    }
}

/// Takes the name of a source package apart: `NAME-VERSION-RELEASE.src.rpm`.
fn source_rpm(file: &str) -> Option<Source> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Source { name: name.to_owned(), version: format!("{version}-{release}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_source_rpm_is_taken_apart_from_behind() {
        let found = source_rpm("python-pip-epel-23.3.2-4.el9.src.rpm").unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("python-pip-epel", "23.3.2-4.el9"));
        assert_eq!(source_rpm("(none)"), None);
        assert_eq!(source_rpm("x.src.rpm"), None);
    }

    #[test]
    fn the_source_is_the_package_itself_unless_it_says_otherwise() {
        let record = |source: Option<&str>| DebRecord {
            package: "libc6".to_owned(),
            version: "2.41-12+b1".to_owned(),
            source: source.map(str::to_owned),
            ..DebRecord::default()
        };
        let parts = |text| {
            let found = super::source(&record(text));
            (found.name, found.version)
        };
        assert_eq!(parts(None), ("libc6".to_owned(), "2.41-12+b1".to_owned()));
        assert_eq!(parts(Some("glibc")), ("glibc".to_owned(), "2.41-12+b1".to_owned()));
        assert_eq!(parts(Some("glibc (2.41-12)")), ("glibc".to_owned(), "2.41-12".to_owned()));
    }

    #[test]
    fn removed_packages_are_not_installed() {
        let record = |status: &str| DebRecord { status: Some(status.to_owned()), ..DebRecord::default() };
        assert!(installed(&DebRecord::default()));
        assert!(installed(&record("install ok installed")));
        assert!(installed(&record("install ok half-configured")));
        assert!(!installed(&record("deinstall ok config-files")));
        assert!(!installed(&record("purge ok not-installed")));
    }
}
