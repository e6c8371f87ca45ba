//! The bytes of a file that is to be copied, wherever they are.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::snapshot::{self, Node, Stamp, write::Bytes};

/// Opens a file for reading.
pub(crate) type Opener = fn(&Path) -> io::Result<File>;

/// The bytes of a file.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// None: no regular file, or an empty one.
    None,
    /// A file on disk, which does not change while a step runs, and how it is opened.
    Host { path: PathBuf, stamp: Stamp, open: Opener },
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// A part of a file, where archives are unpacked to.
    Slice { file: Arc<File>, offset: u64, size: u64 },
}

impl Content {
    /// Returns the content of a file of a tree of plim's own.
    pub(crate) fn of(node: &Node) -> Self {
        Self::opened_by(node, snapshot::open)
    }

    /// Returns the content of a file of a tree that may change meanwhile.
    pub(crate) fn of_foreign(node: &Node) -> Self {
        Self::opened_by(node, snapshot::open_without_links)
    }

    fn opened_by(node: &Node, open: Opener) -> Self {
        if node.head.kind == plim_oci::EntryKind::File && !node.host.as_os_str().is_empty() {
            Self::Host { path: node.host.clone(), stamp: node.stamp, open }
        } else {
            Self::None
        }
    }

    /// Opens the content for reading from its start.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match self {
            Self::None => Box::new(io::empty()),
            Self::Host { path, open, .. } => Box::new(open(path)?),
            Self::Bytes(bytes) => Box::new(Cursor::new(&**bytes)),
            Self::Slice { file, offset, size } => {
                Box::new(Slice { file: Arc::clone(file), at: *offset, end: offset + size })
            }
        })
    }

    /// Hands the content to a writer, as a file where it is one so that the kernel can copy it.
    pub(crate) fn with_bytes<T>(&self, use_it: impl FnOnce(Bytes<'_>) -> io::Result<T>) -> io::Result<T> {
        match self {
            Self::Host { path, open, .. } => use_it(Bytes::File(open(path)?)),
            other => use_it(Bytes::Reader(&mut *other.open()?)),
        }
    }
}

struct Slice {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..left], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
