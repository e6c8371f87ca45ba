//! eStargz: gzip layers out of which single files can be fetched
//! (<https://github.com/containerd/stargz-snapshotter/blob/main/docs/estargz.md>).
//!
//! Each file's content is a gzip member of its own, in chunks if it is large; a table of contents (TOC) as the tar's
//! last entry says where they begin, and a footer where the table does. All of it is an ordinary gzip stream of an
//! ordinary tar, which has two entries more than the layer: the landmark and the table.

use std::io::{self, Read, Write as _};

use crate::layout::BlobWriter;
use crate::tar::{Limits, TarReader, TarWriter};
use crate::{BlobError, EntryHead, EntryKind, Events, Hasher, Layer, LayerObserver, Layout, media_type};

use super::pipeline::{Output, Pipeline};

mod toc;

pub(crate) use toc::TOC_DIGEST;
use toc::Toc;

/// The table of contents in the tar.
pub const TOC_NAME: &str = "stargz.index.json";
/// Stands where the files end that are worth fetching before they are asked for.
pub const PREFETCH: &str = ".prefetch.landmark";
/// Says that there are none.
pub const NO_PREFETCH: &str = ".no.prefetch.landmark";
/// What a landmark contains.
const LANDMARK: &[u8] = &[0xf];
/// Annotation with the size of the uncompressed layer in bytes, which Podman's lazy pull wants.
const UNCOMPRESSED_SIZE: &str = "io.containers.estargz.uncompressed-size";
/// Bytes of a file in one gzip member.
const CHUNK: u64 = 4 << 20;
/// Bytes of headers before one entry; more is not what a tar of files has.
const MAX_HEADERS: usize = 4 << 20;
/// Bytes at the end of the blob.
const FOOTER: usize = 51;

/// Why a layer cannot be written as eStargz although it is a good layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) String);

/// Says whether an entry has the form of a landmark. A layer is one of eStargz if it has such an entry, with
/// [the right content](is_landmark_content), and ends with [the table](is_table); the two are no files of the image
/// then.
pub fn is_landmark(head: &EntryHead) -> bool {
    head.kind == EntryKind::File
        && head.size == LANDMARK.len() as u64
        && (head.path == PREFETCH || head.path == NO_PREFETCH)
}

/// Says whether that is what a landmark contains.
pub fn is_landmark_content(content: &[u8]) -> bool {
    content == LANDMARK
}

/// Says whether an entry has the form of the table, which counts only as the last one.
pub fn is_table(head: &EntryHead) -> bool {
    head.kind == EntryKind::File && head.path == TOC_NAME
}

fn is_own(head: &EntryHead) -> bool {
    is_table(head) || is_landmark(head)
}

/// Writes a layer as eStargz. `tar` is the uncompressed layer; its headers and contents are taken over byte for byte,
/// a table and landmarks that are there already are made anew. The observer sees the layer's own entries. What
/// cannot be written in this form is an error that holds an [`Unfit`].
pub(crate) fn write(
    layout: &Layout,
    tar: impl Read,
    level: u8,
    mut observer: Option<Box<dyn LayerObserver>>,
    events: &dyn Events,
) -> Result<Layer, BlobError> {
    let write = || -> io::Result<(Output, crate::Digest)> {
        let mut copier = Copier::new(tar, layout.writer().map_err(io::Error::other)?, level);
        copier.landmark()?;
        let mut reader = TarReader::new(copier, Limits::default());
        let mut buffer = vec![0; 128 << 10];
        while let Some(head) = reader.next_entry()? {
            let own = is_own(&head);
            reader.get_mut().begin(&head, own)?;
            let mut watching = observer.as_mut().filter(|_| !own);
            if let Some(observer) = &mut watching {
                observer.entry(&head);
            }
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        if let Some(observer) = &mut watching {
                            observer.data(&buffer[..count]);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(observer) = &mut watching {
                observer.end();
            }
            reader.get_mut().end();
        }
        reader.into_inner().finish()
    };
    let (output, toc_digest) = write().map_err(|error| BlobError::io("store a layer in", layout.root(), error))?;
    let mut descriptor = output.blob.commit(media_type::OCI_LAYER_GZIP)?;
    descriptor.annotations.insert(TOC_DIGEST.to_owned(), toc_digest.to_string());
    descriptor.annotations.insert(UNCOMPRESSED_SIZE.to_owned(), output.size.to_string());
    if let Some(observer) = observer {
        observer.finish(&output.diff_id, output.size, events);
    }
    Ok(Layer { descriptor, diff_id: output.diff_id, created_by: None })
}

/// Passes a tar through, and notes where its parts go.
struct Copier<R> {
    inner: R,
    out: Pipeline,
    toc: Toc,
    state: State,
    /// What came since the last entry's content: its padding, and headers.
    between: Vec<u8>,
    /// How much of that is padding of an entry that was kept.
    padding: usize,
    /// How much of it is padding of one that was not.
    waste: usize,
}

enum State {
    /// Headers come.
    Between,
    /// The content of an entry that is left out comes, so many bytes in all.
    Skipping(u64),
    /// The content of a file comes.
    Content(Box<Content>),
}

/// A file whose content comes.
struct Content {
    size: u64,
    /// Bytes that came.
    at: u64,
    /// Where the current chunk began.
    chunk_at: u64,
    whole: Hasher,
    chunk: Hasher,
}

impl<R: Read> Copier<R> {
    fn new(inner: R, blob: BlobWriter, level: u8) -> Self {
        Self {
            inner,
            out: Pipeline::by_hand(blob, level),
            toc: Toc::default(),
            state: State::Between,
            between: Vec::new(),
            padding: 0,
            waste: 0,
        }
    }

    /// Writes the entry which says that nothing is worth fetching early: what is, only a run of the image would show.
    fn landmark(&mut self) -> io::Result<()> {
        let head = EntryHead { size: LANDMARK.len() as u64, ..EntryHead::new(NO_PREFETCH, EntryKind::File, 0o644) };
        let entry = entry_bytes(&head, LANDMARK)?;
        let (header, content) = entry.split_at(512);
        self.between.extend_from_slice(header);
        self.begin(&head, false)?;
        self.take(&content[..LANDMARK.len()])?;
        self.end();
        self.between.extend_from_slice(&content[LANDMARK.len()..]);
        Ok(())
    }

    /// An entry begins, whose headers have come.
    fn begin(&mut self, head: &EntryHead, own: bool) -> io::Result<()> {
        if own {
            let padding = self.padding.min(self.between.len());
            self.out.write_all(&self.between[..padding])?;
            self.state = State::Skipping(head.size);
        } else {
            self.out.write_all(&self.between[self.waste.min(self.between.len())..])?;
            self.toc.entry(head).map_err(io::Error::other)?;
            self.state = if head.size == 0 {
                State::Between
            } else {
                self.toc.chunk(self.out.cut()?, 0).map_err(io::Error::other)?;
                let (whole, chunk) = (Hasher::new(), Hasher::new());
                State::Content(Box::new(Content { size: head.size, at: 0, chunk_at: 0, whole, chunk }))
            };
        }
        self.between.clear();
        (self.padding, self.waste) = (0, 0);
        Ok(())
    }

    /// An entry's content has come.
    fn end(&mut self) {
        let padding = |size: u64| (size.wrapping_neg() % 512) as usize;
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => {}
            State::Skipping(size) => self.waste = padding(size),
            State::Content(content) => {
                let content = *content;
                self.toc.end_chunk(content.chunk.finish(), content.size - content.chunk_at, true);
                self.toc.end_file(content.whole.finish());
                self.padding = padding(content.size);
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        match &mut self.state {
            State::Between => {
                if self.between.len() + bytes.len() > MAX_HEADERS {
                    let reason = format!("more than {MAX_HEADERS} bytes of headers before one entry");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                self.between.extend_from_slice(bytes);
            }
            State::Skipping(_) => {}
            State::Content(content) => {
                while !bytes.is_empty() {
                    if content.at - content.chunk_at == CHUNK {
                        let digest = std::mem::take(&mut content.chunk).finish();
                        self.toc.end_chunk(digest, CHUNK, false);
                        content.chunk_at = content.at;
                        self.toc.chunk(self.out.cut()?, content.at).map_err(io::Error::other)?;
                    }
                    let left = usize::try_from(CHUNK - (content.at - content.chunk_at)).unwrap_or(usize::MAX);
                    let (part, rest) = bytes.split_at(left.min(bytes.len()));
                    content.whole.update(part);
                    content.chunk.update(part);
                    self.out.write_all(part)?;
                    content.at += part.len() as u64;
                    bytes = rest;
                }
            }
        }
        Ok(())
    }

    /// Writes the table, the end of the tar and the footer. What the tar has after its last entry is read, and left
    /// out.
    fn finish(mut self) -> io::Result<(Output, crate::Digest)> {
        let padding = self.padding.min(self.between.len());
        self.out.write_all(&self.between[..padding])?;
        io::copy(&mut self.inner, &mut io::sink())?;
        let mut tail = self.out.finish_open()?;
        let json = self.toc.render(&tail.starts);
        let digest = crate::Digest::of(&json);
        let head = EntryHead { size: json.len() as u64, ..EntryHead::new(TOC_NAME, EntryKind::File, 0o644) };
        let mut tar = TarWriter::new(Vec::with_capacity(json.len() + 4096));
        tar.entry(&head, &mut &json[..])?;
        let at = tail.blob_size();
        tail.chunk(&tar.finish()?)?;
        tail.trailer(&footer(at))?;
        Ok((tail.close()?, digest))
    }
}

impl<R: Read> Read for Copier<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.take(&buffer[..count])?;
        Ok(count)
    }
}

/// Returns an entry with its padding, without the end of a tar.
fn entry_bytes(head: &EntryHead, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = TarWriter::new(Vec::new());
    tar.entry(head, &mut &content[..])?;
    let mut bytes = tar.finish()?;
    bytes.truncate(bytes.len() - 1024);
    Ok(bytes)
}

/// An empty gzip member that says where the table's member begins.
fn footer(at: u64) -> Vec<u8> {
    let mut footer = Vec::with_capacity(FOOTER);
    // magic, deflate, with an extra field; no time, system unknown
    footer.extend_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]);
    footer.extend_from_slice(&26_u16.to_le_bytes());
    footer.extend_from_slice(b"SG");
    footer.extend_from_slice(&22_u16.to_le_bytes());
    footer.extend_from_slice(format!("{at:016x}STARGZ").as_bytes());
    // one last block, stored, of nothing; and the checksum and size of nothing
    footer.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    footer.extend_from_slice(&[0; 8]);
    footer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_footer_is_a_gzip_member_of_nothing() {
        let footer = footer(0x1234);
        assert_eq!(footer.len(), FOOTER);
        let mut out = Vec::new();
        flate2::bufread::GzDecoder::new(&footer[..]).read_to_end(&mut out).unwrap();
        assert!(out.is_empty());
        let member = flate2::bufread::GzDecoder::new(&footer[..]);
        assert_eq!(member.header().unwrap().extra().unwrap(), b"SG\x16\x000000000000001234STARGZ");
    }
}
