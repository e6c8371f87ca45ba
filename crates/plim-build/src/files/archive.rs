//! Archives that ADD unpacks.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::tar::{Limits, TarError, read_layer};
use plim_oci::{EntryHead, EntryKind};

use super::canvas::Canvas;
use super::checked;
use super::content::Content;
use super::{CopyOp, FilesError};
use crate::snapshot::tree::{self, Last};
use crate::snapshot::{fill, xattrs};

const BLOCK: usize = 512;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// Says whether the content is a tar archive, by its first bytes and never by its name.
pub(super) fn detect(content: &Content) -> io::Result<Option<Format>> {
    let mut magic = [0; 6];
    let count = fill(&mut content.open()?, &mut magic)?;
    let format = match &magic[..count] {
        [0x1f, 0x8b, ..] => Format::Gzip,
        [b'B', b'Z', b'h', ..] => Format::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Format::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
        _ => Format::Plain,
    };
    let mut block = [0; BLOCK];
    // what cannot be decompressed is a file like any other
    let filled = decompress(content, format).and_then(|mut tar| fill(&mut tar, &mut block));
    match filled {
        Err(error) if checked::changed_file(&error).is_some() => Err(error),
        filled => Ok(filled.is_ok_and(|count| count == BLOCK && is_header(&block)).then_some(format)),
    }
}

/// Says whether a file is a tar archive.
pub(crate) fn is_archive(file: &Path) -> io::Result<bool> {
    let file = File::open(file)?;
    let size = file.metadata()?.len();
    detect(&Content::Slice { file: Arc::new(file), offset: 0, size }).map(|format| format.is_some())
}

/// Lays an archive down in a directory. Owners, modes and times are the archive's, unless the step names an
/// owner; symbolic links of the archive are followed inside the directory only.
pub(super) fn unpack(
    canvas: &mut Canvas<'_>,
    content: &Content,
    format: Format,
    top: &BStr,
    op: &CopyOp,
    scratch: &Path,
) -> Result<(), FilesError> {
    let tar = decompress(content, format).map_err(TarError::Io)?;
    let mut spool = Spool::new(scratch).map_err(|error| FilesError::io("create a file in", scratch, error))?;
    let unpacked = read_layer(tar, &Limits::default(), &mut |head, bytes: &mut dyn Read| {
        entry(canvas, head, bytes, top, op, &mut spool)
    });
    // what stands behind the archive in its file is not read; and if it changed meanwhile, that is what is wrong with it
    content.check().map_err(FilesError::inside("read again for", top))?;
    unpacked
}

fn entry(
    canvas: &mut Canvas<'_>,
    mut head: EntryHead,
    bytes: &mut dyn Read,
    top: &BStr,
    op: &CopyOp,
    spool: &mut Spool,
) -> Result<(), FilesError> {
    // the archive's own root says nothing about the directory that it is unpacked to
    if head.path.is_empty() || head.kind == EntryKind::Char && head.device == (0, 0) {
        return Ok(());
    }
    if let Some((uid, gid)) = op.owner {
        (head.uid, head.gid) = (uid, gid);
    }
    head.xattrs.retain(|name, _| xattrs::carried(name));
    let name = tree::file_name(head.path.as_bstr()).to_owned();
    let above = inside(canvas, top, tree::parent(head.path.as_bstr()).unwrap_or(BStr::new("")))?;
    let mut implied = EntryHead::new("", EntryKind::Dir, 0o755);
    implied.mtime = op.epoch;
    canvas.make_dirs(above.as_bstr(), &implied)?;
    let listed = std::mem::replace(&mut head.path, tree::join(above.as_bstr(), name.as_bstr()));
    match head.kind {
        EntryKind::Dir => {
            canvas.clear_for(&head)?;
            canvas.put_dir(head)
        }
        EntryKind::Hardlink => {
            let target = tree::clean(head.link.as_bstr());
            let target_above = inside(canvas, top, tree::parent(target.as_bstr()).unwrap_or(BStr::new("")))?;
            let target = tree::join(target_above.as_bstr(), tree::file_name(target.as_bstr()));
            if target == head.path {
                return Ok(());
            }
            canvas.clear_for(&head)?;
            if canvas.link(head.path, target.as_bstr())? {
                return Ok(());
            }
            let reason = format!("hard link to {}, which is not there", head.link);
            Err(TarError::Entry { path: listed, reason }.into())
        }
        EntryKind::File => {
            let content = spool.take(bytes, head.size).map_err(TarError::Io)?;
            canvas.clear_for(&head)?;
            canvas.put(head, content, None)
        }
        _ => {
            canvas.clear_for(&head)?;
            canvas.put(head, Content::None, None)
        }
    }
}

fn inside(canvas: &Canvas<'_>, top: &BStr, path: &BStr) -> Result<BString, FilesError> {
    tree::resolve(canvas, top, path, Last::Follow).map_err(FilesError::inside("read", path))
}

/// The contents of an archive, one after the other in a file without a name.
struct Spool {
    file: Arc<File>,
    end: u64,
}

impl Spool {
    fn new(scratch: &Path) -> io::Result<Self> {
        Ok(Self { file: Arc::new(tempfile::tempfile_in(scratch)?), end: 0 })
    }

    fn take(&mut self, bytes: &mut dyn Read, size: u64) -> io::Result<Content> {
        if size == 0 {
            return Ok(Content::None);
        }
        let written = io::copy(bytes, &mut &*self.file)?;
        if written != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let offset = self.end;
        self.end += size;
        Ok(Content::Slice { file: Arc::clone(&self.file), offset, size })
    }
}

fn decompress(content: &Content, format: Format) -> io::Result<Box<dyn Read + '_>> {
    let reader = BufReader::with_capacity(128 * 1024, content.open()?);
    Ok(match format {
        Format::Plain => Box::new(reader),
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Format::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        Format::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(reader)),
        Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
    })
}

/// Says whether a block is a tar header: its checksum is that of its bytes, the field itself read as blanks.
fn is_header(block: &[u8; BLOCK]) -> bool {
    let field = 148..156;
    let digits: Vec<u8> = block[field.clone()].iter().copied().filter(|byte| *byte != 0 && *byte != b' ').collect();
    let Some(stored) = std::str::from_utf8(&digits).ok().and_then(|digits| i64::from_str_radix(digits, 8).ok()) else {
        return false;
    };
    let sum = |read: fn(u8) -> i64| -> i64 {
        let at = |(index, byte): (usize, &u8)| if field.contains(&index) { read(b' ') } else { read(*byte) };
        block.iter().enumerate().map(at).sum()
    };
    // some old writers summed signed bytes
    stored == sum(i64::from) || stored == sum(|byte| i64::from(byte.cast_signed()))
}
