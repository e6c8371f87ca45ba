//! Writing a layer in one pass: tar, diffID, observer, compression, blob.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::tar::{self, Limits, TarWriter};
use crate::{BlobError, BlobsMut as _, Descriptor, EntryHead, Events, Hasher, Layer, LayerObserver, Layout, Source};

use super::frames::{self, Known};
use super::pipeline::{Output, Pipeline};
use super::{Compression, cuts, decompressor};

/// Writes a layer into a layout, entry by entry. Equal entries give equal bytes, on any machine.
///
/// Dropping an unfinished writer leaves nothing behind.
pub struct LayerWriter {
    tar: TarWriter<Pipeline>,
    compression: Compression,
    observer: Option<Box<dyn LayerObserver>>,
    layout: Layout,
    /// The table of the frames of the last layer, and of this one.
    frames: Option<PathBuf>,
    /// An entry was written in part: what follows would be nonsense.
    broken: bool,
}

impl std::fmt::Debug for LayerWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerWriter")
            .field("layout", &self.layout)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl LayerWriter {
    /// Begins a layer; the observer sees every entry and byte as it is written.
    pub fn new(
        layout: &Layout,
        compression: Compression,
        observer: Option<Box<dyn LayerObserver>>,
    ) -> Result<Self, BlobError> {
        let pipeline = Pipeline::new(layout.writer()?, compression);
        let (tar, layout) = (TarWriter::new(pipeline), layout.clone());
        Ok(Self { tar, compression, observer, layout, frames: None, broken: false })
    }

    /// Takes over what the layer has in common with an earlier one from that one's blob instead of compressing it again;
    /// what is written is the same. `table` is a file that says what the earlier blob consists of, and then what this one
    /// does; there need not be one.
    #[must_use]
    pub fn with_frames(mut self, table: Option<PathBuf>) -> Self {
        if let Some(table) = table.filter(|_| self.compression != Compression::None) {
            let known = Known::load(&table, &self.layout, self.compression);
            if let (Some(observer), Some(known)) = (&mut self.observer, &known) {
                observer.follows(known.diff_id());
            }
            self.tar.inner().keep_frames(known);
            self.frames = Some(table);
        }
        self
    }

    /// Adds an entry with `head.size` bytes of content. Entries come in the order of the caller, who also
    /// sees to it that no path comes twice. After an error the writer is of no more use.
    pub fn entry(&mut self, head: &EntryHead, content: &mut dyn Read) -> io::Result<()> {
        self.known_entry(head, None, content)
    }

    /// The same for a file of which the caller knows the SHA-256: what it reads must have that one, or fail.
    pub fn known_entry(
        &mut self,
        head: &EntryHead,
        sha256: Option<&[u8; 32]>,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the layer failed before"));
        }
        if cuts::before(head, self.tar.inner().mean())
            && let Err(error) = self.tar.inner().cut()
        {
            self.broken = true;
            return Err(error);
        }
        let result = match &mut self.observer {
            None => self.tar.entry(head, content),
            Some(observer) => {
                observer.entry(head);
                let result = if sha256.is_none_or(|sha256| observer.content(sha256)) {
                    self.tar.entry(head, &mut Observed { inner: content, observer: observer.as_mut() })
                } else {
                    self.tar.entry(head, content)
                };
                observer.end();
                result
            }
        };
        self.broken = result.is_err();
        result
    }

    /// Ends the layer and names its blob; then the observer finishes.
    pub fn finish(self, created_by: Option<String>, events: &dyn Events) -> Result<Layer, BlobError> {
        let write = |error| BlobError::io("write a layer in", self.layout.root(), error);
        if self.broken {
            return Err(write(io::Error::other("an entry failed")));
        }
        let mut output = self.tar.finish().and_then(Pipeline::finish).map_err(write)?;
        let frames = std::mem::take(&mut output.frames);
        let layer = commit(output, self.compression, self.observer, created_by, events)?;
        // one frame is the whole layer, which would be found if it were the same
        if let Some(table) = self.frames.filter(|_| frames.len() > 1)
            && let Err(error) = frames::save(&table, &layer, self.compression, &frames)
        {
            tracing::debug!(%error, table = %table.display(), "the frames of a layer are not noted");
        }
        Ok(layer)
    }
}

/// Stores a tar stream as a layer, byte for byte, while it passes the observer. The stream may be compressed;
/// the layer's compression is `compression`.
pub fn store_layer(
    layout: &Layout,
    tar: impl Read + Send,
    compression: Compression,
    observer: Option<Box<dyn LayerObserver>>,
    created_by: Option<String>,
    events: &dyn Events,
) -> Result<Layer, BlobError> {
    let mut pipeline = Pipeline::new(layout.writer()?, compression);
    let mut observer = observer;
    let output = pass(decompressor(tar), &mut pipeline, observer.as_deref_mut())
        .and_then(|()| pipeline.finish())
        .map_err(|error| BlobError::io("store a layer in", layout.root(), error))?;
    commit(output, compression, observer, created_by, events)
}

/// Stores a layer's blob as it is, compressed or not, while its content passes the observer; checks it against
/// its descriptor. This is how a pulled layer is read once. What cannot be read as a layer is stored all the same:
/// nothing is known of it then.
pub fn adopt_layer(
    layout: &Layout,
    descriptor: &Descriptor,
    source: &dyn Source,
    mut observer: Box<dyn LayerObserver>,
    events: &dyn Events,
) -> Result<(), BlobError> {
    let Some(mut receiver) = layout.receive(descriptor, source)? else { return Ok(()) };
    let resumed = receiver.is_resumed();
    let mut content = Content::default();
    let read = pass(decompressor(&mut receiver), &mut content, Some(&mut *observer));
    // what a decompressor leaves unread belongs to the blob too; and at its end stands the check
    match receiver.finish() {
        Ok(()) => {}
        Err(BlobError::Io { source: error, .. }) if resumed && error.kind() == io::ErrorKind::InvalidData => {
            return layout.put_from(descriptor, source);
        }
        Err(error) => return Err(error),
    }
    match read {
        Ok(()) => observer.finish(&content.hasher.finish(), content.size, events),
        Err(error) => tracing::debug!(digest = %descriptor.digest, %error, "the blob is no readable layer"),
    }
    Ok(())
}

/// Sends a tar stream to a sink, to its last byte, and past an observer.
fn pass(
    tar: impl Read,
    sink: &mut (dyn Write + Send),
    observer: Option<&mut (dyn LayerObserver + 'static)>,
) -> io::Result<()> {
    let mut stream = Tee { inner: tar, sink };
    if let Some(observer) = observer {
        tar::watch(&mut stream, &Limits::default(), observer)?;
    }
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

fn commit(
    output: Output,
    compression: Compression,
    observer: Option<Box<dyn LayerObserver>>,
    created_by: Option<String>,
    events: &dyn Events,
) -> Result<Layer, BlobError> {
    let descriptor = output.blob.commit(compression.media_type())?;
    if let Some(observer) = observer {
        observer.finish(&output.diff_id, output.size, events);
    }
    Ok(Layer { descriptor, diff_id: output.diff_id, created_by })
}

/// Shows an observer the content that the tar writer reads.
struct Observed<'a> {
    inner: &'a mut dyn Read,
    observer: &'a mut dyn LayerObserver,
}

impl Read for Observed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count > 0 {
            self.observer.data(&buffer[..count]);
        }
        Ok(count)
    }
}

/// Writes all that is read to a sink as well.
struct Tee<'a, R> {
    inner: R,
    sink: &'a mut (dyn Write + Send + 'a),
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sink.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// Uncompressed bytes of which only the digest and the number matter.
#[derive(Default)]
struct Content {
    hasher: Hasher,
    size: u64,
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Digest, EntryKind, Silent};

    /// 400 files of 20 KB that compress a little; `long` makes one of them longer, `name` is one more.
    fn files(long: Option<(usize, u64)>, name: Option<&str>) -> Vec<EntryHead> {
        let names = (0..400).map(|n| format!("app/lib/module-{n:03}.js")).chain(name.map(str::to_owned));
        let mut heads: Vec<EntryHead> = names.map(|name| EntryHead::new(name, EntryKind::File, 0o644)).collect();
        for head in &mut heads {
            head.size = 20_000;
        }
        if let Some((index, by)) = long {
            heads[index].size += by;
        }
        heads.sort_by(|one, other| one.path.cmp(&other.path));
        heads
    }

    fn write(store: &Layout, heads: &[EntryHead], compression: Compression, table: Option<&Path>) -> Layer {
        let mut writer = LayerWriter::new(store, compression, None).unwrap().with_frames(table.map(Path::to_owned));
        for head in heads {
            // equal names give equal content, as far as it goes
            let mut state = u32::from(*head.path.last().unwrap()) * 31 + u32::from(head.path[head.path.len() - 4]);
            let content: Vec<u8> = (0..head.size)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 28) as u8
                })
                .collect();
            writer.entry(head, &mut &content[..]).unwrap();
        }
        writer.finish(None, &Silent).unwrap()
    }

    /// Frames of the layer at `table` that the one at `other` has as well, and all of it.
    fn shared(table: &[u8], other: &[u8]) -> (usize, usize) {
        let rows = |bytes: &[u8]| bytes[8 + 2 * 71 + 16..].chunks(68).map(|row| row[..32].to_vec()).collect::<Vec<_>>();
        let (one, other) = (rows(table), rows(other));
        (one.iter().filter(|frame| other.contains(frame)).count(), one.len())
    }

    #[test]
    fn a_file_that_grew_or_came_leaves_most_frames_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let store = Layout::create(dir.path().join("store")).unwrap();
        for compression in [Compression::Gzip(1), Compression::Zstd(1)] {
            let table = dir.path().join(format!("frames-{compression}"));
            write(&store, &files(None, None), compression, Some(&table));
            let before = std::fs::read(&table).unwrap();
            for heads in
                [files(Some((37, 5_000)), None), files(Some((37, 3_000_000)), None), files(None, Some("app/lib/a.js"))]
            {
                write(&store, &heads, compression, Some(&table));
                let (same, all) = shared(&before, &std::fs::read(&table).unwrap());
                assert!(all >= 3 && same + 2 >= all, "{same} of {all} frames, {compression}");
                std::fs::write(&table, &before).unwrap();
            }
        }
    }

    #[test]
    fn frames_that_are_taken_over_change_no_byte() {
        let dir = tempfile::tempdir().unwrap();
        let store = Layout::create(dir.path().join("store")).unwrap();
        for compression in [Compression::Gzip(6), Compression::Zstd(3), Compression::None] {
            let table = dir.path().join(format!("frames-{compression}"));
            write(&store, &files(None, None), compression, Some(&table));
            let heads = files(Some((200, 70_000)), None);
            let (taken, alone) =
                (write(&store, &heads, compression, Some(&table)), write(&store, &heads, compression, None));
            assert_eq!(taken, alone, "{compression}");
            assert_eq!(table.exists(), compression != Compression::None);
            // the frames are those of the blob, each to be opened alone
            let blob = std::fs::read(store.blob_path(&taken.descriptor.digest)).unwrap();
            let mut raw = Vec::new();
            decompressor(&blob[..]).read_to_end(&mut raw).unwrap();
            assert_eq!(Digest::of(&raw), taken.diff_id);
        }
    }

    #[test]
    fn a_table_of_another_blob_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let store = Layout::create(dir.path().join("store")).unwrap();
        let (table, gzip) = (dir.path().join("frames"), Compression::Gzip(1));
        let layer = write(&store, &files(None, None), gzip, Some(&table));
        let before = std::fs::read(&table).unwrap();
        for damage in [before.len() - 3, 190, 160, 90, 3] {
            let mut damaged = before.clone();
            damaged[damage] ^= 1;
            std::fs::write(&table, &damaged).unwrap();
            assert_eq!(write(&store, &files(None, None), gzip, Some(&table)), layer, "byte {damage}");
            assert_eq!(std::fs::read(&table).unwrap(), before, "written anew");
        }
        // the blob itself rotted, in the middle
        let path = store.blob_path(&layer.descriptor.digest);
        let mut blob = std::fs::read(&path).unwrap();
        let middle = blob.len() / 2;
        blob[middle] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, blob).unwrap();
        assert_eq!(write(&store, &files(None, None), gzip, Some(&table)), layer);
    }
}
