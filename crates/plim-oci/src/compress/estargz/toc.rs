//! The table of contents of an eStargz layer (estargz.md, "TOC and TOCEntries").

use std::collections::BTreeMap;

use base64::Engine as _;
use bstr::ByteSlice as _;
use serde::Serialize;

use crate::{Digest, EntryHead, EntryKind};

use super::Unfit;

/// Annotation of a layer's descriptor with the digest of the table; it makes the layer one of eStargz.
pub(crate) const TOC_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
/// Bytes of a table, as far as they can be told beforehand. Whoever mounts the layer holds it in memory, too.
const MAX_TOC: usize = 128 << 20;
/// Bytes of an entry's text beside its names and attributes, at most.
const PER_ENTRY: usize = 420;

/// The table while it is made.
#[derive(Default)]
pub(super) struct Toc {
    entries: Vec<Row>,
    /// Where the row of the current file is.
    file: usize,
    weight: usize,
}

/// A row: an entry of the tar, or a further chunk of one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    modtime: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    link_name: String,
    mode: u32,
    uid: u32,
    gid: u32,
    #[serde(skip_serializing_if = "is_zero")]
    dev_major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    dev_minor: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "is_zero")]
    offset: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunk_offset: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunk_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_digest: Option<Digest>,
    /// The number of the gzip member with the content; what its offset is shows at the end.
    #[serde(skip)]
    member: Option<usize>,
}

#[derive(Serialize)]
struct Whole<'a> {
    version: u32,
    entries: &'a [Row],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Toc {
    /// Adds an entry of the tar.
    pub(super) fn entry(&mut self, head: &EntryHead) -> Result<(), Unfit> {
        // the table is JSON, whose text is Unicode
        let text = |bytes: &[u8]| match bytes.to_str() {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Unfit(format!("the name `{}` is not UTF-8", bytes.as_bstr()))),
        };
        let mut name = text(&head.path)?;
        let (kind, link) = match head.kind {
            EntryKind::File => ("reg", String::new()),
            EntryKind::Dir => {
                name.push_str(if name.is_empty() { "./" } else { "/" });
                ("dir", String::new())
            }
            EntryKind::Symlink => ("symlink", text(&head.link)?),
            EntryKind::Hardlink => ("hardlink", text(&head.link)?),
            EntryKind::Char => ("char", String::new()),
            EntryKind::Block => ("block", String::new()),
            EntryKind::Fifo => ("fifo", String::new()),
        };
        let encode = |value: &[u8]| base64::engine::general_purpose::STANDARD.encode(value);
        let xattrs = head
            .xattrs
            .iter()
            .map(|(name, value)| Ok((text(name)?, encode(value))))
            .collect::<Result<BTreeMap<_, _>, Unfit>>()?;
        let modtime = Some(head.mtime).filter(|seconds| *seconds != 0).and_then(|seconds| {
            let time = jiff::Timestamp::from_second(seconds).ok()?;
            Some(time.to_string())
        });
        self.file = self.entries.len();
        self.push(Row {
            name,
            kind,
            size: head.size,
            modtime: modtime.unwrap_or_default(),
            link_name: link,
            mode: head.mode,
            uid: head.uid,
            gid: head.gid,
            dev_major: head.device.0.into(),
            dev_minor: head.device.1.into(),
            xattrs,
            digest: None,
            offset: 0,
            chunk_offset: 0,
            chunk_size: 0,
            chunk_digest: None,
            member: None,
        })
    }

    /// A chunk of the current file begins with that gzip member.
    pub(super) fn chunk(&mut self, member: usize, offset: u64) -> Result<(), Unfit> {
        if offset > 0 {
            let name = self.entries[self.file].name.clone();
            self.push(Row {
                name,
                kind: "chunk",
                size: 0,
                modtime: String::new(),
                link_name: String::new(),
                mode: 0,
                uid: 0,
                gid: 0,
                dev_major: 0,
                dev_minor: 0,
                xattrs: BTreeMap::new(),
                digest: None,
                offset: 0,
                chunk_offset: offset,
                chunk_size: 0,
                chunk_digest: None,
                member: None,
            })?;
        }
        if let Some(row) = self.entries.last_mut() {
            row.member = Some(member);
        }
        Ok(())
    }

    /// The chunk that began last is complete.
    pub(super) fn end_chunk(&mut self, digest: Digest, size: u64, last: bool) {
        if let Some(row) = self.entries.last_mut() {
            row.chunk_digest = Some(digest);
            row.chunk_size = if last { 0 } else { size };
        }
    }

    /// The current file is complete.
    pub(super) fn end_file(&mut self, digest: Digest) {
        if let Some(row) = self.entries.get_mut(self.file) {
            row.digest = Some(digest);
        }
    }

    /// Returns the JSON; `starts` says where each gzip member begins in the blob.
    pub(super) fn render(mut self, starts: &[u64]) -> Vec<u8> {
        for row in &mut self.entries {
            row.offset = row.member.and_then(|member| starts.get(member).copied()).unwrap_or_default();
        }
        serde_json::to_vec(&Whole { version: 1, entries: &self.entries }).expect("a table has only string keys")
    }

    fn push(&mut self, row: Row) -> Result<(), Unfit> {
        let attributes: usize = row.xattrs.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        self.weight += PER_ENTRY + row.name.len() + row.link_name.len() + attributes;
        if self.weight > MAX_TOC {
            return Err(Unfit("it has too many files for a table of contents".to_owned()));
        }
        self.entries.push(row);
        Ok(())
    }
}
