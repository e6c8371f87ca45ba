//! Readers that trust nothing: bytes are checked against the digest and size they were asked for by.

use std::io::{self, Read};

use ring::digest::{Context, SHA256, SHA512};

use crate::{Descriptor, Digest};

/// Passes bytes through and fails at the end, or as soon as there are too many, when they are not what
/// was promised. The error is [`io::ErrorKind::InvalidData`].
///
/// A reader that is dropped before its end has checked nothing.
pub struct VerifyingReader<R> {
    inner: R,
    expected: Digest,
    size: Option<u64>,
    seen: u64,
    /// Nothing once the end was checked.
    hasher: Option<Context>,
}

impl<R: Read> VerifyingReader<R> {
    /// Returns a reader that expects content of a digest and, where known, a size in bytes.
    pub fn new(inner: R, digest: Digest, size: Option<u64>) -> Self {
        let algorithm = if digest.algorithm() == "sha512" { &SHA512 } else { &SHA256 };
        Self { inner, expected: digest, size, seen: 0, hasher: Some(Context::new(algorithm)) }
    }

    /// Returns a reader that expects the content of a descriptor.
    pub fn of(inner: R, descriptor: &Descriptor) -> Self {
        Self::new(inner, descriptor.digest.clone(), Some(descriptor.size))
    }

    /// Returns the number of bytes read so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    fn check(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let hex = hex(hasher.finish().as_ref());
        if let Some(size) = self.size.filter(|size| *size != self.seen) {
            return Err(invalid(format!("content of {} has {} bytes, {size} were expected", self.expected, self.seen)));
        }
        if hex != self.expected.hex() {
            let algorithm = self.expected.algorithm();
            return Err(invalid(format!("content of {} has digest {algorithm}:{hex}", self.expected)));
        }
        Ok(())
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        if count == 0 {
            self.check()?;
            return Ok(0);
        }
        self.seen += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        if let Some(size) = self.size.filter(|size| self.seen > *size) {
            return Err(invalid(format!("content of {} is longer than the {size} bytes expected", self.expected)));
        }
        Ok(count)
    }
}

impl<R> std::fmt::Debug for VerifyingReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingReader")
            .field("expected", &self.expected)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// Writes bytes as lower-case hex digits.
pub(crate) fn hex(raw: &[u8]) -> String {
    use std::fmt::Write as _;
    raw.iter().fold(String::with_capacity(raw.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], digest: &Digest, size: Option<u64>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        VerifyingReader::new(bytes, digest.clone(), size).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn right_content_passes_through() {
        let digest = Digest::of(b"hello");
        assert_eq!(read(b"hello", &digest, Some(5)).unwrap(), b"hello");
        assert_eq!(read(b"hello", &digest, None).unwrap(), b"hello");
    }

    #[test]
    fn other_content_fails_at_its_end() {
        let digest = Digest::of(b"hello");
        let error = read(b"jello", &digest, Some(5)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(&Digest::of(b"jello").to_string()), "{error}");
    }

    #[test]
    fn content_of_another_size_fails() {
        let digest = Digest::of(b"hello");
        assert!(read(b"hell", &digest, Some(5)).unwrap_err().to_string().contains("has 4 bytes"));
        assert!(read(b"hello!", &digest, Some(5)).unwrap_err().to_string().contains("longer than the 5 bytes"));
    }

    #[test]
    fn sha512_is_checked_too() {
        let good = "sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";
        let digest: Digest = good.parse().unwrap();
        assert_eq!(read(b"hello", &digest, None).unwrap(), b"hello");
        assert!(read(b"jello", &digest, None).is_err());
    }
}
