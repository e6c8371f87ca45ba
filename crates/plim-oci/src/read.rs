//! Reading images: manifests and configurations are checked before they are believed.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    BlobError, Blobs, Descriptor, Digest, Hasher, Image, ImageConfig, Index, Layer, Manifest, Platform, media_type,
};

mod platform;

pub(crate) use platform::choose;

/// Registries refuse manifests above 4 MiB; twice that is surely no manifest. Bytes.
pub const MAX_MANIFEST: u64 = 8 << 20;
/// Indexes may point to indexes; no producer goes deeper than this.
const MAX_DEPTH: usize = 4;

/// A manifest or an index of manifests.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// One image.
    Manifest(Box<Manifest>),
    /// Several.
    Index(Box<Index>),
}

impl Document {
    /// Returns what the document is about, for referrers.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Manifest(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }
}

/// Reads the image behind a descriptor; of an index, the one for a platform.
pub fn image(blobs: &dyn Blobs, descriptor: &Descriptor, platform: &Platform) -> Result<Image, BlobError> {
    let mut descriptor = descriptor.clone();
    for _ in 0..=MAX_DEPTH {
        let content = bytes(blobs, &descriptor, "manifest")?;
        match parse_document(blobs, &descriptor, &content)? {
            Document::Manifest(manifest) => return finish(blobs, &descriptor, *manifest, content),
            Document::Index(index) => descriptor = choose(blobs, &index, platform)?.clone(),
        }
    }
    Err(malformed(blobs, "index", &descriptor, "indexes are nested too deeply"))
}

/// Finds the manifest for a platform behind a descriptor, which may be one already.
pub fn select(blobs: &dyn Blobs, descriptor: &Descriptor, platform: &Platform) -> Result<Descriptor, BlobError> {
    let mut descriptor = descriptor.clone();
    for _ in 0..=MAX_DEPTH {
        match document(blobs, &descriptor)? {
            Document::Manifest(_) => return Ok(descriptor),
            Document::Index(index) => descriptor = choose(blobs, &index, platform)?.clone(),
        }
    }
    Err(malformed(blobs, "index", &descriptor, "indexes are nested too deeply"))
}

/// Reads the manifest or index behind a descriptor.
pub fn document(blobs: &dyn Blobs, descriptor: &Descriptor) -> Result<Document, BlobError> {
    let content = bytes(blobs, descriptor, "manifest")?;
    parse_document(blobs, descriptor, &content)
}

/// Reads a small blob whole (up to [`MAX_MANIFEST`]) and checks its size and digest; `what` names it in errors.
pub fn bytes(blobs: &dyn Blobs, descriptor: &Descriptor, what: &'static str) -> Result<Vec<u8>, BlobError> {
    if descriptor.size > MAX_MANIFEST {
        return Err(malformed(blobs, what, descriptor, &format!("{} bytes are too many", descriptor.size)));
    }
    let mut content = Vec::with_capacity(descriptor.size as usize);
    blobs.open(descriptor)?.take(descriptor.size + 1).read_to_end(&mut content).map_err(|source| BlobError::Io {
        action: "read",
        path: format!("{what} {} from {}", descriptor.digest, blobs.place()),
        source,
    })?;
    if content.len() as u64 != descriptor.size {
        let reason = format!("it has not the {} bytes that were promised", descriptor.size);
        return Err(malformed(blobs, what, descriptor, &reason));
    }
    check(blobs, &descriptor.digest, &content)?;
    Ok(content)
}

/// Describes a manifest of which only the digest is known, by reading it.
pub(crate) fn describe(blobs: &dyn Blobs, digest: &Digest, size: u64) -> Result<Descriptor, BlobError> {
    let unknown = Descriptor::new("", digest.clone(), size);
    let content = bytes(blobs, &unknown, "manifest")?;
    let kind = match parse_document(blobs, &unknown, &content)? {
        Document::Manifest(manifest) => manifest.media_type.unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned()),
        Document::Index(index) => index.media_type.unwrap_or_else(|| media_type::OCI_INDEX.to_owned()),
    };
    Ok(Descriptor::new(&kind, digest.clone(), size))
}

/// Reads a manifest or an index out of its bytes; `place` is for messages.
pub(crate) fn parsed(descriptor: &Descriptor, content: &[u8], place: &str) -> Result<Document, BlobError> {
    parse_document(&Nowhere(place), descriptor, content)
}

/// Names a place for messages.
struct Nowhere<'a>(&'a str);

impl Blobs for Nowhere<'_> {
    fn exists(&self, _descriptor: &Descriptor) -> Result<bool, BlobError> {
        Ok(false)
    }

    fn open_from(&self, descriptor: &Descriptor, _from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        Err(BlobError::Missing { digest: descriptor.digest.clone(), place: self.place() })
    }

    fn place(&self) -> String {
        self.0.to_owned()
    }
}

fn check(blobs: &dyn Blobs, digest: &Digest, content: &[u8]) -> Result<(), BlobError> {
    if digest.algorithm() != "sha256" {
        // the reader knows the other algorithm; it reports in words
        return std::io::copy(
            &mut crate::verify::VerifyingReader::new(content, digest.clone(), None),
            &mut std::io::sink(),
        )
        .map(drop)
        .map_err(|source| BlobError::Io {
            action: "read",
            path: format!("{digest} from {}", blobs.place()),
            source,
        });
    }
    let mut hasher = Hasher::new();
    hasher.update(content);
    let actual = hasher.finish();
    if actual == *digest {
        Ok(())
    } else {
        Err(BlobError::Corrupt { expected: digest.clone(), actual, place: blobs.place() })
    }
}

/// Tells manifests from indexes by media type and, where producers left it out, by content.
fn parse_document(blobs: &dyn Blobs, descriptor: &Descriptor, content: &[u8]) -> Result<Document, BlobError> {
    let value: Value = parse(blobs, "manifest", descriptor, content)?;
    let declared = value.get("mediaType").and_then(Value::as_str).unwrap_or(&descriptor.media_type);
    // a document that is both could mean different things to different tools
    if value.get("manifests").is_some() && value.get("layers").is_some() {
        return Err(malformed(blobs, "manifest", descriptor, "it is a manifest and an index at once"));
    }
    let is_index = match declared {
        media_type::OCI_INDEX | media_type::DOCKER_LIST => true,
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => false,
        _ => value.get("manifests").is_some(),
    };
    if value.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        return Err(malformed(blobs, "manifest", descriptor, "schema version 1 is not supported"));
    }
    if is_index {
        return Ok(Document::Index(Box::new(parse(blobs, "index", descriptor, content)?)));
    }
    Ok(Document::Manifest(Box::new(parse(blobs, "manifest", descriptor, content)?)))
}

/// Returns the layers of an image whose manifest was read, with the diffIDs of its configuration.
pub(crate) fn layers_of(
    blobs: &dyn Blobs,
    descriptor: &Descriptor,
    manifest: Manifest,
) -> Result<Vec<Layer>, BlobError> {
    Ok(finish(blobs, descriptor, manifest, Vec::new())?.layers)
}

fn finish(
    blobs: &dyn Blobs,
    descriptor: &Descriptor,
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
) -> Result<Image, BlobError> {
    if manifest.artifact_type.is_some() && manifest.config.media_type != media_type::OCI_CONFIG {
        return Err(malformed(blobs, "manifest", descriptor, "it is an artifact, not an image"));
    }
    let config_bytes = bytes(blobs, &manifest.config, "configuration")?;
    let config: ImageConfig = parse(blobs, "configuration", &manifest.config, &config_bytes)?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        let reason = format!("it lists {} layers, the manifest {}", diff_ids.len(), manifest.layers.len());
        return Err(malformed(blobs, "configuration", &manifest.config, &reason));
    }
    let layers = layers(&manifest, &config);
    let mut descriptor = descriptor.clone();
    if descriptor.media_type.is_empty() {
        descriptor.media_type = manifest.media_type.clone().unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned());
    }
    Ok(Image { descriptor, manifest, manifest_bytes, config, config_bytes, layers })
}

/// Joins the manifest's layers with the configuration's `diff_ids` and, where it fits, its history.
pub(crate) fn layers(manifest: &Manifest, config: &ImageConfig) -> Vec<Layer> {
    let rows: Vec<&Option<String>> =
        config.history.iter().filter(|row| !row.empty_layer).map(|row| &row.created_by).collect();
    // some producers write no row or a wrong number of them: better no answer than a wrong one
    let fits = rows.len() == manifest.layers.len();
    let described = manifest.layers.iter().zip(&config.rootfs.diff_ids).enumerate();
    described
        .map(|(place, (descriptor, diff_id))| Layer {
            descriptor: descriptor.clone(),
            diff_id: diff_id.clone(),
            created_by: if fits { rows[place].clone() } else { None },
        })
        .collect()
}

fn parse<T: DeserializeOwned>(
    blobs: &dyn Blobs,
    what: &'static str,
    descriptor: &Descriptor,
    content: &[u8],
) -> Result<T, BlobError> {
    serde_json::from_slice(content).map_err(|error| malformed(blobs, what, descriptor, &error.to_string()))
}

fn malformed(blobs: &dyn Blobs, what: &'static str, descriptor: &Descriptor, reason: &str) -> BlobError {
    BlobError::Malformed { what, digest: descriptor.digest.clone(), place: blobs.place(), reason: reason.to_owned() }
}
