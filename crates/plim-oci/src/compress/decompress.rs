//! Reading layers however they are compressed, without letting a small one fill the world.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// How far a stream may grow when it is decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes that may always come out.
    pub free: u64,
    /// Bytes that may come out for each byte that goes in, beyond `free`.
    pub ratio: u64,
}

impl Default for Bounds {
    /// Lets every gzip stream through, whose best is 1032 to 1, and zstd streams of ordinary files; a bomb
    /// ends at 4 GiB.
    fn default() -> Self {
        Self { free: 4 << 30, ratio: 1100 }
    }
}

/// Returns a reader of the uncompressed bytes: gzip (of several members too), zstd (several frames and
/// skippable ones too) or plain, as the first bytes say.
pub fn decompressor<'a>(reader: impl Read + Send + 'a) -> Box<dyn Read + Send + 'a> {
    decompressor_within(reader, Bounds::default())
}

/// Like [`decompressor`], with other bounds. What goes beyond them is an error of
/// [`io::ErrorKind::InvalidData`].
pub fn decompressor_within<'a>(reader: impl Read + Send + 'a, bounds: Bounds) -> Box<dyn Read + Send + 'a> {
    Box::new(Decompressor { state: State::Start(Box::new(reader)), bounds, produced: 0 })
}

/// Enough for the longest magic number.
pub(super) const MAGIC: usize = 6;
/// Bytes read at once from the compressed stream.
const BUFFER: usize = 128 << 10;

type Source<'a> = BufReader<Counted<Chain<Cursor<Vec<u8>>, Box<dyn Read + Send + 'a>>>>;

enum State<'a> {
    /// Nothing read yet: what the stream is shows at the first read.
    Start(Box<dyn Read + Send + 'a>),
    Gzip(Box<MultiGzDecoder<Source<'a>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Source<'a>>>),
    Plain(Source<'a>),
    Failed,
}

struct Decompressor<'a> {
    state: State<'a>,
    bounds: Bounds,
    produced: u64,
}

impl Read for Decompressor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let State::Start(_) = self.state {
            let State::Start(reader) = std::mem::replace(&mut self.state, State::Failed) else { return Ok(0) };
            self.state = sniff(reader)?;
        }
        let (count, consumed) = match &mut self.state {
            State::Gzip(decoder) => (decoder.read(buffer)?, decoder.get_ref().get_ref().count),
            State::Zstd(decoder) => (decoder.read(buffer)?, decoder.get_ref().get_ref().count),
            State::Plain(source) => return source.read(buffer),
            State::Start(_) | State::Failed => return Err(io::Error::other("the stream failed before")),
        };
        self.produced += count as u64;
        if self.produced > self.bounds.free.saturating_add(consumed.saturating_mul(self.bounds.ratio)) {
            self.state = State::Failed;
            let reason = format!("{consumed} compressed bytes grew to more than {} bytes", self.produced);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(count)
    }
}

fn sniff(mut reader: Box<dyn Read + Send + '_>) -> io::Result<State<'_>> {
    let mut magic = Vec::with_capacity(MAGIC);
    (&mut reader).take(MAGIC as u64).read_to_end(&mut magic)?;
    let kind = Kind::of(&magic);
    let whole = Counted { inner: Cursor::new(magic).chain(reader), count: 0 };
    let mut source = BufReader::with_capacity(BUFFER, whole);
    match kind {
        Kind::Gzip => Ok(State::Gzip(Box::new(MultiGzDecoder::new(source)))),
        Kind::Zstd => {
            source.fill_buf()?;
            Ok(State::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(source)?)))
        }
        Kind::Plain => Ok(State::Plain(source)),
        Kind::Other(name) => {
            let reason = format!("the layer is compressed with {name}, which images do not use");
            Err(io::Error::new(io::ErrorKind::InvalidData, reason))
        }
    }
}

/// What the first bytes of a stream say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gzip,
    Zstd,
    Plain,
    Other(&'static str),
}

impl Kind {
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // a frame (RFC 8878, 3.1.1) or a skippable frame (3.1.2)
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Self::Other("xz"),
            // a tar may begin with a file called `BZh…`, but not with a level and the block's magic after it
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41] => Self::Other("bzip2"),
            _ => Self::Plain,
        }
    }
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(bytes, 1).unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressor(bytes).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_kind_is_recognised() {
        assert_eq!(read(b"plain text").unwrap(), b"plain text");
        assert_eq!(read(b"").unwrap(), b"");
        assert_eq!(read(&gzip(b"hello")).unwrap(), b"hello");
        assert_eq!(read(&zstd(b"hello")).unwrap(), b"hello");
        assert!(read(b"\xfd7zXZ\0rest").unwrap_err().to_string().contains("xz"));
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        assert_eq!(read(&[gzip(b"one "), gzip(b"two")].concat()).unwrap(), b"one two");
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let frames = [skippable.clone(), zstd(b"one "), skippable.clone(), zstd(b"two"), skippable].concat();
        assert_eq!(read(&frames).unwrap(), b"one two");
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        for whole in [gzip(&[7; 5000]), zstd(&[7; 5000])] {
            assert!(read(&whole[..whole.len() - 3]).is_err());
        }
    }

    #[test]
    fn a_stream_that_grows_too_much_is_an_error() {
        let bounds = Bounds { free: 1000, ratio: 2 };
        for bomb in [gzip(&vec![0; 1 << 20]), zstd(&vec![0; 1 << 20])] {
            let mut out = Vec::new();
            let error = decompressor_within(&bomb[..], bounds).read_to_end(&mut out).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(out.len() < 1 << 20);
        }
        let mut out = Vec::new();
        decompressor_within(&gzip(&[1; 900])[..], bounds).read_to_end(&mut out).unwrap();
        assert_eq!(out.len(), 900);
    }
}
