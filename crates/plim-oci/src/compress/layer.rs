//! Writing a layer in one pass: tar, diffID, observer, compression, blob.

use std::io::{self, Read, Write};

use crate::tar::{self, Limits, TarWriter};
use crate::{BlobError, BlobsMut as _, Descriptor, EntryHead, Events, Hasher, Layer, LayerObserver, Layout, Source};

use super::pipeline::{Output, Pipeline};
use super::{Compression, decompressor};

/// Writes a layer into a layout, entry by entry. Equal entries give equal bytes, on any machine.
///
/// Dropping an unfinished writer leaves nothing behind.
pub struct LayerWriter {
    tar: TarWriter<Pipeline>,
    compression: Compression,
    observer: Option<Box<dyn LayerObserver>>,
    layout: Layout,
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
        Ok(Self { tar: TarWriter::new(pipeline), compression, observer, layout: layout.clone(), broken: false })
    }

    /// Adds an entry with `head.size` bytes of content. Entries come in the order of the caller, who also
    /// sees to it that no path comes twice. After an error the writer is of no more use.
    pub fn entry(&mut self, head: &EntryHead, content: &mut dyn Read) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the layer failed before"));
        }
        let result = match &mut self.observer {
            None => self.tar.entry(head, content),
            Some(observer) => {
                observer.entry(head);
                let result = self.tar.entry(head, &mut Observed { inner: content, observer: observer.as_mut() });
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
        let output = self.tar.finish().and_then(Pipeline::finish).map_err(write)?;
        commit(output, self.compression, self.observer, created_by, events)
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
