//! A package as it is kept: its data as zstd, where Debian packs it as xz.
//!
//! Inflating xz takes longer than all else that becomes of a package, and most packages are unpacked more than once: for
//! each base image that holds them, and again whenever another package of the same level has a new version. While packages
//! are fetched, the processors have nothing else to do.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{DATA_LIMIT, HEAD, Packing, decoder, packing_of, parse_head, skip_padding};

/// The level of zstd: a third larger than xz, and written at 300 MB/s. The next one takes a third more time for a twentieth
/// of the bytes.
const LEVEL: i32 = 2;
/// Where in the head of a member its size stands.
const SIZE_AT: usize = 48;

/// Copies a package up to the end of its data, which become zstd. Returns `false` where they are not xz; then there is
/// nothing to gain, and what was written is no package.
pub fn repack(from: impl Read, mut to: impl Write + Seek) -> Result<bool, String> {
    let said = |error: io::Error| error.to_string();
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut magic = [0; 8];
    from.read_exact(&mut magic).map_err(said)?;
    to.write_all(&magic).map_err(said)?;
    loop {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).map_err(|_| "it ends too early".to_owned())?;
        let (name, size, _) = parse_head(&head)?;
        match packing_of(&name, "data.tar") {
            None => {
                to.write_all(&head).map_err(said)?;
                let copied = io::copy(&mut from.by_ref().take(size), &mut to).map_err(said)?;
                if copied != size {
                    return Err("it ends too early".to_owned());
                }
                skip_padding(&mut from, size)?;
                pad(&mut to, size).map_err(said)?;
            }
            Some(Packing::Xz) => {
                head[..16].copy_from_slice(b"data.tar.zst    ");
                let at = to.stream_position().map_err(said)?;
                to.write_all(&head).map_err(said)?;
                let size = zstd(from.by_ref().take(size), &mut to)?;
                pad(&mut to, size).map_err(said)?;
                to.seek(SeekFrom::Start(at + SIZE_AT as u64)).map_err(said)?;
                to.write_all(format!("{size:<10}").as_bytes()).map_err(said)?;
                return Ok(true);
            }
            Some(_) => return Ok(false),
        }
    }
}

/// Writes xz data as zstd and returns how many bytes it takes.
fn zstd(xz: impl Read, mut to: impl Write + Seek) -> Result<u64, String> {
    let said = |error: io::Error| error.to_string();
    let begin = to.stream_position().map_err(said)?;
    let mut data = decoder(Packing::Xz, xz)?.take(DATA_LIMIT);
    let mut encoder = zstd::stream::write::Encoder::new(&mut to, LEVEL).map_err(said)?;
    encoder.include_checksum(true).map_err(said)?;
    io::copy(&mut data, &mut encoder).map_err(said)?;
    encoder.finish().map_err(said)?;
    if data.limit() == 0 {
        return Err("it is too large".to_owned());
    }
    let size = to.stream_position().map_err(said)? - begin;
    // deb(5) gives the size ten digits
    if size >= 10_u64.pow(10) { Err("it is too large".to_owned()) } else { Ok(size) }
}

/// Members begin at even places.
fn pad(to: &mut impl Write, size: u64) -> io::Result<()> {
    if size % 2 == 1 { to.write_all(b"\n") } else { Ok(()) }
}

/// Says whether a file is a package whose data are all there, as its heads have it: one that was cut is not.
pub(crate) fn is_whole(path: &Path) -> bool {
    let end = || -> Option<(u64, u64)> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut at = 8;
        loop {
            file.seek(SeekFrom::Start(at)).ok()?;
            let mut head = [0; HEAD];
            file.read_exact(&mut head).ok()?;
            let (name, size, _) = parse_head(&head).ok()?;
            at = at.checked_add(HEAD as u64)?.checked_add(size)?.checked_add(size % 2)?;
            if packing_of(&name, "data.tar").is_some() {
                return Some((at, length));
            }
        }
    };
    end().is_some_and(|(end, length)| end == length)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::Deb;
    use super::super::tests::{ar, deb, tar};
    use super::*;

    fn repacked(deb: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let mut to = Cursor::new(Vec::new());
        repack(deb, &mut to).map(|done| done.then(|| to.into_inner()))
    }

    /// All that a reader gets of a package.
    fn read(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let deb = Deb::open(file.path()).unwrap();
        let mut text = format!("{} {:?} {}\n", deb.epoch(), deb.control(), Deb::built(file.path()).unwrap());
        deb.unpack(&mut |entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).unwrap();
            text += &format!("{entry:?} {bytes:?}\n");
            Ok(())
        })
        .unwrap();
        text
    }

    #[test]
    fn a_package_is_the_same_to_its_reader() {
        let files = [("./", ""), ("./etc/", ""), ("./etc/a", "some text"), ("./b -> etc/a", ""), ("./odd", "x")];
        let deb = deb(&[("./control", "Package: a\n"), ("./postinst", "#!/bin/sh\n")], &files);
        let repacked = repacked(&deb).unwrap().unwrap();
        assert!(repacked.windows(12).any(|window| window == b"data.tar.zst") && repacked.len().is_multiple_of(2));
        assert_eq!(read(&repacked), read(&deb));
    }

    #[test]
    fn only_a_whole_file_is_taken_for_one() {
        let repacked = repacked(&deb(&[("./control", "")], &[("./a", "text")])).unwrap().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        for cut in 0..=repacked.len() {
            std::fs::write(file.path(), &repacked[..cut]).unwrap();
            assert_eq!(is_whole(file.path()), cut == repacked.len(), "{cut} of {}", repacked.len());
        }
        assert!(!is_whole(&file.path().join("nothing")));
    }

    #[test]
    fn what_is_not_xz_stays_and_what_is_damaged_is_an_error() {
        let plain = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &tar(&[])), ("data.tar", &tar(&[("./a", "x")]))]);
        assert_eq!(repacked(&plain), Ok(None));
        let deb = deb(&[("./control", "")], &[("./a", "text")]);
        for cut in 0..deb.len() - 1 {
            assert!(repacked(&deb[..cut]).is_err(), "{cut} of {}", deb.len());
        }
    }
}
