//! Fetching a file: resumed where it broke, checked, and named only when it is right.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::{Digest, Events, Hasher, TaskId, lock};

use super::{Client, HttpError, Response, url};

/// Bytes read and written at once.
const BUFFER: usize = 128 << 10;

impl Client {
    /// Fetches an address into a file that appears under its name when it is whole.
    ///
    /// With `expected` (SHA-256 digest and size in bytes) the content is checked; a file that is right already
    /// is kept without asking the network; what an interrupted download left in `DEST.part` is used; two
    /// processes that want the same file fetch it once. Without it every attempt begins anew.
    ///
    /// Progress goes to `task`, which the caller starts and finishes.
    pub fn download(
        &self,
        url: &str,
        dest: &Path,
        expected: Option<(&Digest, u64)>,
        events: &dyn Events,
        task: TaskId,
    ) -> Result<(), HttpError> {
        if let Some(parent) = dest.parent() {
            std::fs::create_dir_all(parent).map_err(|error| io_error("create", parent, error))?;
        }
        let progress = Progress { url, events, task };
        match expected {
            Some((digest, size)) => self.download_checked(&progress, dest, digest, size),
            None => self.download_anew(&progress, dest),
        }
    }

    fn download_checked(
        &self,
        progress: &Progress<'_>,
        dest: &Path,
        digest: &Digest,
        size: u64,
    ) -> Result<(), HttpError> {
        let path = part_path(dest);
        let Some(mut part) = Part::open(&path, dest, digest, size)? else {
            progress.advance(size);
            return Ok(());
        };
        progress.advance(part.size);
        let mut resumed = part.size > 0;
        let mut failures = 0;
        loop {
            let before = part.size;
            let result = if part.size < size { self.fetch_rest(progress, &mut part, size) } else { Ok(()) };
            match result {
                Ok(()) if part.hasher.clone().finish() == *digest => {
                    return std::fs::rename(&path, dest).map_err(|error| io_error("write", dest, error));
                }
                Ok(()) => {
                    let actual = part.hasher.clone().finish();
                    part.clear()?;
                    if !resumed {
                        let _ = std::fs::remove_file(&path);
                        let reason = format!("its digest is {actual}, not {digest}");
                        return Err(HttpError::Mismatch { url: url::shown(progress.url), reason });
                    }
                    // what lay there was from something else
                    resumed = false;
                }
                Err(error @ HttpError::Network { .. }) => {
                    // as long as bytes come there is no reason to give up
                    failures = if part.size > before { 1 } else { failures + 1 };
                    if failures >= self.retry.attempts {
                        return Err(error);
                    }
                    std::thread::sleep(self.retry.pause(failures, None));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends what is missing.
    fn fetch_rest(&self, progress: &Progress<'_>, part: &mut Part, size: u64) -> Result<(), HttpError> {
        let response = match self.get(progress.url, (part.size > 0).then_some(part.size)) {
            Err(HttpError::Status { status: 416, .. }) if part.size > 0 => {
                part.clear()?;
                self.get(progress.url, None)?
            }
            other => other?,
        };
        if part.size > 0 && !begins_at(&response, part.size) {
            part.clear()?;
            if response.status == 206 {
                return self.fetch_rest(progress, part, size);
            }
        }
        progress.pump(response, |bytes| {
            if part.size + bytes.len() as u64 > size {
                let reason = format!("it is longer than {size} bytes");
                let _ = part.clear();
                return Err(HttpError::Mismatch { url: url::shown(progress.url), reason });
            }
            part.append(bytes)
        })?;
        if part.size < size {
            let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended early");
            return Err(HttpError::Network { url: url::shown(progress.url), source: cut });
        }
        Ok(())
    }

    fn download_anew(&self, progress: &Progress<'_>, dest: &Path) -> Result<(), HttpError> {
        let dir = dest.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fail = |error| io_error("write", dest, error);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut file = tempfile::NamedTempFile::new_in(dir).map_err(fail)?;
            let response = self.get(progress.url, None)?;
            match progress.pump(response, |bytes| file.write_all(bytes).map_err(fail)) {
                Ok(()) => return file.persist(dest).map(drop).map_err(|error| fail(error.error)),
                Err(HttpError::Network { .. }) if attempt < self.retry.attempts => {
                    std::thread::sleep(self.retry.pause(attempt, None));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Says whether a response goes on at a byte.
fn begins_at(response: &Response, byte: u64) -> bool {
    if response.status != 206 {
        return false;
    }
    // the disk, which also answers, says nothing and does as it was asked
    let Some(range) = response.header("content-range") else { return response.url.starts_with("file:") };
    let first = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    first.and_then(|first| first.trim().parse().ok()) == Some(byte)
}

struct Progress<'a> {
    url: &'a str,
    events: &'a dyn Events,
    task: TaskId,
}

impl Progress<'_> {
    fn advance(&self, bytes: u64) {
        self.events.advance(self.task, bytes);
    }

    /// Passes a body on, piece by piece.
    fn pump(
        &self,
        mut response: Response,
        mut each: impl FnMut(&[u8]) -> Result<(), HttpError>,
    ) -> Result<(), HttpError> {
        let mut buffer = vec![0; BUFFER];
        loop {
            if self.events.cancelled() {
                return Err(HttpError::Cancelled);
            }
            match response.body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    each(&buffer[..count])?;
                    self.advance(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(HttpError::Network { url: url::shown(self.url), source }),
            }
        }
    }
}

/// The file that grows, locked, with the digest of what is in it.
struct Part {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Part {
    /// Opens and locks the growing file and takes in what it has; `None` if the file is there already, which
    /// may be the work of whoever had the lock before.
    fn open(path: &Path, dest: &Path, digest: &Digest, size: u64) -> Result<Option<Self>, HttpError> {
        loop {
            if is_right(dest, digest, size) {
                return Ok(None);
            }
            let fail = |error| io_error("write", path, error);
            // the other process may be done and have taken the name away
            let Some(mut file) = lock::lock_growing(path).map_err(fail)? else { continue };
            // or it was done between the look at the file and the making of this one
            if is_right(dest, digest, size) {
                let _ = std::fs::remove_file(path);
                return Ok(None);
            }
            let mut hasher = Hasher::new();
            let have = io::copy(&mut (&mut file).take(size), &mut hasher).map_err(fail)?;
            file.set_len(have).map_err(fail)?;
            return Ok(Some(Self { path: path.to_path_buf(), file, hasher, size: have }));
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        self.file.write_all(bytes).map_err(|error| io_error("write", &self.path, error))?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> Result<(), HttpError> {
        let done = self.file.set_len(0).and_then(|()| self.file.rewind());
        done.map_err(|error| io_error("write", &self.path, error))?;
        self.hasher = Hasher::new();
        self.size = 0;
        Ok(())
    }
}

fn part_path(dest: &Path) -> PathBuf {
    let mut path = dest.as_os_str().to_owned();
    path.push(".part");
    path.into()
}

fn is_right(path: &Path, digest: &Digest, size: u64) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    if !file.metadata().is_ok_and(|metadata| metadata.len() == size) {
        return false;
    }
    let mut hasher = Hasher::new();
    io::copy(&mut file, &mut hasher).is_ok() && hasher.finish() == *digest
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> HttpError {
    HttpError::Io { action, path: path.display().to_string(), source }
}
