//! One column of the table: an image in numbers.

use plim_index::Inventory;
use plim_oci::{Digest, Events, Image};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, Workspace};

/// Bytes a second of the download in the table.
const DOWNLOAD_RATE: f64 = 100e6;

/// An image in numbers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Side {
    /// Digest of the manifest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Bytes of the uncompressed layer tars.
    pub size_bytes: u64,
    /// Bytes of the compressed layers: what a pull moves.
    pub compressed_bytes: u64,
    /// Seconds that a pull takes at 100 MB/s.
    pub download_seconds: f64,
    /// Number of layers.
    pub layers: usize,
    /// Files that a container sees; directories are not counted.
    pub files: u64,
    /// Packages of all kinds.
    pub packages: usize,
    /// Debian packages among them.
    pub packages_debian: usize,
    /// Python packages among them.
    pub packages_python: usize,
    /// Packages of Node.js among them.
    pub packages_node: usize,
    /// The user it runs as; `root` when the image names none.
    pub user: String,
    /// A shell in the image.
    pub shell: Option<String>,
    /// A package manager in the image.
    pub package_manager: Option<String>,
    /// Seconds of this run's build.
    pub build_seconds: f64,
    /// Seconds of a rebuild after one line of the source changed.
    pub rebuild_seconds: Option<f64>,
}

impl Side {
    /// Returns the numbers of an image.
    pub(super) fn new(image: &Image, inventory: &Inventory, build_seconds: f64, rebuild_seconds: Option<f64>) -> Self {
        let compressed: u64 = image.layers.iter().map(|layer| layer.descriptor.size).sum();
        let kind = |kind| inventory.packages.iter().filter(|package| package.kind == kind).count();
        let user = match image.config.config.user.as_str() {
            "" | "0" | "root" | "0:0" => "root",
            // the same number twice says it once
            user => match user.split_once(':') {
                Some((uid, gid)) if uid == gid => uid,
                _ => user,
            },
        };
        Self {
            digest: image.descriptor.digest.clone(),
            size_bytes: inventory.layers.iter().map(|layer| layer.size).sum(),
            compressed_bytes: compressed,
            download_seconds: compressed as f64 / DOWNLOAD_RATE,
            layers: image.layers.len(),
            files: inventory.files_count() as u64,
            packages: inventory.packages.len(),
            packages_debian: kind(plim_index::PackageKind::Deb),
            packages_python: kind(plim_index::PackageKind::Python),
            packages_node: kind(plim_index::PackageKind::Npm),
            user: user.to_owned(),
            shell: inventory.shells().first().map(ToString::to_string),
            package_manager: inventory.package_managers().first().map(ToString::to_string),
            build_seconds,
            rebuild_seconds,
        }
    }
}

impl Side {
    /// How much larger an image may be than the other and still count as equal, in per cent: the room of another layout.
    const ROOM: u64 = 3;

    /// Says whether an image has nothing to gain from the other: about as small, no shell, not root.
    pub(super) fn is_as_good_as(&self, other: &Self) -> bool {
        self.size_bytes * 100 <= other.size_bytes * (100 + Self::ROOM)
            && self.user != "root"
            && (self.shell.is_none() || other.shell.is_some())
    }
}

/// Folds an image's layer indexes; layers that plim wrote are indexed already.
pub(super) fn inventory(workspace: &Workspace, image: &Image, events: &dyn Events) -> Result<Inventory, Failure> {
    let layers =
        workspace.indexes.ensure_all(image, &workspace.store, events).map_err(|error| Failure::from_error(&error))?;
    Ok(plim_index::fold(&image.config, &layers))
}
