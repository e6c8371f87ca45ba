//! The bytes of a file that is to be copied, wherever they are.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checked::{self, Checked};
use crate::snapshot::{self, KnownContent, Node, Stamp, write::Bytes};

/// Opens a file for reading.
pub(crate) type Opener = fn(&Path) -> io::Result<File>;

/// The bytes of a file.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// None: no regular file.
    None,
    /// A file on disk.
    Host(Box<OnHost>),
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// A part of a file, where archives are unpacked to.
    Slice { file: Arc<File>, offset: u64, size: u64 },
}

/// A file on disk.
#[derive(Debug, Clone)]
pub(crate) struct OnHost {
    pub(crate) path: PathBuf,
    /// What it was when it was chosen.
    pub(crate) stamp: Stamp,
    pub(crate) open: Opener,
    /// Somebody else may change it while a build goes on.
    pub(crate) foreign: bool,
    /// What it held when that was asked.
    pub(crate) known: Option<KnownContent>,
}

impl Content {
    /// Returns the content of a file of a tree of plim's own. The node needs to know no longer where it lies.
    pub(crate) fn of(node: &mut Node) -> Self {
        Self::opened_by(node, snapshot::open, false)
    }

    /// Returns the content of a file of a tree that may change meanwhile, in the same way.
    pub(crate) fn of_foreign(node: &mut Node) -> Self {
        Self::opened_by(node, snapshot::open_without_links, true)
    }

    fn opened_by(node: &mut Node, open: Opener, foreign: bool) -> Self {
        if node.head.kind == plim_oci::EntryKind::File && !node.host.as_os_str().is_empty() {
            let (path, stamp, known) = (std::mem::take(&mut node.host), node.stamp, node.known);
            Self::Host(Box::new(OnHost { path, stamp, open, foreign, known }))
        } else {
            Self::None
        }
    }

    /// Returns the SHA-256 of what [`open`](Self::open) gives, where it is known.
    pub(crate) fn sha256(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Host(host) => host.known.as_ref().map(|known| &known.sha256),
            _ => None,
        }
    }

    /// Opens the content for reading from its start. A file that is no longer what it was when it was looked at is an
    /// error, see [`changed_file`](super::checked::changed_file): at the latest when the last of its bytes is read.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match self {
            Self::None => Box::new(io::empty()),
            Self::Host(host) => match (host.foreign, host.known) {
                (true, Some(known)) => Box::new(Checked::open(host, known)?),
                _ => Box::new(checked::open(host)?),
            },
            Self::Bytes(bytes) => Box::new(Cursor::new(&**bytes)),
            Self::Slice { file, offset, size } => {
                Box::new(Slice { file: Arc::clone(file), at: *offset, end: offset + size })
            }
        })
    }

    /// Reads a file from its start to the size that it had, and sees to it that it is what it was; `None` where what is
    /// to be read is no file on disk.
    pub(crate) fn read_ahead(&self) -> Option<io::Result<Vec<u8>>> {
        let Self::Host(host) = self else { return None };
        Some(checked::read(host))
    }

    /// Sees to it that the content is still what it was, for those who do not read it to its end.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self {
            Self::Host(host) if host.foreign => match host.known {
                Some(known) => Checked::open(host, known)?.finish(),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Hands the content to a writer, as a file where it is one so that the kernel can copy it; as
    /// [`open`](Self::open) does, it sees to it that the file is what it was.
    pub(crate) fn with_bytes<T>(&self, use_it: impl FnOnce(Bytes<'_>) -> io::Result<T>) -> io::Result<T> {
        // whether a file that was changed just before changed once more is seen by its content only
        let young = |host: &OnHost| host.foreign && host.known.is_some_and(|known| !known.settled);
        let host = match self {
            Self::Host(host) if !young(host) => host,
            other => return use_it(Bytes::Reader(&mut *other.open()?)),
        };
        let file = checked::open(host)?;
        if !host.foreign || host.known.is_none() {
            return use_it(Bytes::File(file));
        }
        if !checked::is_same(&file, &host.stamp)? {
            return use_it(Bytes::Reader(&mut *self.open()?));
        }
        let same = file.try_clone()?;
        let done = use_it(Bytes::File(file))?;
        if checked::is_same(&same, &host.stamp)? { Ok(done) } else { Err(checked::changed(&host.path)) }
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
