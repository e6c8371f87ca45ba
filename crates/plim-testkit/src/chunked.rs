//! Layers as `zstd:chunked`, of which Podman fetches single files: zstd frames, one for each file's content, then a table of
//! contents and a footer in skippable frames, and annotations that say where the table is. Whoever does not know the form
//! reads an ordinary zstd stream of an ordinary tar.
//!
//! The form is that of containers/storage (`containers-storage-zstd-chunked(5)`), without the optional record of the tar's
//! headers.

use plim_oci::tar::TarWriter;
use plim_oci::{BlobsMut as _, Descriptor, Digest, EntryHead, EntryKind, Layout, media_type};
use serde_json::{Value, json};

/// Digest of the compressed table.
pub const TABLE_CHECKSUM: &str = "io.github.containers.zstd-chunked.manifest-checksum";
/// Where the table is: offset, compressed and uncompressed bytes, kind.
pub const TABLE_POSITION: &str = "io.github.containers.zstd-chunked.manifest-position";

/// A skippable frame (RFC 8878, 3.1.2).
const SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// The last bytes of the footer.
const MAGIC: &[u8; 8] = b"GNUlInUx";
/// The kind of the table: that of CRFS, in JSON.
const KIND: u64 = 1;
/// Bytes that end a tar.
const END: usize = 1024;

/// Writes a layer; returns its blob and the digest of its tar.
pub(crate) fn write(layout: &Layout, entries: &[(EntryHead, Vec<u8>)]) -> (Descriptor, Digest) {
    let (mut blob, mut tar, mut table) = (Vec::new(), Vec::new(), Vec::new());
    // what stands between two contents: padding and headers
    let mut between = Vec::new();
    for (head, content) in entries {
        let mut writer = TarWriter::new(Vec::new());
        writer.entry(head, &mut &content[..]).expect("the entry can be written");
        let bytes = writer.finish().expect("memory takes everything");
        let bytes = &bytes[..bytes.len() - END];
        let begins = bytes.len() - content.len().next_multiple_of(512);
        between.extend_from_slice(&bytes[..begins]);
        let mut row = row(head);
        if head.kind == EntryKind::File && !content.is_empty() {
            frame(&mut blob, &std::mem::take(&mut between));
            row["offset"] = json!(blob.len());
            frame(&mut blob, content);
            row["endOffset"] = json!(blob.len());
            row["digest"] = json!(Digest::of(content));
            between.extend_from_slice(&bytes[begins + content.len()..]);
        }
        table.push(row);
        tar.extend_from_slice(bytes);
    }
    tar.resize(tar.len() + END, 0);
    between.resize(between.len() + END, 0);
    frame(&mut blob, &between);

    let json = serde_json::to_vec(&json!({ "version": 1, "entries": table })).expect("the table is JSON");
    let compressed = compressed(&json);
    let at = blob.len() + 8;
    skippable(&mut blob, &compressed);
    let numbers = [at as u64, compressed.len() as u64, json.len() as u64, KIND, 0, 0, 0];
    let footer: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).chain(*MAGIC).collect();
    skippable(&mut blob, &footer);

    let mut descriptor = Descriptor::new(media_type::OCI_LAYER_ZSTD, Digest::of(&blob), blob.len() as u64);
    descriptor.annotations.insert(TABLE_CHECKSUM.to_owned(), Digest::of(&compressed).to_string());
    let position = format!("{at}:{}:{}:{KIND}", compressed.len(), json.len());
    descriptor.annotations.insert(TABLE_POSITION.to_owned(), position);
    layout.put(&descriptor, &mut &blob[..]).expect("the blob can be written");
    (descriptor, Digest::of(&tar))
}

fn row(head: &EntryHead) -> Value {
    let kind = match head.kind {
        EntryKind::Dir => "dir",
        EntryKind::Symlink => "symlink",
        EntryKind::Hardlink => "hardlink",
        _ => "reg",
    };
    json!({
        "type": kind, "name": head.path.to_string(), "mode": head.mode, "uid": head.uid, "gid": head.gid,
        "size": head.size, "linkName": head.link.to_string(),
    })
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).expect("memory takes everything")
}

fn frame(blob: &mut Vec<u8>, bytes: &[u8]) {
    blob.extend_from_slice(&compressed(bytes));
}

fn skippable(blob: &mut Vec<u8>, bytes: &[u8]) {
    blob.extend_from_slice(&SKIPPABLE);
    blob.extend_from_slice(&u32::try_from(bytes.len()).expect("a small frame").to_le_bytes());
    blob.extend_from_slice(bytes);
}
