//! Blobs that come over a network: what arrived before a transfer broke is used by the next one.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ring::digest::{Context, SHA256, SHA512};

use crate::blobs::Source;
use crate::verify::hex;
use crate::{BlobError, Descriptor, lock};

use super::Layout;

/// What is left of a smaller blob is not worth the question whether it is still right; bytes.
const WORTH_KEEPING: u64 = 1 << 20;
/// How long what arrived of a blob is kept for another try.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// A blob on its way into a layout. Reading yields its bytes from the first one on, those that an earlier try
/// brought and then those from the source; the last read checks size and digest. Two processes that want the same
/// blob bring it once.
pub struct Receiver<'a> {
    layout: Layout,
    descriptor: Descriptor,
    source: &'a dyn Source,
    path: PathBuf,
    file: File,
    /// Bytes that an earlier try brought.
    old: u64,
    /// Bytes that were read.
    at: u64,
    reader: Option<Box<dyn Read + Send + 'a>>,
    /// Nothing once the end was checked, or nothing good can come any more.
    hasher: Option<Context>,
    /// Why not.
    fault: Option<(io::ErrorKind, String)>,
}

impl<'a> Receiver<'a> {
    /// Begins to receive a blob; `None` if the layout has it.
    pub(super) fn begin(
        layout: &Layout,
        descriptor: &Descriptor,
        source: &'a dyn Source,
    ) -> Result<Option<Self>, BlobError> {
        let digest = &descriptor.digest;
        let path = dir(layout.root()).join(format!("{}-{}", digest.algorithm(), digest.hex()));
        let file = loop {
            // a power cut can leave a blob with its name but without all its bytes: such a one is written again
            if layout.size_of(digest)? == Some(descriptor.size) {
                return Ok(None);
            }
            let locked = lock::lock_growing(&path).map_err(|error| BlobError::io("write", &path, error))?;
            if let Some(file) = locked {
                break file;
            }
        };
        let old = file.metadata().map_err(|error| BlobError::io("read", &path, error))?.len();
        let algorithm = if digest.algorithm() == "sha512" { &SHA512 } else { &SHA256 };
        Ok(Some(Self {
            layout: layout.clone(),
            descriptor: descriptor.clone(),
            source,
            path,
            file,
            old: old.min(descriptor.size),
            at: 0,
            reader: None,
            hasher: Some(Context::new(algorithm)),
            fault: None,
        }))
    }

    /// Says whether an earlier try brought some of it.
    pub fn is_resumed(&self) -> bool {
        self.old > 0
    }

    /// Names the blob, reading what is left of it.
    pub fn finish(mut self) -> Result<(), BlobError> {
        let path = self.layout.blob_path(&self.descriptor.digest);
        let mut done = || -> io::Result<()> {
            io::copy(&mut self, &mut io::sink())?;
            std::fs::create_dir_all(path.parent().expect("a blob is in a directory"))?;
            std::fs::rename(&self.path, &path)
        };
        done().map_err(|error| BlobError::io("write", &path, error))
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.old {
            let most = usize::try_from(self.old - self.at).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.file.read_at(&mut buffer[..most], self.at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(count);
        }
        if self.at == self.descriptor.size && self.reader.is_none() {
            return Ok(0);
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => empty.insert(self.source.open(self.at).map_err(io::Error::other)?),
        };
        let count = reader.read(buffer)?;
        if self.at + count as u64 > self.descriptor.size {
            let (digest, size) = (&self.descriptor.digest, self.descriptor.size);
            return Err(self.wrong(format!("content of {digest} is longer than the {size} bytes expected")));
        }
        self.file.write_all_at(&buffer[..count], self.at)?;
        Ok(count)
    }

    fn check(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let (digest, size) = (self.descriptor.digest.clone(), self.descriptor.size);
        if self.at < size {
            // what came is kept: the rest may come at the next try
            let message = format!("the transfer of {digest} ended after {} of {size} bytes", self.at);
            return Err(self.give_up(io::ErrorKind::UnexpectedEof, message));
        }
        let found = hex(hasher.finish().as_ref());
        if found != digest.hex() {
            return Err(self.wrong(format!("content of {digest} has digest {}:{found}", digest.algorithm())));
        }
        Ok(())
    }

    /// Forgets what came, so that the next try does not begin with it.
    fn wrong(&mut self, message: String) -> io::Error {
        let _ = self.file.set_len(0);
        self.give_up(io::ErrorKind::InvalidData, message)
    }

    fn give_up(&mut self, kind: io::ErrorKind, message: String) -> io::Error {
        self.fault = Some((kind, message.clone()));
        io::Error::new(kind, message)
    }
}

impl Read for Receiver<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some((kind, message)) = &self.fault {
            return Err(io::Error::new(*kind, message.clone()));
        }
        let count = self.read_some(buffer)?;
        if count == 0 {
            self.check()?;
        }
        self.at += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        // a finished blob has another name by now
        if self.file.metadata().is_ok_and(|metadata| metadata.len() < WORTH_KEEPING) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Stores a blob; an earlier try whose bytes were wrong does not spoil this one.
pub(super) fn put(layout: &Layout, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
    loop {
        let Some(receiver) = Receiver::begin(layout, descriptor, source)? else { return Ok(()) };
        let resumed = receiver.is_resumed();
        match receiver.finish() {
            Err(BlobError::Io { source, .. }) if resumed && source.kind() == io::ErrorKind::InvalidData => {}
            other => return other,
        }
    }
}

/// Removes what arrived of blobs that nobody asked for again. Only for who holds the layout alone.
pub(super) fn remove_old(root: &Path) {
    let Ok(entries) = std::fs::read_dir(dir(root)) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| now.duration_since(time));
        if !matches!(age, Ok(Ok(age)) if age < KEPT) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn dir(root: &Path) -> PathBuf {
    root.join(".plim/partial")
}

impl std::fmt::Debug for Receiver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("path", &self.path).field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blobs as _, Digest};

    fn layout() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        (dir, layout)
    }

    fn content() -> (Vec<u8>, Descriptor) {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let descriptor = Descriptor::new("a/b", Digest::of(&bytes), bytes.len() as u64);
        (bytes, descriptor)
    }

    /// A source that ends early once and notes where it was asked to begin.
    fn broken_once<'a>(
        bytes: &'a [u8],
        after: usize,
        asked: &'a std::sync::Mutex<Vec<u64>>,
    ) -> impl Fn(u64) -> Result<Box<dyn Read + Send>, BlobError> + Sync + use<'a> {
        move |from| {
            let mut asked = asked.lock().unwrap();
            asked.push(from);
            let end = if asked.len() == 1 { after } else { bytes.len() };
            Ok(Box::new(io::Cursor::new(bytes[usize::try_from(from).unwrap()..end].to_vec())))
        }
    }

    #[test]
    fn a_broken_transfer_goes_on_where_it_ended() {
        let (_dir, layout) = layout();
        let (bytes, descriptor) = content();
        let asked = std::sync::Mutex::default();
        let open = broken_once(&bytes, 2_000_000, &asked);
        assert!(put(&layout, &descriptor, &open).unwrap_err().to_string().contains("failed to write"));
        assert!(!layout.exists(&descriptor).unwrap());
        put(&layout, &descriptor, &open).unwrap();
        assert_eq!(*asked.lock().unwrap(), [0, 2_000_000]);
        let mut stored = Vec::new();
        layout.open(&descriptor).unwrap().read_to_end(&mut stored).unwrap();
        assert!(stored == bytes);
        assert_eq!(std::fs::read_dir(super::dir(layout.root())).unwrap().count(), 0);
    }

    #[test]
    fn wrong_bytes_of_an_earlier_try_are_brought_again() {
        let (_dir, layout) = layout();
        let (bytes, descriptor) = content();
        let asked = std::sync::Mutex::default();
        let open = broken_once(&bytes, 2_000_000, &asked);
        put(&layout, &descriptor, &open).unwrap_err();
        let part = std::fs::read_dir(super::dir(layout.root())).unwrap().next().unwrap().unwrap().path();
        let mut spoilt = std::fs::read(&part).unwrap();
        spoilt[1000] ^= 1;
        std::fs::write(&part, spoilt).unwrap();
        put(&layout, &descriptor, &open).unwrap();
        assert_eq!(*asked.lock().unwrap(), [0, 2_000_000, 0]);
    }

    #[test]
    fn wrong_or_surplus_bytes_are_never_stored() {
        let (_dir, layout) = layout();
        let (mut bytes, descriptor) = content();
        bytes[7] ^= 1;
        let open = |_| Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
        put(&layout, &descriptor, &open).unwrap_err();
        bytes[7] ^= 1;
        bytes.push(0);
        let open = |_| Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
        put(&layout, &descriptor, &open).unwrap_err();
        assert!(!layout.exists(&descriptor).unwrap());
        assert_eq!(std::fs::read_dir(super::dir(layout.root())).unwrap().count(), 0);
    }

    #[test]
    fn a_receiver_that_failed_cannot_finish() {
        let (_dir, layout) = layout();
        let (mut bytes, descriptor) = content();
        for damage in ["changed", "cut"] {
            if damage == "changed" {
                bytes[7] ^= 1;
            } else {
                bytes.truncate(2_000_000);
            }
            let open = |_| Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
            let mut receiver = layout.receive(&descriptor, &open).unwrap().unwrap();
            io::copy(&mut receiver, &mut io::sink()).unwrap_err();
            receiver.finish().unwrap_err();
            assert!(!layout.exists(&descriptor).unwrap(), "{damage}");
        }
    }

    #[test]
    fn little_that_arrived_is_not_kept() {
        let (_dir, layout) = layout();
        let (bytes, descriptor) = content();
        let asked = std::sync::Mutex::default();
        put(&layout, &descriptor, &broken_once(&bytes, 1000, &asked)).unwrap_err();
        assert_eq!(std::fs::read_dir(super::dir(layout.root())).unwrap().count(), 0);
    }
}
