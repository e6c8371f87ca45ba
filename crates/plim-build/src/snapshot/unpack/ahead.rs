//! Inflating and hashing a layer on one thread while its files are made on another.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use plim_oci::compress::decompressor;
use plim_oci::tar::TarError;
use plim_oci::{Digest, Hasher};

use crate::files::FilesError;
use crate::snapshot::node::fill;

/// Bytes handed over at a time.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait: what both threads hold stays below a few megabytes.
const WAITING: usize = 8;

/// Reads a blob to its end, compressed or not, and gives its uncompressed bytes to `consume`. Returns their
/// digest.
pub(super) fn with(
    blob: impl Read + Send,
    consume: impl FnOnce(&mut Chunks) -> Result<(), FilesError>,
) -> Result<Digest, FilesError> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let producer = scope.spawn(move || produce(blob, &sender));
        let mut chunks = Chunks { receiver, chunk: Vec::new(), read: 0 };
        let consumed = consume(&mut chunks);
        // a producer that waits for room sees that nobody takes any more
        drop(chunks);
        let produced = producer.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread failed")));
        match (consumed, produced) {
            (Ok(()), Ok(Some(digest))) => Ok(digest),
            // a stream that breaks looks like one that ends early: the cause is the better message
            (_, Err(error)) => Err(TarError::Io(error).into()),
            (Err(error), Ok(_)) => Err(error),
            (Ok(()), Ok(None)) => Err(TarError::Io(io::ErrorKind::UnexpectedEof.into()).into()),
        }
    })
}

/// Returns nothing when nobody takes the chunks any more.
fn produce(mut blob: impl Read + Send, sender: &SyncSender<Vec<u8>>) -> io::Result<Option<Digest>> {
    let mut hasher = Hasher::new();
    {
        let mut tar = decompressor(&mut blob);
        loop {
            let mut chunk = vec![0; CHUNK];
            let count = fill(&mut tar, &mut chunk)?;
            if count == 0 {
                break;
            }
            chunk.truncate(count);
            hasher.update(&chunk);
            if sender.send(chunk).is_err() {
                return Ok(None);
            }
        }
    }
    // what stands behind the compressed stream belongs to the blob too, and at its end stands the check
    io::copy(&mut blob, &mut io::sink())?;
    Ok(Some(hasher.finish()))
}

/// The uncompressed bytes.
pub(super) struct Chunks {
    receiver: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() {
            let Ok(chunk) = self.receiver.recv() else { return Ok(0) };
            (self.chunk, self.read) = (chunk, 0);
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

    #[test]
    fn all_bytes_arrive_in_order_and_are_hashed() {
        let bytes: Vec<u8> = (0..CHUNK * 3 + 17).map(|index| (index % 251) as u8).collect();
        let mut seen = Vec::new();
        let digest =
            with(&bytes[..], |chunks| chunks.read_to_end(&mut seen).map(drop).map_err(|e| TarError::Io(e).into()));
        assert_eq!(digest.unwrap(), Digest::of(&bytes));
        assert_eq!(seen, bytes);
    }

    #[test]
    fn a_consumer_that_stops_early_stops_the_producer() {
        let error = with(io::repeat(1), |chunks| {
            chunks.read_exact(&mut [0; 10]).map_err(TarError::Io)?;
            Err(FilesError::Cancelled)
        });
        assert!(matches!(error, Err(FilesError::Cancelled)));
    }

    #[test]
    fn a_stream_that_breaks_is_the_error_that_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let error = with(Broken, |_| Err(FilesError::Cancelled)).unwrap_err();
        assert!(
            matches!(error, FilesError::Archive { source: TarError::Io(error), .. } if error.to_string().contains("disk"))
        );
    }
}
