//! Images in one tar file: what `docker save`, `podman save`, `skopeo` and plim itself write.
//!
//! An archive is never unpacked: its tar headers are read once, and blobs are read where they lie.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::compress::{Kind, decompressor};
use crate::layout::{self, find, named};
use crate::{BlobError, Blobs, Descriptor, Digest, Index};

mod contents;
mod docker;
mod write;

pub use write::{write_docker, write_oci};

use contents::Contents;

/// An image archive, of OCI or of Docker.
#[derive(Debug)]
pub struct Archive {
    place: String,
    file: Arc<File>,
    index: Index,
    blobs: HashMap<Digest, Source>,
}

/// Where a blob of an archive is.
#[derive(Debug, Clone)]
enum Source {
    /// In the file: offset and length in bytes.
    At(u64, u64),
    /// Made up, because a Docker archive has no manifest of OCI's kind.
    Made(Arc<[u8]>),
}

impl Archive {
    /// Opens an archive of either kind; it may be compressed as a whole, then it is unpacked to a temporary file.
    pub fn open(file: &Path) -> Result<Self, BlobError> {
        let fail = |error| BlobError::io("read", file, error);
        let opened = File::open(file).map_err(fail)?;
        let mut start = [0; 6];
        let count = opened.read_at(&mut start, 0).map_err(fail)?;
        let plain = if Kind::of(&start[..count]) == Kind::Plain { opened } else { unpack(opened).map_err(fail)? };
        Self::index(plain, &file.display().to_string())
    }

    /// Takes in an archive from a stream that cannot seek, such as standard input.
    pub fn from_reader(reader: impl Read + Send, place: &str) -> Result<Self, BlobError> {
        let plain =
            unpack(reader).map_err(|source| BlobError::Io { action: "read", path: place.to_owned(), source })?;
        Self::index(plain, place)
    }

    /// Takes in an archive from a stream, by way of a file that is empty; it may be one without a name.
    pub fn from_reader_by(reader: impl Read + Send, mut file: File, place: &str) -> Result<Self, BlobError> {
        let fail = |source| BlobError::Io { action: "read", path: place.to_owned(), source };
        io::copy(&mut decompressor(reader), &mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        Self::index(file, place)
    }

    /// Lists names and what they stand for.
    pub fn names(&self) -> Vec<(String, Descriptor)> {
        named(&self.index).map(|(name, descriptor)| (name.to_owned(), descriptor.clone())).collect()
    }

    /// Finds a manifest by name, by digest or, for the empty name, takes the only one there is.
    pub fn resolve(&self, name: &str) -> Result<Descriptor, BlobError> {
        let no_such = || BlobError::NoSuchName { name: name.to_owned(), place: self.place() };
        find(&self.index, name).cloned().ok_or_else(no_such)
    }

    fn index(file: File, place: &str) -> Result<Self, BlobError> {
        let fail = |source| BlobError::Io { action: "read", path: place.to_owned(), source };
        let file = Arc::new(file);
        let contents = Contents::read(&file).map_err(fail)?;
        let mut archive = Self { place: place.to_owned(), file, index: Index::default(), blobs: HashMap::new() };
        if contents.has("index.json") && archive.take_oci(&contents).map_err(fail)? {
            return Ok(archive);
        }
        if contents.has("manifest.json") {
            archive.blobs.clear();
            docker::take(&mut archive, &contents).map_err(fail)?;
            return Ok(archive);
        }
        Err(fail(invalid("this is no image archive: it has neither index.json nor manifest.json".to_owned())))
    }

    /// Takes in an OCI layout; false if a part of it is missing and Docker's description may serve better.
    fn take_oci(&mut self, contents: &Contents) -> io::Result<bool> {
        self.index = contents.json("index.json")?;
        for (digest, at) in contents.blobs() {
            self.blobs.insert(digest, at);
        }
        let whole = self.index.manifests.iter().all(|manifest| self.blobs.contains_key(&manifest.digest));
        Ok((whole && !self.index.manifests.is_empty()) || !contents.has("manifest.json"))
    }

    fn add_made(&mut self, bytes: Vec<u8>) -> (Digest, u64) {
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        self.blobs.insert(digest.clone(), Source::Made(bytes.into()));
        (digest, size)
    }

    fn add_named(&mut self, descriptor: &Descriptor, name: Option<String>) {
        let mut descriptor = descriptor.clone();
        if let Some(name) = name {
            descriptor.annotations.insert(layout::REF_NAME.to_owned(), name.clone());
            descriptor.annotations.insert(layout::IMAGE_NAME.to_owned(), name);
        }
        self.index.manifests.push(descriptor);
    }
}

impl Blobs for Archive {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        Ok(self.blobs.contains_key(&descriptor.digest))
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        match self.blobs.get(&descriptor.digest) {
            Some(Source::At(offset, size)) => {
                let from = from.min(*size);
                Ok(Box::new(Slice::new(&self.file, offset.saturating_add(from), size - from)))
            }
            Some(Source::Made(bytes)) => {
                let mut made = io::Cursor::new(Arc::clone(bytes));
                made.set_position(from);
                Ok(Box::new(made))
            }
            None => Err(BlobError::Missing { digest: descriptor.digest.clone(), place: self.place() }),
        }
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

/// Reads a part of a file without moving a position that others share.
struct Slice {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Slice {
    fn new(file: &Arc<File>, offset: u64, size: u64) -> Self {
        Self { file: Arc::clone(file), at: offset, end: offset.saturating_add(size) }
    }
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..left], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn unpack(reader: impl Read + Send) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut decompressor(reader), &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
