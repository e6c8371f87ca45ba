//! Bytes in, compressed blob out: chunks are compressed on all cores and written in order.
//!
//! Every chunk becomes a gzip member or a zstd frame of its own, so the bytes depend on the content and the
//! level alone, never on the number of threads or their luck. At most a few chunks a core are in memory. A chunk that an
//! earlier blob has is taken from there.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::layout::BlobWriter;
use crate::{Digest, Hasher};

use super::Compression;
use super::frames::{self, Frame, Known};

/// Bytes of a gzip member: the loss in size against one stream is below 1 %.
const GZIP_CHUNK: usize = 1 << 20;
/// Bytes of a zstd frame: its window reaches further than gzip's 32 KiB, and gains by it.
const ZSTD_CHUNK: usize = 4 << 20;

/// Where the caller says where chunks end, they end here all the same: a run of headers may have no end. Bytes.
const MAX_CHUNK: usize = 8 << 20;

/// One thread hashes everything, and with more compressors than this it is what the others wait for.
const MAX_THREADS: usize = 16;

/// Takes the uncompressed bytes of a layer.
pub(super) struct Pipeline {
    compression: Compression,
    chunk: Vec<u8>,
    size: u64,
    stage: Stage,
    threads: usize,
    /// Chunks end where [`Pipeline::cut`] is called.
    by_hand: bool,
    /// Chunks that were handed on.
    passed: usize,
    /// Prints of chunks are taken; the frames that are known.
    keep: Option<Arc<Option<Known>>>,
}

/// What came out.
pub(super) struct Output {
    pub(super) blob: BlobWriter,
    pub(super) diff_id: Digest,
    pub(super) size: u64,
    /// What the blob consists of, if that was of interest and there is more than one chunk.
    pub(super) frames: Vec<Frame>,
}

/// What came out, with room for more at its end.
pub(super) struct Tail {
    sink: Sink,
    size: u64,
    compression: Compression,
    /// Where the chunks begin in the blob, where the caller ended them; bytes.
    pub(super) starts: Vec<u64>,
}

impl Tail {
    /// Returns the bytes of the blob so far.
    pub(super) fn blob_size(&self) -> u64 {
        self.sink.blob.size()
    }

    /// Adds one more chunk.
    pub(super) fn chunk(&mut self, raw: &[u8]) -> io::Result<()> {
        self.size += raw.len() as u64;
        let compressed = Compressor::new(self.compression)?.compress(raw)?;
        self.sink.take(raw, Some(&compressed), None)
    }

    /// Adds bytes to the blob that are nothing when it is decompressed.
    pub(super) fn trailer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.blob.write_all(bytes)
    }

    /// Ends the blob.
    pub(super) fn close(mut self) -> io::Result<Output> {
        self.sink.blob.flush()?;
        let diff_id = match self.sink.diff_id {
            Some(hasher) => hasher.finish(),
            None => self.sink.blob.digest(),
        };
        Ok(Output { blob: self.sink.blob, diff_id, size: self.size, frames: self.sink.frames })
    }
}

enum Stage {
    /// Less than a chunk so far: most layers of a build never start a thread.
    Small(Box<Sink>),
    Running(Running),
    /// The threads were joined after an error.
    Failed,
}

/// The end of the line: hashes what went in and writes what came out.
struct Sink {
    blob: BlobWriter,
    /// The digest of the uncompressed bytes; not needed where they are the blob itself.
    diff_id: Option<Hasher>,
    /// Where the chunks begin in the blob, if that is of interest.
    starts: Option<Vec<u64>>,
    /// What the blob consists of, where that is asked.
    frames: Vec<Frame>,
}

impl Sink {
    fn take(&mut self, raw: &[u8], compressed: Option<&[u8]>, frame: Option<Frame>) -> io::Result<()> {
        self.frames.extend(frame);
        if let Some(starts) = &mut self.starts {
            starts.push(self.blob.size());
        }
        if let Some(hasher) = &mut self.diff_id {
            hasher.update(raw);
        }
        self.blob.write_all(compressed.unwrap_or(raw))
    }
}

/// A chunk, and where its compressed form will arrive.
struct Ticket {
    raw: Arc<Vec<u8>>,
    compressed: Receiver<io::Result<Compressed>>,
}

/// What became of a chunk.
struct Compressed {
    bytes: Vec<u8>,
    /// What it is to those who look for it later, where that is asked.
    frame: Option<Frame>,
}

struct Job {
    raw: Arc<Vec<u8>>,
    answer: Sender<io::Result<Compressed>>,
}

struct Running {
    jobs: Sender<Job>,
    tickets: SyncSender<Ticket>,
    sink: JoinHandle<io::Result<Sink>>,
    workers: Vec<JoinHandle<()>>,
}

impl Pipeline {
    pub(super) fn new(blob: BlobWriter, compression: Compression) -> Self {
        let diff_id = (compression != Compression::None).then(Hasher::new);
        Self::of(Sink { blob, diff_id, starts: None, frames: Vec::new() }, compression)
    }

    /// Returns a pipeline of gzip members that end where the caller says.
    pub(super) fn by_hand(blob: BlobWriter, level: u8) -> Self {
        let sink = Sink { blob, diff_id: Some(Hasher::new()), starts: Some(Vec::new()), frames: Vec::new() };
        let mut pipeline = Self::of(sink, Compression::Gzip(level));
        pipeline.by_hand = true;
        pipeline
    }

    fn of(sink: Sink, compression: Compression) -> Self {
        Self {
            compression,
            chunk: Vec::new(),
            size: 0,
            stage: Stage::Small(Box::new(sink)),
            threads: std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS),
            by_hand: false,
            passed: 0,
            keep: None,
        }
    }

    /// Takes chunks from an earlier blob where it has them, and says at the end what this one consists of.
    pub(super) fn keep_frames(&mut self, known: Option<Known>) {
        self.keep = Some(Arc::new(known));
    }

    /// Returns how many bytes chunks should have on average that end where the caller says.
    pub(super) fn mean(&self) -> usize {
        self.chunk_size() / 2
    }

    /// Ends the current chunk, unless it is empty, and returns the number of the next one.
    pub(super) fn cut(&mut self) -> io::Result<usize> {
        if !self.chunk.is_empty() {
            self.pass()?;
        }
        Ok(self.passed)
    }

    fn chunk_size(&self) -> usize {
        match self.compression {
            _ if self.by_hand => MAX_CHUNK,
            Compression::Zstd(_) => ZSTD_CHUNK,
            Compression::None | Compression::Gzip(_) => GZIP_CHUNK,
        }
    }

    /// Compresses and writes the rest.
    pub(super) fn finish(self) -> io::Result<Output> {
        self.finish_open()?.close()
    }

    /// Compresses and writes the rest, and leaves the blob open.
    pub(super) fn finish_open(mut self) -> io::Result<Tail> {
        let rest = std::mem::take(&mut self.chunk);
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        let mut sink = match stage {
            Stage::Small(mut sink) => {
                match self.compression {
                    Compression::None => sink.take(&rest, None, None)?,
                    // also of nothing: an empty file is no gzip stream
                    _ => sink.take(&rest, Some(&Compressor::new(self.compression)?.compress(&rest)?), None)?,
                }
                *sink
            }
            Stage::Running(running) => {
                let sent = if rest.is_empty() { Ok(()) } else { running.send(rest) };
                let joined = running.join();
                // the sink's own error says more than that it went away
                let sink = joined?;
                sent?;
                sink
            }
            Stage::Failed => return Err(gone()),
        };
        let starts = sink.starts.take().unwrap_or_default();
        Ok(Tail { sink, size: self.size, compression: self.compression, starts })
    }

    /// Hands a full chunk on.
    fn pass(&mut self) -> io::Result<()> {
        // most chunks that end by hand are small
        let next = if self.by_hand { Vec::new() } else { Vec::with_capacity(self.chunk_size()) };
        let raw = std::mem::replace(&mut self.chunk, next);
        self.passed += 1;
        if let (Stage::Small(sink), Compression::None) = (&mut self.stage, self.compression) {
            return sink.take(&raw, None, None);
        }
        self.stage = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Small(sink) => {
                Stage::Running(Running::start(*sink, self.compression, self.threads, self.keep.as_ref())?)
            }
            other => other,
        };
        let Stage::Running(running) = &self.stage else { return Err(gone()) };
        if running.send(raw).is_ok() {
            return Ok(());
        }
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Running(running) => Err(running.join().err().unwrap_or_else(gone)),
            _ => Err(gone()),
        }
    }
}

/// A layer that is given up waits for its threads, so that its temporary file is gone when it is.
impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Stage::Running(running) = std::mem::replace(&mut self.stage, Stage::Failed) {
            let _ = running.join();
        }
    }
}

impl Write for Pipeline {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.chunk_size() - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        self.size += count as u64;
        if self.chunk.len() == self.chunk_size() {
            self.pass()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Running {
    fn start(
        mut sink: Sink,
        compression: Compression,
        threads: usize,
        keep: Option<&Arc<Option<Known>>>,
    ) -> io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        // the tickets bound the memory: a chunk lives until its ticket is taken
        let (tickets, in_order) = sync_channel::<Ticket>(threads + 2);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            let mut compressor = Compressor::new(compression)?;
            let keep = keep.cloned();
            workers.push(std::thread::Builder::new().name("compress".to_owned()).spawn(move || {
                loop {
                    let job = match waiting.lock() {
                        Ok(waiting) => waiting.recv(),
                        Err(_) => return,
                    };
                    let Ok(job) = job else { return };
                    // nobody listens any more when writing failed
                    let _ = job.answer.send(one_chunk(&mut compressor, &job.raw, keep.as_deref()));
                }
            })?);
        }
        let sink = std::thread::Builder::new().name("write-layer".to_owned()).spawn(move || {
            for ticket in in_order {
                let compressed = ticket.compressed.recv().map_err(|_| gone())??;
                sink.take(&ticket.raw, Some(&compressed.bytes), compressed.frame)?;
            }
            Ok(sink)
        })?;
        Ok(Self { jobs, tickets, sink, workers })
    }

    fn send(&self, raw: Vec<u8>) -> io::Result<()> {
        let raw = Arc::new(raw);
        let (answer, compressed) = channel();
        self.jobs.send(Job { raw: Arc::clone(&raw), answer }).map_err(|_| gone())?;
        self.tickets.send(Ticket { raw, compressed }).map_err(|_| gone())
    }

    fn join(self) -> io::Result<Sink> {
        drop((self.jobs, self.tickets));
        let sink = self.sink.join().map_err(|_| gone())?;
        for worker in self.workers {
            let _ = worker.join();
        }
        sink
    }
}

/// Compresses a chunk, or takes it from an earlier blob.
fn one_chunk(compressor: &mut Compressor, raw: &[u8], keep: Option<&Option<Known>>) -> io::Result<Compressed> {
    let Some(known) = keep else { return Ok(Compressed { bytes: compressor.compress(raw)?, frame: None }) };
    let print = frames::print(raw);
    let bytes = match known.as_ref().and_then(|known| known.get(&print)) {
        Some(bytes) => bytes,
        None => compressor.compress(raw)?,
    };
    let frame = Some(Frame::new(print, &bytes)?);
    Ok(Compressed { bytes, frame })
}

fn gone() -> io::Error {
    io::Error::other("compressing the layer failed")
}

/// One thread's compressor.
enum Compressor {
    Gzip(libdeflater::Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Compressor {
    fn new(compression: Compression) -> io::Result<Self> {
        match compression {
            // a level out of range is brought into it
            Compression::Zstd(level) => Ok(Self::Zstd(zstd::bulk::Compressor::new(level.clamp(-7, 22))?)),
            Compression::Gzip(level) => Ok(Self::gzip(level)),
            Compression::None => Ok(Self::gzip(1)),
        }
    }

    fn gzip(level: u8) -> Self {
        let level = libdeflater::CompressionLvl::new(i32::from(level.clamp(1, 12))).unwrap_or_default();
        Self::Gzip(libdeflater::Compressor::new(level))
    }

    fn compress(&mut self, raw: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(compressor) => {
                let mut out = vec![0; compressor.gzip_compress_bound(raw.len())];
                // the header that libdeflate writes has time 0 and the system "unknown"
                let size = compressor.gzip_compress(raw, &mut out).map_err(io::Error::other)?;
                out.truncate(size);
                Ok(out)
            }
            Self::Zstd(compressor) => compressor.compress(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;

    /// Bytes that compress a little, more than a few chunks of them.
    fn noise() -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 27) as u8
        };
        (0..10 << 20).map(|_| next()).collect()
    }

    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let content = noise();
        for compression in [Compression::Gzip(1), Compression::Zstd(1)] {
            let blobs = [1, 2, 5].map(|threads| {
                let mut pipeline = Pipeline::new(layout.writer().unwrap(), compression);
                pipeline.threads = threads;
                pipeline.write_all(&content).unwrap();
                let output = pipeline.finish().unwrap();
                (output.blob.digest(), output.diff_id, output.size)
            });
            assert!(blobs.windows(2).all(|pair| pair[0] == pair[1]), "{compression}");
            assert_eq!(blobs[0].1, Digest::of(&content));
        }
    }

    #[test]
    fn members_end_where_the_caller_says() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let mut pipeline = Pipeline::by_hand(layout.writer().unwrap(), 6);
        let mut numbers = Vec::new();
        for part in [&b"one"[..], b"", b"two", &vec![7; MAX_CHUNK + 1]] {
            pipeline.write_all(part).unwrap();
            numbers.push(pipeline.cut().unwrap());
        }
        assert_eq!(numbers, [1, 1, 2, 4], "nothing is no member, and a long one is parted");
        let mut tail = pipeline.finish_open().unwrap();
        assert_eq!((tail.starts.len(), tail.starts[0]), (4, 0));
        tail.chunk(b"end").unwrap();
        let blob_size = tail.blob_size();
        tail.trailer(b"foot").unwrap();
        let output = tail.close().unwrap();
        assert_eq!(output.blob.size(), blob_size + 4);
        assert_eq!(output.size, 3 + 3 + MAX_CHUNK as u64 + 1 + 3);
        assert_eq!(output.diff_id, Digest::of(&[&b"onetwo"[..], &vec![7; MAX_CHUNK + 1], b"end"].concat()));
    }

    #[test]
    fn gzip_members_say_nothing_about_this_machine() {
        let member = Compressor::gzip(6).compress(b"hello").unwrap();
        assert_eq!(member[4..8], [0, 0, 0, 0], "time");
        assert_eq!(member[9], 255, "operating system");
        assert_eq!(member[3], 0, "no name");
    }
}
