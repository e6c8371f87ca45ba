//! Layer tars: a deterministic writer and a reader that survives hostile streams.
//!
//! Both speak the POSIX interchange format (IEEE Std 1003.1, "pax Interchange Format"); the reader also
//! takes GNU's and older forms. Neither knows files on disk: see [`EntryHead`] for what an entry is.

use std::io::{self, Read};

use bstr::BString;

use crate::{Digest, EntryHead, Hasher, LayerObserver};

mod header;
mod name;
mod pax;
mod reader;
mod writer;

pub use reader::TarReader;
pub use writer::TarWriter;

/// The unit in which tars are made, bytes.
const BLOCK: usize = 512;
/// Prefix of the extended header records that hold extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// How much of a tar a reader is willing to take in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries in the whole layer.
    pub entries: u64,
    /// Bytes of a path or of a link's target.
    pub path: usize,
    /// Components of a path.
    pub depth: usize,
    /// Bytes of the extended headers of one entry.
    pub header: usize,
    /// Bytes of the paths, targets and extended attributes of all entries together: what whoever keeps them needs, and what
    /// a few compressed bytes can grow to.
    pub metadata: u64,
}

impl Default for Limits {
    /// Large enough for every image seen, small enough to keep memory in bounds.
    fn default() -> Self {
        // Linux refuses paths above PATH_MAX, 4096; extended attributes are at most 64 KiB each
        Self { entries: 10_000_000, path: 4096, depth: 512, header: 1 << 20, metadata: 2 << 30 }
    }
}

/// Why a tar cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream below failed.
    #[error("failed to read the layer")]
    Io(#[from] io::Error),
    /// The bytes are no tar.
    #[error("malformed tar at byte {offset}: {reason}")]
    Malformed {
        /// Where the header in question begins, in bytes from the start of the stream.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An entry that no layer may have, or that plim does not read.
    #[error("layer entry `{path}` {reason}")]
    Entry {
        /// The entry's path as written.
        path: BString,
        /// What is wrong with it.
        reason: String,
    },
    /// More than the limits allow.
    #[error("the layer has more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl From<TarError> for io::Error {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// Reads an uncompressed layer and hands each entry to `each`, with its content. What `each` leaves unread is
/// skipped. Paths come normalised (see [`EntryHead`]); an entry that would leave the root is an error.
/// An entry may come twice; the later one wins, which is the caller's to apply.
///
/// Reading ends with the archive; what a stream has after it stays unread.
pub fn read_layer<R: Read, E: From<TarError>>(
    reader: R,
    limits: &Limits,
    each: &mut dyn FnMut(EntryHead, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut tar = TarReader::new(reader, *limits);
    while let Some(head) = tar.next_entry()? {
        each(head, &mut tar)?;
    }
    Ok(())
}

/// Reads an uncompressed layer to the last byte of the stream, past an observer; returns its diffID and size
/// in bytes. The caller finishes the observer.
pub fn observe(
    reader: impl Read,
    limits: &Limits,
    observer: &mut dyn LayerObserver,
) -> Result<(Digest, u64), TarError> {
    let mut stream = Hashed { inner: reader, hasher: Hasher::new() };
    // the digest is of all bytes, padding after the archive included
    let size = observe_unhashed(&mut stream, limits, observer)?;
    Ok((stream.hasher.finish(), size))
}

/// Like [`observe`] for a stream whose digest somebody else takes: returns its size in bytes alone.
pub fn observe_unhashed(reader: impl Read, limits: &Limits, observer: &mut dyn LayerObserver) -> Result<u64, TarError> {
    let mut stream = Counted { inner: reader, size: 0 };
    watch(&mut stream, limits, observer)?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(stream.size)
}

/// Drives an observer through a tar.
pub(crate) fn watch(reader: impl Read, limits: &Limits, observer: &mut dyn LayerObserver) -> Result<(), TarError> {
    let mut buffer = vec![0; 128 << 10];
    read_layer(reader, limits, &mut |head, content| {
        observer.entry(&head);
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => observer.data(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::Io(error)),
            }
        }
        observer.end();
        Ok(())
    })
}

struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

struct Counted<R> {
    inner: R,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.size += count as u64;
        Ok(count)
    }
}
