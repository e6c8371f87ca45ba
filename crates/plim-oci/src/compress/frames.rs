//! The frames of layers that were written before, to be taken over by the next one.
//!
//! A layer is written in frames (gzip members, zstd frames) that stand on their own. A table says of a layer's blob
//! which uncompressed bytes each frame holds. When most of the files are as they were, most frames of the next layer are
//! copied from that blob instead of being compressed again. The bytes are the same either way: a table saves time and
//! changes nothing, and one that is damaged, or whose blob is gone, is not there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::{Compression, Digest, Layer, Layout};

/// The first bytes of a table; the number is that of the format, and of the cuts between frames.
const MAGIC: &[u8; 8] = b"plimfrm2";
/// Bytes of a digest as text, `sha256:` and 64 digits.
const DIGEST: usize = 71;
/// Bytes of a compression as text, padded with spaces.
const COMPRESSION: usize = 16;
/// Bytes of a row: content, check, size.
const ROW: usize = 32 + 32 + 4;
/// Frames that a table may have: 64 GiB of the smallest frames that are usual.
const MOST: usize = 200_000;

/// Bytes that a frame may have: several times what the largest chunk comes to.
const LONGEST: u32 = 64 << 20;

/// BLAKE3 of some bytes.
type Print = [u8; 32];

/// A frame of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it holds, uncompressed.
    pub(super) content: Print,
    /// Its bytes: a blob can rot on disk, and a frame that did must not get into another layer.
    check: Print,
    size: u32,
}

impl Frame {
    /// Returns a frame of these bytes.
    pub(super) fn new(content: Print, compressed: &[u8]) -> io::Result<Self> {
        let size = u32::try_from(compressed.len()).map_err(io::Error::other)?;
        Ok(Self { content, check: *blake3::hash(compressed).as_bytes(), size })
    }
}

/// Returns the name of uncompressed bytes.
pub(super) fn print(raw: &[u8]) -> Print {
    *blake3::hash(raw).as_bytes()
}

/// The frames of an earlier layer.
#[derive(Debug)]
pub(super) struct Known {
    blob: File,
    diff_id: Digest,
    frames: HashMap<Print, (u64, Frame)>,
}

impl Known {
    /// Returns the frames of which the table at `path` tells, if they have this compression and the blob is there.
    pub(super) fn load(path: &Path, layout: &Layout, compression: Compression) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (blob, diff_id, frames) = decode(&bytes, compression)?;
        let blob = File::open(layout.blob_path(&blob)).ok()?;
        let mut place = 0;
        let mut known = HashMap::with_capacity(frames.len());
        for frame in frames {
            let size = u64::from(frame.size);
            known.insert(frame.content, (place, frame));
            place += size;
        }
        Some(Self { blob, diff_id, frames: known })
    }

    /// Returns the digest of the earlier layer, uncompressed.
    pub(super) fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// Returns the compressed form of the bytes with this print, if the earlier layer has them and it is sound.
    pub(super) fn get(&self, content: &Print) -> Option<Vec<u8>> {
        let (place, frame) = self.frames.get(content)?;
        let mut bytes = vec![0; frame.size as usize];
        self.blob.read_exact_at(&mut bytes, *place).ok()?;
        (blake3::hash(&bytes).as_bytes() == &frame.check).then_some(bytes)
    }
}

/// Writes the table of a layer whose blob consists of these frames, in order. Readers see the old one or the new one.
pub(super) fn save(path: &Path, layer: &Layer, compression: Compression, frames: &[Frame]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir)?;
    file.write_all(&encode(&layer.descriptor.digest, &layer.diff_id, compression, frames))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Returns the blob that a table is about; none if it is no table. For whoever tidies up.
pub fn blob_of(table: &Path) -> Option<Digest> {
    let mut head = [0; MAGIC.len() + DIGEST];
    File::open(table).and_then(|file| file.read_exact_at(&mut head, 0)).ok()?;
    let text = head.strip_prefix(MAGIC)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn encode(blob: &Digest, diff_id: &Digest, compression: Compression, frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAGIC.len() + 2 * DIGEST + COMPRESSION + frames.len() * ROW);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(blob.as_str().as_bytes());
    out.extend_from_slice(diff_id.as_str().as_bytes());
    out.extend_from_slice(format!("{:COMPRESSION$}", compression.to_string()).as_bytes());
    for frame in frames {
        out.extend_from_slice(&frame.content);
        out.extend_from_slice(&frame.check);
        out.extend_from_slice(&frame.size.to_le_bytes());
    }
    out
}

/// Reads a table that was written for a compression.
fn decode(bytes: &[u8], compression: Compression) -> Option<(Digest, Digest, Vec<Frame>)> {
    let (blob, rest) = bytes.strip_prefix(MAGIC)?.split_at_checked(DIGEST)?;
    let (diff_id, rest) = rest.split_at_checked(DIGEST)?;
    let (form, rows) = rest.split_at_checked(COMPRESSION)?;
    let digest = |text| std::str::from_utf8(text).ok()?.parse().ok();
    let (blob, diff_id) = (digest(blob)?, digest(diff_id)?);
    if std::str::from_utf8(form).ok()?.trim_end() != compression.to_string() {
        return None;
    }
    if rows.len() % ROW != 0 || rows.len() / ROW > MOST {
        return None;
    }
    let row = |row: &[u8]| {
        Some(Frame {
            content: row[..32].try_into().ok()?,
            check: row[32..64].try_into().ok()?,
            size: u32::from_le_bytes(row[64..].try_into().ok()?),
        })
    };
    let rows = rows.chunks_exact(ROW).map(|bytes| row(bytes).filter(|frame: &Frame| frame.size <= LONGEST));
    Some((blob, diff_id, rows.collect::<Option<_>>()?))
}

/// Reads any bytes as a table and forgets it; for tests of robustness.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    for compression in [Compression::default(), Compression::Zstd(3)] {
        if let Some((blob, diff_id, frames)) = decode(bytes, compression) {
            let written = encode(&blob, &diff_id, compression, &frames);
            assert_eq!(decode(&written, compression), Some((blob, diff_id, frames)), "what was written can be read");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_that_rotted_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path().join("store")).unwrap();
        let mut writer = layout.writer().unwrap();
        writer.write_all(b"onetwo").unwrap();
        let descriptor = writer.commit(Compression::Gzip(6).media_type()).unwrap();
        let blob = descriptor.digest.clone();
        let layer = Layer { descriptor, diff_id: Digest::of(b"tar"), created_by: None };
        let frames = [Frame::new(print(b"1"), b"one").unwrap(), Frame::new(print(b"2"), b"two").unwrap()];
        let table = dir.path().join("tables/a");
        let gzip = Compression::Gzip(6);
        save(&table, &layer, gzip, &frames).unwrap();
        assert_eq!(blob_of(&table), Some(blob.clone()));
        let known = Known::load(&table, &layout, gzip).unwrap();
        assert_eq!(known.get(&print(b"2")).as_deref(), Some(&b"two"[..]));
        assert_eq!(known.diff_id(), &layer.diff_id);
        assert_eq!(known.get(&print(b"3")), None);
        assert!(Known::load(&table, &layout, Compression::Gzip(5)).is_none());
        fs::write(layout.blob_path(&blob), b"onetwO").unwrap();
        let known = Known::load(&table, &layout, gzip).unwrap();
        assert_eq!((known.get(&print(b"1")).is_some(), known.get(&print(b"2"))), (true, None));
        fs::remove_file(layout.blob_path(&blob)).unwrap();
        assert!(Known::load(&table, &layout, gzip).is_none());
    }

    proptest! {
        #[test]
        fn tables_are_read_as_they_were_written(rows in proptest::collection::vec((any::<u64>(), any::<u16>()), 0..20)) {
            let frames: Vec<Frame> = rows
                .iter()
                .map(|(seed, size)| Frame::new(print(&seed.to_le_bytes()), &vec![7; usize::from(*size)]).unwrap())
                .collect();
            let (blob, diff_id, zstd) = (Digest::of(b"blob"), Digest::of(b"tar"), Compression::Zstd(-7));
            let bytes = encode(&blob, &diff_id, zstd, &frames);
            prop_assert_eq!(decode(&bytes, zstd), Some((blob, diff_id, frames)));
            prop_assert_eq!(decode(&bytes, Compression::Zstd(7)), None);
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1], zstd), None);
        }

        #[test]
        fn whatever_a_table_holds_reading_it_ends(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut table = MAGIC.to_vec();
            table.extend(bytes);
            let _ = decode(&table, Compression::Gzip(6));
        }
    }
}
