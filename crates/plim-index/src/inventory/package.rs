//! Packages of an image, whatever manages them.

use bstr::BString;
use serde::Serialize;

use crate::text;

/// What manages a package. The order says who owns a file that several packages hold: the system's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageKind {
    /// dpkg.
    Deb,
    /// apk.
    Apk,
    /// RPM.
    Rpm,
    /// pip, uv and other installers of Python distributions.
    Python,
    /// npm, Yarn and pnpm.
    Npm,
    /// RubyGems and Bundler.
    Gem,
    /// Java archives, most of them Maven's.
    Java,
    /// Modules inside Go programs.
    Go,
    /// Crates inside Rust programs.
    Cargo,
}

impl PackageKind {
    /// Returns its short stable name, as in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Gem => "gem",
            Self::Java => "java",
            Self::Go => "go",
            Self::Cargo => "cargo",
        }
    }

    /// Says whether it belongs to the operating system rather than to a language.
    pub fn is_system(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm)
    }
}

/// A package of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// What manages it.
    pub kind: PackageKind,
    /// Its name as written.
    pub name: String,
    /// Its name in the form that compares equal (PEP 503 for Python).
    pub normalized_name: String,
    /// Its version.
    pub version: String,
    /// Its architecture in the names of its distribution.
    pub architecture: Option<String>,
    /// The source package that it was built from.
    pub source: Option<Source>,
    /// Number of the layer in which it came, in this version; the lowest is 0.
    pub layer: usize,
    /// The file or directory that says that it is installed.
    #[serde(serialize_with = "text::path")]
    pub location: BString,
    /// The archives inside that file that lead to it, joined by `!/`.
    pub inside: Option<String>,
    /// Its files that exist, sorted; directories belong to nobody.
    #[serde(serialize_with = "text::paths")]
    pub files: Vec<BString>,
    /// The package of the operating system that ships it, as an index into [`Inventory::packages`].
    pub within: Option<usize>,
    /// Who maintains or wrote it.
    pub maintainer: Option<String>,
    /// Its web page.
    pub homepage: Option<String>,
    /// One line on what it is.
    pub summary: Option<String>,
    /// The licences that it names, as it names them.
    pub licenses: Vec<String>,
    /// What it depends on, a clause each, as written.
    pub depends: Vec<String>,
    /// Virtual packages that it provides, as written.
    pub provides: Vec<String>,
    /// Debian's section.
    pub section: Option<String>,
    /// Debian's essential mark.
    pub essential: bool,
    /// Bytes that it says it takes.
    pub installed_size: Option<u64>,
    /// The tool that installed it, where that is written down.
    pub installer: Option<String>,
}

/// A source package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Package {
    /// Returns a package of which no more is known.
    pub(crate) fn new(kind: PackageKind, name: &str, version: &str, layer: usize, location: BString) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            normalized_name: name.to_owned(),
            version: version.to_owned(),
            architecture: None,
            source: None,
            layer,
            location,
            inside: None,
            files: Vec::new(),
            within: None,
            maintainer: None,
            homepage: None,
            summary: None,
            licenses: Vec::new(),
            depends: Vec::new(),
            provides: Vec::new(),
            section: None,
            essential: false,
            installed_size: None,
            installer: None,
        }
    }
}
