//! Reading a stream, or reading and inflating a layer, on one thread while another works on what comes out.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::decompress::{Kind, MAGIC};
use super::decompressor;
use crate::tar::TarError;
use crate::{Digest, Hasher};

/// Bytes handed over at a time.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait: what both threads hold stays below a few megabytes.
const WAITING: usize = 8;

/// Reads a blob to its end, compressed or not, on a thread of its own, and gives the uncompressed bytes to `consume`. A
/// blob that cannot be read or decompressed is the error that is told, whatever `consume` made of its stump.
///
/// The blob is read to its end also when `consume` took all it wanted, since bytes behind a compressed stream belong
/// to the blob's digest; not so when `consume` failed.
pub fn ahead<T, E: From<TarError>>(
    blob: impl Read + Send,
    consume: impl FnOnce(&mut Chunks) -> Result<T, E>,
) -> Result<T, E> {
    with(blob, None, consume).map(|(result, _)| result)
}

/// Like [`ahead`]; the reading thread also takes the digest of the uncompressed bytes.
pub fn ahead_hashed<T, E: From<TarError>>(
    blob: impl Read + Send,
    consume: impl FnOnce(&mut Chunks) -> Result<T, E>,
) -> Result<(T, Digest), E> {
    with(blob, Some(Hasher::new()), consume)
        .map(|(result, hasher)| (result, hasher.expect("what is handed in comes back").finish()))
}

fn with<T, E: From<TarError>>(
    mut blob: impl Read + Send,
    hasher: Option<Hasher>,
    consume: impl FnOnce(&mut Chunks) -> Result<T, E>,
) -> Result<(T, Option<Hasher>), E> {
    let mut magic = Vec::with_capacity(MAGIC);
    (&mut blob).take(MAGIC as u64).read_to_end(&mut magic).map_err(TarError::Io)?;
    let plain = Kind::of(&magic) == Kind::Plain;
    let blob = io::Cursor::new(magic).chain(blob);
    hand_over(
        plain,
        move |sender, used| produce(blob, hasher, sender, used),
        consume,
        |error| TarError::Io(error).into(),
    )
}

/// Reads a stream as it is to its end on a thread of its own and gives the bytes to `consume`: who hashes what is read and
/// who writes it need not wait for each other. An error of reading is the one that is told.
pub(crate) fn read_ahead<T>(
    mut reader: impl Read + Send,
    consume: impl FnOnce(&mut Chunks) -> io::Result<T>,
) -> io::Result<T> {
    let produce = move |sender: &SyncSender<_>, used: &Receiver<_>| pass_on(&mut reader, None, sender, used).map(drop);
    hand_over(true, produce, consume, |error| error).map(|(result, ())| result)
}

fn hand_over<T, E, P: Send>(
    plain: bool,
    produce: impl FnOnce(&SyncSender<Vec<u8>>, &Receiver<Vec<u8>>) -> io::Result<P> + Send,
    consume: impl FnOnce(&mut Chunks) -> Result<T, E>,
    failed: impl FnOnce(io::Error) -> E,
) -> Result<(T, P), E> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let (empties, used) = channel();
        let producer = scope.spawn(move || produce(&sender, &used));
        let mut chunks = Chunks { receiver, empties, chunk: Vec::new(), read: 0, plain };
        let consumed = consume(&mut chunks);
        if consumed.is_ok() {
            chunks.drain();
        }
        // a producer that waits for room sees that nobody takes any more
        drop(chunks);
        match producer.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread failed"))) {
            Ok(produced) => consumed.map(|result| (result, produced)),
            // a stream that breaks looks like one that ends early: the cause is the better message
            Err(error) => Err(failed(error)),
        }
    })
}

/// Ends early when nobody takes the chunks any more.
fn produce(
    mut blob: impl Read + Send,
    hasher: Option<Hasher>,
    sender: &SyncSender<Vec<u8>>,
    used: &Receiver<Vec<u8>>,
) -> io::Result<Option<Hasher>> {
    let (hasher, taken) = pass_on(&mut decompressor(&mut blob), hasher, sender, used)?;
    if taken {
        // what stands behind the compressed stream belongs to the blob too, and at its end stands the check
        io::copy(&mut blob, &mut io::sink())?;
    }
    Ok(hasher)
}

/// Sends what is read in chunks; also says whether all of it was taken.
fn pass_on(
    reader: &mut impl Read,
    mut hasher: Option<Hasher>,
    sender: &SyncSender<Vec<u8>>,
    used: &Receiver<Vec<u8>>,
) -> io::Result<(Option<Hasher>, bool)> {
    loop {
        // fresh memory costs more to get than to fill
        let mut chunk = used.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let count = fill(reader, &mut chunk)?;
        if count == 0 {
            return Ok((hasher, true));
        }
        chunk.truncate(count);
        if let Some(hasher) = &mut hasher {
            hasher.update(&chunk);
        }
        if sender.send(chunk).is_err() {
            return Ok((hasher, false));
        }
    }
}

/// Reads until the buffer is full or the stream ends; returns how many bytes there are.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The uncompressed bytes of a blob that is read [`ahead`].
#[derive(Debug)]
pub struct Chunks {
    receiver: Receiver<Vec<u8>>,
    /// Takes chunks back, to be filled again.
    empties: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
    plain: bool,
}

impl Chunks {
    /// Says whether the blob is not compressed, so that these bytes are those of the blob.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Takes what is left, so that the producer comes to the end of the blob.
    fn drain(&mut self) {
        while self.next() {}
    }

    /// Goes on to the next chunk; false at the end.
    fn next(&mut self) -> bool {
        let Ok(chunk) = self.receiver.recv() else { return false };
        // the producer may be through
        let _ = self.empties.send(std::mem::replace(&mut self.chunk, chunk));
        self.read = 0;
        true
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() && !self.next() {
            self.chunk.clear();
            self.read = 0;
            return Ok(0);
        }
        let count = buffer.len().min(self.chunk.len() - self.read);
        buffer[..count].copy_from_slice(&self.chunk[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &mut Chunks) -> Result<Vec<u8>, TarError> {
        let mut seen = Vec::new();
        chunks.read_to_end(&mut seen)?;
        Ok(seen)
    }

    #[test]
    fn all_bytes_arrive_in_order() {
        for length in [0, 1, CHUNK, CHUNK + 1, CHUNK * 20 + 17] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let (seen, digest) = ahead_hashed(&bytes[..], all).unwrap();
            assert!(seen == bytes, "{length}");
            assert_eq!(digest, Digest::of(&bytes));
        }
    }

    #[test]
    fn a_consumer_that_stops_early_stops_the_producer() {
        let error = ahead(io::repeat(1), |chunks| {
            chunks.read_exact(&mut [0; 10])?;
            Err::<(), _>(TarError::TooMany { what: "entries", limit: 1 })
        });
        assert!(matches!(error, Err(TarError::TooMany { .. })));
    }

    #[test]
    fn a_blob_is_read_to_its_end_though_nobody_wants_the_rest() {
        struct Counting<'a>(io::Take<io::Repeat>, &'a mut u64);
        impl Read for Counting<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.0.read(buffer)?;
                *self.1 += count as u64;
                Ok(count)
            }
        }
        let (length, mut seen) = (30 * CHUNK as u64, 0);
        let blob = Counting(io::repeat(1).take(length), &mut seen);
        ahead(blob, |chunks| chunks.read_exact(&mut [0; 10]).map_err(TarError::Io)).unwrap();
        assert_eq!(seen, length);
    }

    #[test]
    fn a_stream_is_read_ahead_as_it_is_and_to_its_end() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, &vec![7; 3 * CHUNK]).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut seen = Vec::new();
        read_ahead(&gzip[..], |chunks| chunks.read_to_end(&mut seen)).unwrap();
        assert!(seen == gzip, "nothing is inflated");
        // the check of a verifying reader stands behind its last byte, which the consumer need not ask for
        let verified = crate::verify::VerifyingReader::new(&gzip[..], Digest::of(b"other"), None);
        let error = read_ahead(verified, |chunks| chunks.read_exact(&mut [0; 10])).unwrap_err();
        assert!(error.to_string().contains("digest"), "{error}");
        let error = read_ahead(io::repeat(1), |_| Err::<(), _>(io::Error::other("full"))).unwrap_err();
        assert_eq!(error.to_string(), "full");
    }

    #[test]
    fn a_stream_that_breaks_is_the_error_that_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let error = ahead(Broken, |_| Err::<(), _>(TarError::TooMany { what: "entries", limit: 1 })).unwrap_err();
        assert!(matches!(error, TarError::Io(error) if error.to_string().contains("disk")));
    }
}
