//! `plim pull` and `plim push`: between registries and the local store.

use std::io::Read;

use plim_index::Indexes;
use plim_oci::compress::adopt_layer;
use plim_oci::convert::Overlay;
use plim_oci::copy::{self as transfer, CopyReport, Options};
use plim_oci::layout::{Layout, LayoutRepository};
use plim_oci::{
    BlobError, Blobs, BlobsMut, Descriptor, Digest, Events, ObserveLayers as _, Origin, Platform, Reference, Source,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::copy::Cargo;
use crate::place::{self, Opened};
use crate::recompress::{self, Recompressed, Recompression};
use crate::scratch::Scratch;
use crate::{Failure, Workspace};

/// What was moved.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moved {
    /// The name at the destination.
    pub name: String,
    /// Digest of the manifest or index.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Blobs copied, manifests included.
    pub copied: usize,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Bytes that were there already.
    pub present_bytes: u64,
    /// Bytes that the registry took over from another of its repositories.
    pub adopted_bytes: u64,
    /// Signatures, attestations and the like that came along.
    pub referrers: usize,
    /// What became of the layers, where another compression was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recompressed: Option<Recompressed>,
}

impl Moved {
    /// Returns a report of a copy.
    pub(crate) fn new(name: String, root: &Descriptor, report: CopyReport) -> Self {
        Self {
            name,
            digest: root.digest.clone(),
            copied: report.copied,
            copied_bytes: report.copied_bytes,
            present_bytes: report.present_bytes,
            adopted_bytes: report.adopted_bytes,
            referrers: report.referrers,
            recompressed: None,
        }
    }
}

/// Which images of several are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Platforms {
    /// That for this machine; an index keeps its digest.
    #[default]
    Host,
    /// That for a platform; an index keeps its digest.
    One(Platform),
    /// All.
    All,
}

/// Brings an image from its registry into the store, and reads each layer once on the way.
pub fn pull(
    workspace: &Workspace,
    name: &str,
    platforms: &Platforms,
    referrers: bool,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let reference = reference(name)?;
    let opened = place::open_registry(workspace, &reference)?;
    let report = fetch(workspace, &reference, &opened, platforms, referrers, events)?;
    Ok(Moved::new(reference.familiar(), &opened.root, report))
}

/// Copies an image into the store and names it.
pub(crate) fn fetch(
    workspace: &Workspace,
    reference: &Reference,
    opened: &Opened,
    platforms: &Platforms,
    referrers: bool,
    events: &dyn Events,
) -> Result<CopyReport, Failure> {
    let host = Platform::host();
    let platform = match platforms {
        Platforms::Host => Some(&host),
        Platforms::One(platform) => Some(platform),
        Platforms::All => None,
    };
    let store = IndexingStore::new(workspace, reference, events);
    let options = Options { platform, referrers, ..Options::default() };
    let result = transfer::copy(&*opened.blobs, &store, &opened.root, options, events);
    workspace.tell_warnings(events);
    let report = result?;
    workspace.store.tag(&reference.to_string(), &opened.root)?;
    Ok(report)
}

/// Sends an image of the store to a registry, by default under its own name; if that is asked for, with its layers
/// in another form.
pub fn push(
    workspace: &Workspace,
    name: &str,
    destination: Option<&str>,
    referrers: bool,
    compression: Option<Recompression>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let source = reference(name)?;
    let target = destination.map_or_else(|| Ok(source.clone()), reference)?;
    let opened = place::open(workspace, &format!("store:{source}"), events)?;
    let options = Options { referrers, ..Options::default() };
    let Some(compression) = compression else {
        return to_registry(workspace, &Cargo::of(&opened), &target, options, events);
    };
    let scratch = Scratch::new(workspace)?;
    let done = recompress::convert(&opened, scratch.layout(), compression, None, referrers, events)?;
    let overlay = Overlay::new(scratch.layout(), &*opened.blobs);
    let cargo = Cargo { blobs: &overlay, root: &done.root };
    let moved = to_registry(workspace, &cargo, &target, options, events)?;
    Ok(Moved { recompressed: Some(Recompressed::of(&done)), ..moved })
}

/// Sends an image to a registry and names it there.
pub(crate) fn to_registry(
    workspace: &Workspace,
    cargo: &Cargo<'_>,
    target: &Reference,
    options: Options<'_>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let Cargo { blobs, root } = *cargo;
    if let Some(digest) = target.digest().filter(|digest| **digest != root.digest) {
        return Err(Failure::tool(format!("the image has the digest {}, not {digest}", root.digest)));
    }
    let repository = place::repository(workspace, target)?;
    let result = transfer::copy(blobs, &repository, root, options, events);
    workspace.tell_warnings(events);
    let report = result.map_err(for_one_platform)?;
    if let (Some(tag), false) = (target.tag(), options.dry_run) {
        repository.tag(tag, root)?;
    }
    Ok(Moved::new(target.familiar(), root, report))
}

/// Says what is likely where an image of several platforms is incomplete.
pub(crate) fn for_one_platform(error: BlobError) -> Failure {
    match error {
        BlobError::Missing { .. } => {
            // before the error's own hint, which is about damage
            let failure = Failure::from_error(&error);
            failure.hint(
                "it may have been pulled for one platform only: --platform sends that one, or pull it with --all-platforms",
            )
        }
        error => Failure::from(error),
    }
}

/// Parses an image's name.
pub(crate) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse::<Reference>().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
}

/// The store as a destination that reads what comes in: each layer is indexed while it is written.
pub(crate) struct IndexingStore<'a> {
    inner: LayoutRepository,
    layout: &'a Layout,
    indexes: &'a Indexes,
    events: &'a dyn Events,
}

impl<'a> IndexingStore<'a> {
    /// Returns the store as the destination of a repository's images.
    pub(crate) fn new(workspace: &'a Workspace, reference: &Reference, events: &'a dyn Events) -> Self {
        Self {
            inner: LayoutRepository::new(workspace.store.clone(), reference),
            layout: &workspace.store,
            indexes: &workspace.indexes,
            events,
        }
    }
}

impl Blobs for IndexingStore<'_> {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        self.inner.exists(descriptor)
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        self.inner.open_from(descriptor, from)
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        self.inner.referrers(subject)
    }

    fn companion(&self, tag: &str) -> Result<Option<Descriptor>, BlobError> {
        self.inner.companion(tag)
    }
}

impl BlobsMut for IndexingStore<'_> {
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError> {
        self.inner.put(descriptor, content)
    }

    fn put_from(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        // `…image.layer.v1.tar+gzip`, `…image.rootfs.diff.tar.gzip`
        let is_layer =
            descriptor.media_type.contains("image.layer.") || descriptor.media_type.contains("rootfs.diff.tar");
        if !is_layer {
            return self.inner.put_from(descriptor, source);
        }
        adopt_layer(self.layout, descriptor, source, self.indexes.observe(), self.events)
    }

    fn adopt(&self, descriptor: &Descriptor, from: &Origin) -> Result<bool, BlobError> {
        self.inner.adopt(descriptor, from)
    }

    fn attach(&self, subject: &Digest, referrer: &Descriptor) -> Result<(), BlobError> {
        self.inner.attach(subject, referrer)
    }

    fn tag_companion(&self, tag: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        self.inner.tag_companion(tag, descriptor)
    }

    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        self.inner.tag(name, descriptor)
    }
}
