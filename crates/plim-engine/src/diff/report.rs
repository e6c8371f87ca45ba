//! The report of `plim diff`.

use plim_oci::Digest;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Tool;

/// The report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `diff`.
    pub command: String,
    /// The first image.
    pub before: Side,
    /// The second image.
    pub after: Side,
    /// Which layers both have.
    pub layers: LayerChange,
    /// Packages that came, went or have another version, by kind and name.
    pub packages: Vec<PackageChange>,
    /// The files in numbers.
    pub files: FileChanges,
    /// The paths with the largest differences.
    pub paths: Vec<PathChange>,
    /// How a container is run.
    pub config: Vec<ConfigChange>,
    /// Bytes by package, the largest differences first.
    pub owners: Vec<OwnerChange>,
}

/// One of two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Side {
    /// The image as it was named.
    pub subject: String,
    /// Digest of the manifest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// `os/architecture`.
    pub platform: String,
    /// Bytes of the uncompressed layer tars.
    pub size_bytes: u64,
    /// Bytes of the compressed layers.
    pub compressed_bytes: u64,
    /// Bytes of the files that a container sees.
    pub file_bytes: u64,
    /// Files that a container sees.
    pub files: u64,
    /// Number of layers.
    pub layers: usize,
    /// Number of packages.
    pub packages: usize,
}

/// Which layers both images have, by the digest of the uncompressed tar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LayerChange {
    /// Layers of the second image that the first one has too.
    pub shared: usize,
    /// Bytes of their tars.
    pub shared_bytes: u64,
    /// Bytes of their blobs.
    pub shared_compressed_bytes: u64,
    /// Layers of the first image alone.
    pub gone: usize,
    /// Layers of the second image alone, lowest first.
    pub new: Vec<NewLayer>,
    /// Bytes that who has the first image downloads for the second.
    pub new_compressed_bytes: u64,
}

/// A layer that only the second image has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NewLayer {
    /// Its number, from 1.
    pub layer: usize,
    /// Digest of the uncompressed tar.
    #[schemars(with = "String")]
    pub diff_id: Digest,
    /// Bytes of the uncompressed tar.
    pub size_bytes: u64,
    /// Bytes of the compressed blob.
    pub compressed_bytes: u64,
    /// The instruction that made it.
    pub created_by: Option<String>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the second image has it.
    Added,
    /// Only the first image has it.
    Removed,
    /// Both have it, and it is different.
    Changed,
    /// A file with the same content and another mode, owner or attribute.
    Metadata,
}

/// A package that came, went or has another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PackageChange {
    /// `deb`, `apk`, `rpm`, `python`, `npm`, `gem`, `java`, `go` or `cargo`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// The versions of the first image; those that both have are left out.
    pub before: Vec<String>,
    /// The versions of the second image; those that both have are left out.
    pub after: Vec<String>,
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileSum {
    /// How many: files, links and devices.
    pub files: u64,
    /// Their bytes in the first image; a file with several names counts once.
    pub before: u64,
    /// Their bytes in the second image.
    pub after: u64,
}

/// The files of both images in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileChanges {
    /// Those that only the second image has.
    pub added: FileSum,
    /// Those that only the first image has.
    pub removed: FileSum,
    /// Those with other content.
    pub changed: FileSum,
    /// Those with the same content and another mode, owner or attribute; directories among them.
    pub metadata: FileSum,
    /// Those that are the same in both; times are not compared.
    pub same: FileSum,
}

/// A path that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PathChange {
    /// The path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// Bytes in the first image.
    pub before: u64,
    /// Bytes in the second image.
    pub after: u64,
    /// What is different of its metadata: `mode 644 -> 755`.
    pub details: Vec<String>,
}

/// A setting of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfigChange {
    /// `user`, `env`, `entrypoint`, `cmd`, `workdir`, `port`, `volume`, `label`, `stop_signal`, `healthcheck`, `shell` or
    /// `platform`.
    pub setting: String,
    /// The name, where there are several of the kind: of a variable, a label, a port, a volume.
    pub name: Option<String>,
    /// The value in the first image, where it has one.
    pub before: Option<String>,
    /// The value in the second image, where it has one.
    pub after: Option<String>,
}

/// What a package, or nobody, owns in both images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnerChange {
    /// Name of the package; `(no package)` for files that none owns.
    pub name: String,
    /// The package's kind; none for files that no package owns.
    pub kind: Option<String>,
    /// Bytes in the first image.
    pub before: u64,
    /// Bytes in the second image.
    pub after: u64,
}
