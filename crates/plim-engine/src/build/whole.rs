//! Files that people asked for, which are there when they are whole.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

use crate::Failure;

/// Writes a file that gets its name when it is whole. Until then it has none where the file system knows such files, so that
/// nothing stays of it when this process is killed.
pub(crate) fn write_file(
    path: &Utf8Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: &io::Error| Failure::caused(format!("failed to write {path}"), error);
    let dir = path.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let begun = Begun::in_dir(dir).map_err(|error| failed(&error))?;
    let mut out = io::BufWriter::with_capacity(1 << 20, Telling { file: begun.file(), path });
    content(&mut out)?;
    out.flush().map_err(|error| failed(&error))?;
    drop(out);
    begun.keep_as(path, dir).map_err(|error| failed(&error))
}

/// Names the file in errors: whoever writes into it knows what is written, not where to.
struct Telling<'a> {
    file: &'a File,
    path: &'a Utf8Path,
}

impl Write for Telling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file on its way.
enum Begun {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Begun {
    fn in_dir(dir: &Utf8Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(dir.as_std_path(), flags, Mode::from(0o644)) {
            Ok(file) => Ok(Self::Unnamed(file.into())),
            // whatever the reason is: if it is none of the file system's kind, it comes again
            Err(_) => NamedTempFile::new_in(dir).map(Self::Named),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    fn keep_as(self, path: &Utf8Path, dir: &Utf8Path) -> io::Result<()> {
        self.file().set_permissions(Permissions::from_mode(0o644))?;
        let file = match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => return file.persist(path).map(drop).map_err(|error| error.error),
        };
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name = |path: &std::path::Path| rustix::fs::linkat(CWD, &own, CWD, path, AtFlags::SYMLINK_FOLLOW);
        match name(path.as_std_path()) {
            Err(rustix::io::Errno::EXIST) => {
                // what has the name is replaced: by a file with another name, for a moment
                let taken = tempfile::Builder::new().make_in(dir, |path| name(path).map_err(io::Error::from))?;
                taken.into_temp_path().persist(path).map_err(|error| error.error)
            }
            // without /proc there is no way to name it
            Err(rustix::io::Errno::NOENT) => copy(&file, path, dir),
            other => other.map_err(io::Error::from),
        }
    }
}

/// Writes the same once more, under a temporary name.
fn copy(file: &File, path: &Utf8Path, dir: &Utf8Path) -> io::Result<()> {
    let mut named = NamedTempFile::new_in(dir)?;
    let (mut at, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let count = std::os::unix::fs::FileExt::read_at(file, &mut buffer, at)?;
        if count == 0 {
            break;
        }
        named.write_all(&buffer[..count])?;
        at += count as u64;
    }
    named.as_file().set_permissions(Permissions::from_mode(0o644))?;
    named.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Utf8Path) -> Vec<String> {
        dir.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect()
    }

    #[test]
    fn a_file_has_no_name_until_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let path = dir.join("out.tar");
        let unnamed = matches!(Begun::in_dir(dir).unwrap(), Begun::Unnamed(_));
        for text in ["one", "two"] {
            write_file(&path, |out| {
                out.write_all(text.as_bytes()).unwrap();
                out.flush().unwrap();
                // what was there is there still
                let there = usize::from(text == "two");
                assert!(!unnamed || names(dir).len() == there, "{:?}", names(dir));
                Ok(())
            })
            .unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(dir), ["out.tar"]);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        write_file(&path, |_| Err(Failure::tool("no"))).unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(names(dir), ["out.tar"]);
    }

    #[test]
    fn a_file_that_cannot_be_named_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("copied");
        let long = "x".repeat(3 << 20);
        let source = dir.path().join("source");
        std::fs::write(&source, &long).unwrap();
        copy(&File::open(&source).unwrap(), &path, Utf8Path::from_path(dir.path()).unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), long);
    }

    #[test]
    fn a_directory_in_the_place_of_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        std::fs::create_dir(dir.join("d")).unwrap();
        let error = write_file(&dir.join("d"), |_| Ok(())).unwrap_err();
        assert!(error.message.starts_with("failed to write "), "{}", error.message);
        assert_eq!(names(dir), ["d"]);
    }
}
