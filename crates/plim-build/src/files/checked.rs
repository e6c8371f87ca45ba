//! Files that somebody may write to while they are copied. The key of a step says what they held when they were looked at,
//! so what is copied has to be the same.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use plim_oci::Hasher;
use rustix::io::Errno;

use super::content::OnHost;
use crate::snapshot::{KnownContent, Stamp, fill};

/// A file that is read as what it was, or not to its end.
pub(super) struct Checked<'a> {
    file: File,
    path: &'a Path,
    stamp: Stamp,
    left: u64,
    /// Where times do not tell.
    hasher: Option<Hasher>,
    sha256: [u8; 32],
}

impl<'a> Checked<'a> {
    pub(super) fn open(host: &'a OnHost, known: KnownContent) -> io::Result<Self> {
        let file = open(host)?;
        // its times may have changed and its content not; on some file systems they are not even the same for both ways to ask
        let told_by_times = known.settled && is_same(&file, &host.stamp)?;
        let hasher = (!told_by_times).then(Hasher::new);
        Ok(Self { file, path: &host.path, stamp: host.stamp, left: host.stamp.size, hasher, sha256: known.sha256 })
    }

    /// Reads what is not read yet, if that is what tells, and compares.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.hasher.is_some() {
            return io::copy(&mut self, &mut io::sink()).map(drop);
        }
        self.compare()
    }

    /// Compares at the end what was read with what it should be.
    fn compare(&mut self) -> io::Result<()> {
        let same = match self.hasher.take() {
            Some(hasher) => hasher.finish_raw() == self.sha256,
            None => is_same(&self.file, &self.stamp)?,
        };
        if same { Ok(()) } else { Err(changed(self.path)) }
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // a file that grew is read as far as it went: whoever asks for more is told that it ends there
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.file.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(changed(self.path));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.left -= count as u64;
        if self.left == 0 {
            self.compare()?;
        }
        Ok(count)
    }
}

/// Reads a small file. Its times are asked for once only: if they are at the end what they were, they were so all the time.
pub(super) fn read(host: &OnHost) -> io::Result<Vec<u8>> {
    let mut file = open(host)?;
    let mut bytes = vec![0; usize::try_from(host.stamp.size).map_err(io::Error::other)?];
    let count = fill(&mut file, &mut bytes)?;
    bytes.truncate(count);
    let Some(known) = host.known.filter(|_| host.foreign) else { return Ok(bytes) };
    let same = known.settled && is_same(&file, &host.stamp)? || {
        let mut hasher = Hasher::new();
        hasher.update(&bytes);
        hasher.finish_raw() == known.sha256
    };
    if same { Ok(bytes) } else { Err(changed(&host.path)) }
}

/// Says whether a file has the size and the times that it had.
pub(super) fn is_same(file: &File, stamp: &Stamp) -> io::Result<bool> {
    let now = Stamp::of(&file.metadata()?);
    Ok((now.inode, now.size, now.mtime, now.ctime) == (stamp.inode, stamp.size, stamp.mtime, stamp.ctime))
}

/// Opens a file. One that somebody else may change and that is gone, or a link by now, is not what it was.
pub(super) fn open(host: &OnHost) -> io::Result<File> {
    (host.open)(&host.path).map_err(|error| {
        let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].map(Errno::raw_os_error);
        if host.foreign && error.raw_os_error().is_some_and(|code| gone.contains(&code)) {
            return changed(&host.path);
        }
        error
    })
}

/// The file is not what it was.
#[derive(Debug, thiserror::Error)]
#[error("{} changed while the build read it", .0.display())]
struct Changed(PathBuf);

pub(super) fn changed(path: &Path) -> io::Error {
    io::Error::other(Changed(path.to_owned()))
}

/// Returns the file that is not what it was when it was looked at, if that is what an error is about.
pub(crate) fn changed_file(error: &io::Error) -> Option<&Path> {
    error.get_ref()?.downcast_ref::<Changed>().map(|changed| changed.0.as_path())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::files::content::Content;
    use crate::snapshot::{self, write::Bytes};

    fn looked_at(path: &Path, settled: bool) -> Content {
        let stamp = Stamp::of(&fs::metadata(path).unwrap());
        let mut hasher = Hasher::new();
        hasher.update(&fs::read(path).unwrap());
        let known = Some(KnownContent { sha256: hasher.finish_raw(), settled });
        Content::Host(Box::new(OnHost { path: path.to_owned(), stamp, open: snapshot::open, foreign: true, known }))
    }

    /// Reads the content in each way.
    fn read(content: &Content) -> [io::Result<Vec<u8>>; 3] {
        let mut bytes = Vec::new();
        let one = content.open().and_then(|mut file| file.read_to_end(&mut bytes)).map(|_| bytes);
        let other = content.with_bytes(|bytes| {
            let mut out = Vec::new();
            match bytes {
                Bytes::File(mut file) => file.read_to_end(&mut out)?,
                Bytes::Reader(reader) => reader.read_to_end(&mut out)?,
            };
            Ok(out)
        });
        [one, other, content.read_ahead().unwrap()]
    }

    #[test]
    fn a_file_that_is_as_it_was_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for content in ["", "x", &"long".repeat(100_000)] {
            fs::write(&path, content).unwrap();
            for settled in [true, false] {
                let looked_at = looked_at(&path, settled);
                for bytes in read(&looked_at) {
                    assert_eq!(bytes.unwrap(), content.as_bytes());
                }
            }
        }
    }

    #[test]
    fn a_file_that_was_changed_shrank_or_went_is_an_error_and_one_that_grew_is_read_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for settled in [true, false] {
            fs::write(&path, "content").unwrap();
            let looked_at = looked_at(&path, settled);
            for other in ["Content", "conten", "c"] {
                // the clock of a file system may go in steps of ten milliseconds
                std::thread::sleep(std::time::Duration::from_millis(20));
                fs::write(&path, other).unwrap();
                for bytes in read(&looked_at) {
                    assert_eq!(changed_file(&bytes.unwrap_err()), Some(&*path), "{other}, {settled}");
                }
            }
            fs::write(&path, "content and more").unwrap();
            for bytes in read(&looked_at) {
                assert_eq!(bytes.unwrap(), b"content", "{settled}");
            }
            fs::remove_file(&path).unwrap();
            for bytes in read(&looked_at) {
                assert_eq!(changed_file(&bytes.unwrap_err()), Some(&*path), "{settled}");
            }
        }
    }

    #[test]
    fn a_file_that_was_touched_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "content").unwrap();
        let looked_at = looked_at(&path, true);
        fs::File::open(&path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        for bytes in read(&looked_at) {
            assert_eq!(bytes.unwrap(), b"content");
        }
    }

    #[test]
    fn a_change_in_the_middle_of_reading_is_seen_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for settled in [true, false] {
            fs::write(&path, "content").unwrap();
            let looked_at = looked_at(&path, settled);
            let mut file = looked_at.open().unwrap();
            let mut half = [0; 3];
            file.read_exact(&mut half).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs::write(&path, "CONTENT").unwrap();
            let error = file.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(changed_file(&error), Some(&*path), "{error}");
        }
    }
}
