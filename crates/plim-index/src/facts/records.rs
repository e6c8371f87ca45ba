//! Records of package databases: each ecosystem's own words.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// A record of a package database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFact {
    /// Position of the file that holds the record.
    pub entry: u32,
    /// The record.
    pub record: PackageRecord,
}

/// A package as its own ecosystem describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackageRecord {
    /// A Debian package.
    Deb(Box<DebRecord>),
    /// A Python distribution.
    Python(Box<PythonRecord>),
    /// A package of npm, Yarn or pnpm.
    Npm(Box<NpmRecord>),
    /// A module of a Go program.
    Go(Box<GoRecord>),
    /// A crate of a Rust program.
    Cargo(Box<CargoRecord>),
    /// An Alpine package.
    Apk(Box<ApkRecord>),
    /// A Java library.
    Java(Box<JavaRecord>),
    /// A Ruby gem.
    Gem(Box<GemRecord>),
    /// An RPM package.
    Rpm(Box<RpmRecord>),
}

/// A paragraph of a dpkg status file; the fields as deb-control(5) and dpkg-query(1) name them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebRecord {
    /// `Package`.
    pub package: String,
    /// `Version`.
    pub version: String,
    /// `Architecture`.
    pub architecture: String,
    /// `Source`, with a version in parentheses where it differs.
    pub source: Option<String>,
    /// `Status`; files of `status.d` have none.
    pub status: Option<String>,
    /// `Maintainer`.
    pub maintainer: Option<String>,
    /// `Homepage`.
    pub homepage: Option<String>,
    /// `Section`.
    pub section: Option<String>,
    /// `Essential: yes`.
    pub essential: bool,
    /// `Installed-Size` in KiB.
    pub installed_size: Option<u64>,
    /// `Depends`, on one line.
    pub depends: Option<String>,
    /// `Pre-Depends`, on one line.
    pub pre_depends: Option<String>,
    /// `Provides`, on one line.
    pub provides: Option<String>,
    /// First line of `Description`.
    pub summary: Option<String>,
}

/// The core metadata of a Python distribution, from `METADATA` or `PKG-INFO`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonRecord {
    /// `Name` as written.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// `Summary`.
    pub summary: Option<String>,
    /// `Home-page`, else the `Homepage` of `Project-URL`.
    pub homepage: Option<String>,
    /// `Author`, else `Author-email`.
    pub author: Option<String>,
    /// `License-Expression`, else the first line of `License`.
    pub license: Option<String>,
    /// `Classifier`s that begin with `License ::`.
    pub license_classifiers: Vec<String>,
    /// `Requires-Dist`, a requirement each.
    pub requires: Vec<String>,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
}

/// A `package.json` of Node.js.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NpmRecord {
    /// `name`; where it is left out, the directory's name.
    pub name: String,
    /// `version`; empty where it is left out.
    pub version: String,
    /// `description`.
    pub summary: Option<String>,
    /// `homepage`.
    pub homepage: Option<String>,
    /// `author`, by name.
    pub author: Option<String>,
    /// `license`, or the types of the older `licenses`.
    pub licenses: Vec<String>,
    /// `dependencies` and `optionalDependencies`, each a name, a space and a range.
    pub dependencies: Vec<String>,
}

/// A module in the build information of a Go program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoRecord {
    /// Path of the module; `stdlib` for Go itself.
    pub path: String,
    /// Version; `(devel)` where the program was built from a work tree, Go's own without `go`.
    pub version: String,
    /// Path and version of the module that stands in for it (`replace`); a directory has no version.
    pub replaced_by: Option<(String, String)>,
    /// It is the module of the program itself.
    pub main: bool,
}

/// A crate in the dependency list that `cargo auditable` puts into a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CargoRecord {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where it came from: `crates.io`, `git`, `local`, `registry`.
    pub source: String,
    /// It ran while the program was built and is no part of it.
    pub build: bool,
    /// It is the crate of the program itself.
    pub root: bool,
    /// Names of the crates that it needs.
    pub dependencies: Vec<String>,
}

/// A package of apk's `installed`; the fields as apk-package(5) names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApkRecord {
    /// `P`.
    pub name: String,
    /// `V`.
    pub version: String,
    /// `A`.
    pub architecture: String,
    /// `o`.
    pub origin: Option<String>,
    /// `m`.
    pub maintainer: Option<String>,
    /// `U`.
    pub homepage: Option<String>,
    /// `T`.
    pub summary: Option<String>,
    /// `L`.
    pub license: Option<String>,
    /// `I` in bytes.
    pub installed_size: Option<u64>,
    /// `D`, split at spaces.
    pub depends: Vec<String>,
    /// `p`, split at spaces.
    pub provides: Vec<String>,
    /// `F` and `R`: its files relative to the root.
    pub files: Vec<BString>,
}

/// What a Java archive was recognised by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JavaEvidence {
    /// `META-INF/maven/GROUP/ARTIFACT/pom.properties`.
    Pom,
    /// `META-INF/MANIFEST.MF`.
    Manifest,
    /// The name of the file.
    #[default]
    FileName,
}

/// A Java library, as its archive describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaRecord {
    /// The archives inside the file that lead to it, joined by `!/`; empty for the file itself.
    pub inside: String,
    /// `groupId`, as far as it is known.
    pub group: Option<String>,
    /// `artifactId`, or what stands for it.
    pub artifact: String,
    /// Version; empty where it is not known.
    pub version: String,
    /// What says so.
    pub evidence: JavaEvidence,
    /// It is the archive's own library, not one that was put into it.
    pub main: bool,
    /// `Bundle-License` of the manifest.
    pub license: Option<String>,
    /// `Implementation-Vendor` or `Bundle-Vendor` of the manifest.
    pub vendor: Option<String>,
}

/// A gem's specification as RubyGems writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GemRecord {
    /// `name`.
    pub name: String,
    /// `version`.
    pub version: String,
    /// Platform; `ruby` for gems without compiled parts.
    pub platform: String,
    /// `summary`.
    pub summary: Option<String>,
    /// `homepage`.
    pub homepage: Option<String>,
    /// The first of `authors`.
    pub author: Option<String>,
    /// `licenses`.
    pub licenses: Vec<String>,
    /// Dependencies at run time, each a name and its requirements.
    pub dependencies: Vec<String>,
}

/// A header of an RPM database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpmRecord {
    /// `NAME`.
    pub name: String,
    /// `EPOCH`.
    pub epoch: Option<u32>,
    /// `VERSION`.
    pub version: String,
    /// `RELEASE`.
    pub release: String,
    /// `ARCH`; keys have none.
    pub architecture: Option<String>,
    /// `SOURCERPM`, a file name.
    pub source_rpm: Option<String>,
    /// `VENDOR`.
    pub vendor: Option<String>,
    /// `LICENSE`.
    pub license: Option<String>,
    /// `URL`.
    pub homepage: Option<String>,
    /// `SUMMARY`.
    pub summary: Option<String>,
    /// `SIZE` or `LONGSIZE` in bytes.
    pub installed_size: Option<u64>,
    /// `MODULARITYLABEL`.
    pub modularity: Option<String>,
    /// `REQUIRENAME`, each once, without what RPM itself provides.
    pub requires: Vec<String>,
    /// `PROVIDENAME`, each once.
    pub provides: Vec<String>,
    /// `DIRNAMES`, `DIRINDEXES` and `BASENAMES`: its files relative to the root, without ghosts.
    pub files: Vec<BString>,
}

impl RpmRecord {
    /// Returns `[EPOCH:]VERSION-RELEASE`.
    pub fn full_version(&self) -> String {
        let epoch = self.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }
}
