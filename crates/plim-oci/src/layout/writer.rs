//! Writing files that appear under their names only when they are whole.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{BlobError, Descriptor, Digest, Hasher};

use super::Layout;

/// Bytes gathered before a write to the disk.
const BUFFER: usize = 256 << 10;

/// A blob being written: hashed on the way, named when committed, gone when dropped.
#[derive(Debug)]
pub struct BlobWriter {
    layout: Layout,
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
    size: u64,
}

impl BlobWriter {
    pub(super) fn new(layout: Layout) -> Result<Self, BlobError> {
        let file = temporary(layout.root())
            .map_err(|error| BlobError::io("create a file in", &unfinished(layout.root()), error))?;
        Ok(Self { layout, file: BufWriter::with_capacity(BUFFER, file), hasher: Hasher::new(), size: 0 })
    }

    /// Returns the number of bytes written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the digest of the bytes written so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Names the blob by its digest. A blob of that name and size that is there already is kept.
    pub fn commit(self, media_type: &str) -> Result<Descriptor, BlobError> {
        let descriptor = Descriptor::new(media_type, self.digest(), self.size);
        self.keep_as(&descriptor.digest)?;
        Ok(descriptor)
    }

    /// Names the blob by a digest that the caller has checked.
    pub(crate) fn keep_as(self, digest: &Digest) -> Result<(), BlobError> {
        if self.layout.size_of(digest)? == Some(self.size) {
            return Ok(());
        }
        let path = self.layout.blob_path(digest);
        let done = || -> io::Result<()> {
            let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
            // sha512 is rare enough that its directory is made when it is needed
            std::fs::create_dir_all(path.parent().expect("a blob is in a directory"))?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        }();
        done.map_err(|error| BlobError::io("write", &path, error))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Replaces a small file durably: its bytes reach the disk before its name.
pub(super) fn replace(root: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = temporary(root)?;
    file.write_all(content)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(root)?.sync_all()
}

/// Removes the files of writers that died. Only for who holds the layout alone.
pub(super) fn remove_unfinished(root: &Path) {
    let Ok(entries) = std::fs::read_dir(unfinished(root)) else { return };
    for entry in entries.flatten() {
        // what cannot be removed now is tried again at the next opening
        let _ = std::fs::remove_file(entry.path());
    }
}

fn unfinished(root: &Path) -> PathBuf {
    root.join(".plim/tmp")
}

fn temporary(root: &Path) -> io::Result<NamedTempFile> {
    let dir = unfinished(root);
    std::fs::create_dir_all(&dir)?;
    // 0666 so that the user's umask decides, as for any file
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(dir)
}
