//! Reading a `.deb` (deb(5)): an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.
//!
//! Nothing is written here; entries stream past. Names are made safe on the way: relative to the root, without `.` and
//! `..`, and moved below `usr/` where a system with merged `/usr` has them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryKind;

use crate::DebianError;

mod repack;

pub(crate) use repack::is_whole;
pub use repack::repack;

/// Memory that an xz or zstd stream may ask for, in bytes; dpkg-deb's own level needs less than a third.
const DECODER_MEMORY: u64 = 256 << 20;
/// The largest control archive that is read, in bytes, unpacked; the largest of Debian has about 6 MB.
const CONTROL_LIMIT: u64 = 64 << 20;
/// The most that the files of one package may unpack to, in bytes.
const DATA_LIMIT: u64 = 16 << 30;
/// The top-level directories that are links into `usr/` (merged `/usr`).
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// An opened package: its control files, and its data still to come.
#[derive(Debug)]
pub struct Deb {
    path: PathBuf,
    file: BufReader<File>,
    data: Member,
    epoch: i64,
    control: BTreeMap<String, ControlFile>,
}

/// A file of the control archive.
#[derive(Debug, Clone)]
pub struct ControlFile {
    /// Permission bits.
    pub mode: u32,
    /// Content.
    pub content: Vec<u8>,
}

/// An entry of the data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataEntry {
    /// Where it goes, relative to the root; empty for the root itself.
    pub path: BString,
    /// Where the package says it goes, relative to the root.
    pub shipped: BString,
    /// What it is: a file, directory, symbolic link or hard link.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of content.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Target of a link; of a hard link a path like `path`.
    pub link: BString,
}

#[derive(Debug, Clone, Copy)]
enum Packing {
    None,
    Gzip,
    Xz,
    Zstd,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    packing: Packing,
    size: u64,
}

impl Deb {
    /// Opens a package and reads its control files.
    pub fn open(path: &Path) -> Result<Self, DebianError> {
        let file = File::open(path).map_err(DebianError::io("read", path))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        Self::read(&mut file, path).map_err(|reason| malformed(path, reason)).map(|(epoch, control, data)| Self {
            path: path.to_owned(),
            file,
            data,
            epoch,
            control,
        })
    }

    /// Returns when a package was built, in seconds since 1970, from its first member alone.
    pub(crate) fn built(path: &Path) -> Result<i64, DebianError> {
        let mut file = File::open(path).map_err(DebianError::io("read", path))?;
        let mut magic = [0; 8];
        file.read_exact(&mut magic).map_err(DebianError::io("read", path))?;
        member_head(&mut file).map(|(_, _, epoch)| epoch).map_err(|reason| malformed(path, reason))
    }

    fn read(file: &mut BufReader<File>, path: &Path) -> Result<(i64, BTreeMap<String, ControlFile>, Member), String> {
        let mut magic = [0; 8];
        file.read_exact(&mut magic).map_err(|error| error.to_string())?;
        if &magic != b"!<arch>\n" {
            return Err("it is no ar archive".to_owned());
        }
        let (name, size, epoch) = member_head(file)?;
        let mut version = Vec::new();
        file.by_ref().take(size.min(64)).read_to_end(&mut version).map_err(|error| error.to_string())?;
        if name != "debian-binary" || size > 64 || !version.starts_with(b"2.") {
            return Err("it is no Debian package of format 2".to_owned());
        }
        skip_padding(file, size)?;
        let mut control = None;
        loop {
            let (name, size, _) = member_head(file)?;
            if let Some(packing) = packing_of(&name, "control.tar") {
                let mut member = file.by_ref().take(size);
                let reader = decoder(packing, &mut member)?.take(CONTROL_LIMIT);
                control = Some(read_control(reader).map_err(|error| format!("control.tar: {error}"))?);
                // a tar ends before its padding does
                std::io::copy(&mut member, &mut std::io::sink()).map_err(|error| error.to_string())?;
            } else if let Some(packing) = packing_of(&name, "data.tar") {
                let control = control.ok_or_else(|| "it has no control.tar before data.tar".to_owned())?;
                tracing::trace!(path = %path.display(), "package opened");
                return Ok((epoch, control, Member { packing, size }));
            } else if name.starts_with('_') {
                // deb(5): members whose names begin so are for others
                std::io::copy(&mut file.by_ref().take(size), &mut std::io::sink())
                    .map_err(|error| error.to_string())?;
            } else {
                return Err(format!("it has the unexpected member {name}"));
            }
            skip_padding(file, size)?;
        }
    }

    /// Returns when the package was built, in seconds since 1970.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Returns the control files by name: `control`, `md5sums`, `postinst`, …
    pub fn control(&self) -> &BTreeMap<String, ControlFile> {
        &self.control
    }

    /// Returns a control file as text; empty where there is none.
    pub fn control_text(&self, name: &str) -> String {
        self.control.get(name).map(|file| file.content.to_str_lossy().into_owned()).unwrap_or_default()
    }

    /// Hands every entry of the data archive to `each`, with its content.
    pub fn unpack(
        mut self,
        each: &mut dyn FnMut(DataEntry, &mut dyn Read) -> Result<(), DebianError>,
    ) -> Result<(), DebianError> {
        let path = self.path.clone();
        let bad = |reason: String| malformed(&path, format!("data.tar: {reason}"));
        let reader = decoder(self.data.packing, self.file.by_ref().take(self.data.size)).map_err(bad)?;
        let mut reader = reader.take(DATA_LIMIT);
        let mut archive = tar::Archive::new(&mut reader);
        for entry in archive.entries().map_err(|error| bad(error.to_string()))? {
            let mut entry = entry.map_err(|error| bad(error.to_string()))?;
            let Some(head) = data_entry(&entry).map_err(bad)? else { continue };
            each(head, &mut entry)?;
        }
        // the decoder checks its sums at the end, which a tar does not reach by itself
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|error| bad(error.to_string()))?;
        if reader.limit() == 0 {
            return Err(bad("it is too large".to_owned()));
        }
        Ok(())
    }
}

fn malformed(path: &Path, reason: String) -> DebianError {
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    DebianError::Malformed { file: format!("package {name}"), reason }
}

/// Bytes of the head of an `ar` member.
const HEAD: usize = 60;

/// Reads the head of an `ar` member: name, size, time.
fn member_head(file: &mut impl Read) -> Result<(String, u64, i64), String> {
    let mut head = [0; HEAD];
    file.read_exact(&mut head).map_err(|_| "it ends too early".to_owned())?;
    parse_head(&head)
}

fn parse_head(head: &[u8; HEAD]) -> Result<(String, u64, i64), String> {
    if &head[58..] != b"`\n" {
        return Err("it has a damaged member head".to_owned());
    }
    let text =
        |range: std::ops::Range<usize>| std::str::from_utf8(&head[range]).unwrap_or_default().trim_end().to_owned();
    let name = text(0..16).trim_end_matches('/').to_owned();
    let size = text(48..58).parse().map_err(|_| "it has a member without a size".to_owned())?;
    Ok((name, size, text(16..28).parse().unwrap_or(0)))
}

fn skip_padding(file: &mut impl Read, size: u64) -> Result<(), String> {
    if size % 2 == 1 {
        let mut byte = [0];
        file.read_exact(&mut byte).map_err(|_| "it ends too early".to_owned())?;
    }
    Ok(())
}

fn packing_of(name: &str, stem: &str) -> Option<Packing> {
    match name.strip_prefix(stem)? {
        "" => Some(Packing::None),
        ".gz" => Some(Packing::Gzip),
        ".xz" => Some(Packing::Xz),
        ".zst" => Some(Packing::Zstd),
        _ => None,
    }
}

fn decoder<'r>(packing: Packing, reader: impl Read + 'r) -> Result<Box<dyn Read + 'r>, String> {
    Ok(match packing {
        Packing::None => Box::new(reader),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Packing::Xz => Box::new(xz(reader)?),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(reader).map_err(|error| error.to_string())?;
            decoder.window_log_max(DECODER_MEMORY.ilog2()).map_err(|error| error.to_string())?;
            Box::new(decoder)
        }
    })
}

/// Returns a reader of xz data with bounded memory.
pub(crate) fn xz<R: Read>(reader: R) -> Result<liblzma::read::XzDecoder<R>, String> {
    let stream = liblzma::stream::Stream::new_stream_decoder(DECODER_MEMORY, liblzma::stream::CONCATENATED)
        .map_err(|error| error.to_string())?;
    Ok(liblzma::read::XzDecoder::new_stream(reader, stream))
}

fn read_control(reader: impl Read) -> std::io::Result<BTreeMap<String, ControlFile>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path_bytes().into_owned();
        let name = path.strip_prefix(b"./").unwrap_or(&path);
        // control files have no folders; a name with one could only mean to leave the place where they are kept
        let plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte));
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| plain && !name.starts_with('.')) else {
            return Err(std::io::Error::other(format!("it holds `{}`", path.as_bstr())));
        };
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(name.to_owned(), ControlFile { mode: entry.header().mode()? & 0o777, content });
    }
    Ok(files)
}

/// Checks and translates one entry; `None` for the kinds that carry only metadata of others.
fn data_entry(entry: &tar::Entry<'_, impl Read>) -> Result<Option<DataEntry>, String> {
    let header = entry.header();
    let raw = entry.path_bytes();
    let shipped = clean(&raw).ok_or_else(|| format!("`{}` leaves the root", raw.as_bstr()))?;
    let number = |result: std::io::Result<u64>| result.map_err(|error| error.to_string());
    let mut link = entry.link_name_bytes().map(|link| BString::from(link.into_owned())).unwrap_or_default();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Dir,
        tar::EntryType::Symlink => {
            if link.is_empty() {
                return Err(format!("the link {shipped} has no target"));
            }
            EntryKind::Symlink
        }
        tar::EntryType::Link => {
            link =
                clean(&link).map(|link| merged(link.as_bstr())).ok_or_else(|| format!("`{link}` leaves the root"))?;
            EntryKind::Hardlink
        }
        tar::EntryType::XGlobalHeader => return Ok(None),
        other => return Err(format!("{shipped} is of kind {other:?}, which no package should hold")),
    };
    let top_link = kind == EntryKind::Symlink && MERGED.contains(&shipped.to_str().unwrap_or_default());
    Ok(Some(DataEntry {
        path: if top_link { shipped.clone() } else { merged(shipped.as_bstr()) },
        shipped,
        kind,
        mode: header.mode().map_err(|error| error.to_string())? & 0o7777,
        uid: number(header.uid())?.try_into().map_err(|_| "an owner is out of range".to_owned())?,
        gid: number(header.gid())?.try_into().map_err(|_| "a group is out of range".to_owned())?,
        size: if kind == EntryKind::File { entry.size() } else { 0 },
        mtime: i64::try_from(number(header.mtime())?).unwrap_or(0),
        link,
    }))
}

/// Makes a path relative to the root; `None` if it leaves it.
fn clean(path: &[u8]) -> Option<BString> {
    let mut clean = BString::default();
    for part in path.split_str("/") {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part if part.contains(&0) => return None,
            part => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(part);
            }
        }
    }
    Some(clean)
}

/// Moves a path below `usr/` where merged `/usr` has a link in its place.
fn merged(path: &BStr) -> BString {
    let top = path.split_str("/").next().unwrap_or_default();
    if MERGED.iter().any(|name| name.as_bytes() == top) {
        let mut moved = BString::from("usr/");
        moved.extend_from_slice(path);
        return moved;
    }
    path.to_owned()
}

#[cfg(test)]
mod tests;
