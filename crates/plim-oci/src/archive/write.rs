//! Writing archives: equal images give equal files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use serde_json::json;

use crate::compress::{decompressor, read_ahead};
use crate::layout::{IMAGE_NAME, MARKER, REF_NAME};
use crate::read::{self, Document};
use crate::tar::TarWriter;
use crate::verify::VerifyingReader;
use crate::{BlobError, Blobs, Descriptor, Digest, EntryHead, EntryKind, Image, Index, Layer, Reference};

/// Indexes nest; no producer goes deeper than this.
const MAX_DEPTH: usize = 4;

/// Blobs of this size are read and checked on a thread of their own while they are written; bytes.
const AHEAD: u64 = 1 << 20;

/// Writes an archive that `docker load` and `podman load` take: uncompressed layers named by their diffID, the
/// configuration, `manifest.json`. Each compressed layer is read twice, since a tar states sizes first.
pub fn write_docker(
    blobs: &dyn Blobs,
    image: &Image,
    names: &[Reference],
    out: &mut dyn Write,
) -> Result<(), BlobError> {
    let mut tar = TarWriter::new(out);
    let mut written = BTreeSet::new();
    for layer in &image.layers {
        if written.insert(&layer.diff_id) {
            let size = io::copy(&mut content(blobs, layer)?, &mut io::sink())
                .map_err(|error| failed(blobs, "read", &layer.descriptor.digest, error))?;
            let name = layer_name(layer);
            read_ahead(content(blobs, layer)?, |content| file(&mut tar, &name, size, content))
                .map_err(|error| failed(blobs, "write", &layer.descriptor.digest, error))?;
        }
    }
    let config_name = format!("{}.json", image.manifest.config.digest.hex());
    // digests name no tag that a daemon could set
    let tags: Vec<String> = names.iter().filter(|name| name.tag().is_some()).map(without_digest).collect();
    let layers: Vec<String> = image.layers.iter().map(layer_name).collect();
    let manifest = json!([{ "Config": config_name, "RepoTags": tags, "Layers": layers }]).to_string();
    let done = small(&mut tar, &config_name, &image.config_bytes)
        .and_then(|()| small(&mut tar, "manifest.json", manifest.as_bytes()))
        .and_then(|()| tar.finish().map(drop));
    done.map_err(|error| failed(blobs, "write", &image.descriptor.digest, error))
}

/// Writes an archive of an OCI layout with one manifest or index and all it points to.
pub fn write_oci(
    blobs: &dyn Blobs,
    root: &Descriptor,
    name: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), BlobError> {
    let mut needed = BTreeMap::new();
    gather(blobs, root, 0, &mut needed)?;
    let mut named = root.clone();
    named.annotations.remove(REF_NAME);
    named.annotations.remove(IMAGE_NAME);
    if let Some(name) = name {
        named.annotations.insert(REF_NAME.to_owned(), name.to_owned());
        if name.contains('/') {
            named.annotations.insert(IMAGE_NAME.to_owned(), name.to_owned());
        }
    }
    let index = Index { manifests: vec![named], ..Index::default() };
    let index = serde_json::to_vec(&index).expect("an index has only string keys");

    let mut tar = TarWriter::new(out);
    let write = |digest: &Digest, done: io::Result<()>| done.map_err(|error| failed(blobs, "write", digest, error));
    write(&root.digest, small(&mut tar, "oci-layout", MARKER.as_bytes()))?;
    write(&root.digest, small(&mut tar, "index.json", &index))?;
    let mut dirs = BTreeSet::from(["blobs".to_owned()]);
    dirs.extend(needed.keys().map(|digest| format!("blobs/{}", digest.algorithm())));
    for dir in dirs {
        let head = EntryHead::new(dir, EntryKind::Dir, 0o755);
        write(&root.digest, tar.entry(&head, &mut io::empty()))?;
    }
    for (digest, descriptor) in &needed {
        let path = format!("blobs/{}/{}", digest.algorithm(), digest.hex());
        let mut content = VerifyingReader::of(blobs.open(descriptor)?, descriptor);
        let done = if descriptor.size < AHEAD {
            file(&mut tar, &path, descriptor.size, &mut content)
        } else {
            read_ahead(content, |content| file(&mut tar, &path, descriptor.size, content))
        };
        write(digest, done)?;
    }
    write(&root.digest, tar.finish().map(drop))
}

/// Collects descriptors, root first to last leaf.
fn gather(
    blobs: &dyn Blobs,
    descriptor: &Descriptor,
    depth: usize,
    needed: &mut BTreeMap<Digest, Descriptor>,
) -> Result<(), BlobError> {
    if needed.insert(descriptor.digest.clone(), descriptor.clone()).is_some() || depth > MAX_DEPTH {
        return Ok(());
    }
    match read::document(blobs, descriptor)? {
        Document::Index(index) => {
            for child in &index.manifests {
                gather(blobs, child, depth + 1, needed)?;
            }
        }
        Document::Manifest(manifest) => {
            for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                needed.insert(blob.digest.clone(), blob.clone());
            }
        }
    }
    Ok(())
}

/// Returns the uncompressed layer; both the blob and the content are checked.
fn content(blobs: &dyn Blobs, layer: &Layer) -> Result<impl Read + use<>, BlobError> {
    let blob = VerifyingReader::of(blobs.open(&layer.descriptor)?, &layer.descriptor);
    Ok(VerifyingReader::new(decompressor(blob), layer.diff_id.clone(), None))
}

fn layer_name(layer: &Layer) -> String {
    format!("{}.tar", layer.diff_id.hex())
}

fn without_digest(name: &Reference) -> String {
    let tag = name.tag().unwrap_or("latest");
    name.with_tag(tag).map_or_else(|_| name.to_string(), |name| format!("{}:{tag}", short(&name)))
}

/// Docker compares names in their short form.
fn short(name: &Reference) -> String {
    let familiar = name.familiar();
    match name.tag() {
        Some(tag) => familiar.strip_suffix(&format!(":{tag}")).unwrap_or(&familiar).to_owned(),
        None => familiar,
    }
}

fn small(tar: &mut TarWriter<&mut dyn Write>, path: &str, content: &[u8]) -> io::Result<()> {
    file(tar, path, content.len() as u64, &mut &*content)
}

fn file(tar: &mut TarWriter<&mut dyn Write>, path: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
    let head = EntryHead { size, ..EntryHead::new(path, EntryKind::File, 0o644) };
    tar.entry(&head, content)?;
    // the check of a verifying reader stands at its end, and a longer content is an error too
    match content.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` is longer than its {size} bytes"))),
    }
}

fn failed(blobs: &dyn Blobs, action: &'static str, digest: &Digest, source: io::Error) -> BlobError {
    BlobError::Io { action, path: format!("{digest} of {}", blobs.place()), source }
}
