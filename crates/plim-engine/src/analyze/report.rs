//! The report of `plim analyze`: what its renderers and `-o json` show.

use plim_oci::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Tool;

/// The report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AnalyzeReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `analyze`.
    pub command: String,
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
    /// Files that a container sees.
    pub files: u64,
    /// Bytes of files that a later layer replaced or deleted: downloaded, never seen.
    pub hidden_bytes: u64,
    /// What the rows of `waste` come to, no byte counted twice.
    pub reclaimable: Weight,
    /// The image that it stands on, where that can be told.
    pub base: Option<Base>,
    /// dive's figures.
    pub dive: Dive,
    /// The user it runs as.
    pub user: String,
    /// Shells in the image.
    pub shells: Vec<String>,
    /// Package managers in the image.
    pub package_managers: Vec<String>,
    /// The layers, lowest first.
    pub layers: Vec<LayerRow>,
    /// What need not be in the image, most bytes first; rows without bytes (setuid files, hidden secrets) come last.
    pub waste: Vec<WasteRow>,
    /// Bytes by package, largest first.
    pub owners: Vec<OwnerRow>,
    /// The largest files.
    pub largest: Vec<Sized>,
    /// The packages, largest first.
    pub packages: Vec<PackageRow>,
    /// The directories and files, small ones summed up.
    pub tree: TreeNode,
    /// What it costs to move the image about.
    pub cost: Cost,
}

/// Bytes as a container sees them, and as they are downloaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Weight {
    /// Uncompressed bytes of files.
    pub bytes: u64,
    /// Their share of the compressed layers, in proportion to the sizes of each layer: an estimate.
    pub compressed_bytes: u64,
}

/// The image that an image stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Base {
    /// Its name, where something says it.
    pub name: Option<String>,
    /// Digest of its manifest, where something says it.
    pub digest: Option<String>,
    /// How many layers, from the lowest, are its.
    pub layers: usize,
    /// Bytes of the uncompressed tars of those layers.
    pub size_bytes: u64,
    /// Bytes of those layers as they are downloaded.
    pub compressed_bytes: u64,
    /// What tells.
    pub evidence: BaseEvidence,
}

/// What tells how many layers are the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseEvidence {
    /// plim built the image here and wrote down its base.
    Build,
    /// The annotation `org.opencontainers.image.base.digest` or `base.name` names an image of the local store.
    Annotation,
    /// The lowest layers are those of an image in the local store.
    KnownImage,
    /// The history: where a new image's instructions begin. A guess.
    History,
}

/// A kind of waste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WasteKind {
    /// Files that a later layer deletes.
    Deleted,
    /// Files that a later layer replaces with other content.
    Replaced,
    /// Files that a later layer holds again with the same content: chown, chmod, touch, a second COPY.
    Rewritten,
    /// The same content at several paths.
    Duplicate,
    /// Caches, package lists, logs, version control, core dumps.
    Leftover,
    /// Documentation, translations, static libraries, headers, tests, source maps.
    Droppable,
    /// Debugging sections and symbol tables of programs and libraries: what strip(1) takes away.
    Debug,
    /// Compilers, headers' packages, version control, package managers.
    BuildTool,
    /// Programs that run with the rights of their owner or group.
    Setuid,
    /// Something like a secret in a layer, hidden from the container by a later one.
    HiddenSecret,
}

/// Something that need not be in the image.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WasteRow {
    /// Its kind.
    pub kind: WasteKind,
    /// What it is, in a few words: `apt's package lists`.
    pub what: String,
    /// What it weighs. Rows of different kinds may count the same bytes (a header in a compiler's package).
    pub weight: Weight,
    /// How many files.
    pub files: u64,
    /// The layer that has the bytes, from 1.
    pub layer: usize,
    /// The layer that hides them, from 1.
    pub hidden_by: Option<usize>,
    /// The instruction that made the layer.
    pub created_by: Option<String>,
    /// The Dockerfile and the line, when plim built the image on this machine.
    pub line: Option<String>,
    /// The paths with most bytes.
    pub paths: Vec<Sized>,
    /// What to do about it.
    pub hint: String,
}

/// What a package, or nobody, owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerRow {
    /// Name of the package; `(no package)` for files that none owns.
    pub name: String,
    /// `deb`, `apk`, `rpm`, `python`, `npm`, `gem`, `java`, `go` or `cargo`; none for files that no package owns.
    pub kind: Option<String>,
    /// Uncompressed bytes of its files.
    pub bytes: u64,
    /// Its regular files.
    pub files: u64,
}

/// A directory or file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    /// Its name in the directory above; the root is `/`. What is too small for a node of its own is summed up in a last
    /// node without a name.
    pub name: String,
    /// Bytes of it and of all below.
    pub bytes: u64,
    /// Regular files in it, at any depth; 1 for a file.
    pub files: u64,
    /// It is a directory.
    pub directory: bool,
    /// The layer that most of the bytes came with, from 1.
    pub layer: usize,
    /// The package that most of the bytes belong to.
    pub owner: Option<String>,
    /// What is in it, most bytes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
}

/// What it costs to move an image about, by a model of which every assumption is in `assumptions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// What is assumed.
    pub assumptions: Assumptions,
    /// Seconds to download all compressed layers.
    pub pull_seconds: f64,
    /// Seconds to unpack them.
    pub unpack_seconds: f64,
    /// Compressed bytes of the layers that a build makes anew.
    pub new_bytes_per_build: u64,
    /// Those bytes times the builds of a day.
    pub registry_bytes_per_day: u64,
    /// Compressed bytes that new nodes download when the pods are scaled out.
    pub scale_out_bytes: u64,
}

/// The assumptions of the cost model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assumptions {
    /// Bytes a second of a download.
    pub pull_bytes_per_second: u64,
    /// Uncompressed bytes a second of unpacking.
    pub unpack_bytes_per_second: u64,
    /// Builds a day that push.
    pub builds_per_day: u64,
    /// Nodes that pull the image when the pods are scaled out.
    pub pods: u64,
    /// Layers, from the lowest, that a build of a change to the source uses again.
    pub reused_layers: usize,
}

impl Default for Assumptions {
    /// 100 MB/s down, 200 MB/s unpacked, 50 builds a day, 10 pods, no layer reused.
    fn default() -> Self {
        Self {
            pull_bytes_per_second: 100_000_000,
            unpack_bytes_per_second: 200_000_000,
            builds_per_day: 50,
            pods: 10,
            reused_layers: 0,
        }
    }
}

/// The figures of dive, by its definitions. They count all copies of a path that several layers have, the one that stays
/// included, and no directory that a later layer deletes; `hidden_bytes` is what could be saved.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Dive {
    /// Smallest size of each path over the sum of its sizes, 0 to 1.
    pub efficiency: f64,
    /// Bytes of all copies of paths that several layers have.
    pub wasted_bytes: u64,
    /// Those bytes over the bytes of all layers but the lowest, 0 to 1 and above; nothing for an image of one layer.
    pub user_wasted: Option<f64>,
    /// The paths, most bytes first.
    pub wasted: Vec<WastedRow>,
}

/// A path that several layers have.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WastedRow {
    /// The path.
    pub path: String,
    /// How many layers have it.
    pub count: usize,
    /// Bytes of all its copies.
    pub bytes: u64,
}

/// One layer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LayerRow {
    /// Digest of the uncompressed tar.
    #[schemars(with = "String")]
    pub diff_id: Digest,
    /// Bytes of the uncompressed tar.
    pub size_bytes: u64,
    /// Bytes of the compressed blob.
    pub compressed_bytes: u64,
    /// How the blob is compressed: `gzip`, `zstd`, `zstd:chunked`, `estargz`, `none`.
    pub compression: String,
    /// Files in it.
    pub files: u64,
    /// The instruction that made it.
    pub created_by: Option<String>,
}

/// A name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sized {
    /// The name.
    pub name: String,
    /// The bytes.
    pub bytes: u64,
}

/// One package.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PackageRow {
    /// `deb`, `apk`, `rpm`, `python`, `npm`, `gem`, `java`, `go` or `cargo`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, where it has one.
    pub architecture: Option<String>,
    /// Bytes of its files in the image.
    pub bytes: u64,
    /// The layer it came with, from 1.
    pub layer: usize,
    /// Where its metadata is.
    pub location: String,
}
