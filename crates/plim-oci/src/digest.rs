//! Content digests as OCI writes them: `algorithm:hex`.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A content digest such as `sha256:9f86…`, checked for form when parsed.
///
/// Follows the OCI image specification, "Digests". Only `sha256` and `sha512` are registered there and
/// only those are accepted.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    text: Box<str>,
}

/// Why a text is no digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DigestError {
    /// No `algorithm:hex` form.
    #[error("`{0}` is not a digest of the form sha256:<64 hex digits>")]
    Form(String),
}

impl Digest {
    /// Returns the SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the digest of raw SHA-256 output.
    pub fn from_sha256(raw: [u8; 32]) -> Self {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in raw {
            text.push(char::from_digit(u32::from(byte >> 4), 16).expect("a nibble is below 16"));
            text.push(char::from_digit(u32::from(byte & 15), 16).expect("a nibble is below 16"));
        }
        Self { text: text.into() }
    }

    /// Returns the whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the algorithm, `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        &self.text[..6]
    }

    /// Returns the hex digits after the colon.
    pub fn hex(&self) -> &str {
        &self.text[7..]
    }

    /// Returns the first twelve hex digits, for people.
    pub fn short(&self) -> &str {
        &self.text[7..19]
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let length = match text.get(..7) {
            Some("sha256:") => 64,
            Some("sha512:") => 128,
            _ => return Err(DigestError::Form(text.to_owned())),
        };
        let hex = &text.as_bytes()[7..];
        let good = hex.len() == length && hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self { text: text.into() }) } else { Err(DigestError::Form(text.to_owned())) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A running SHA-256; also a [`std::io::Write`] sink.
///
/// By ring, which the HTTP client brings along: its assembly also serves processors without instructions for SHA, and every
/// byte of an image is hashed two or three times.
#[derive(Clone)]
pub struct Hasher {
    inner: Context,
}

impl Hasher {
    /// Returns a hasher that has seen nothing.
    pub fn new() -> Self {
        Self { inner: Context::new(&SHA256) }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// Returns the digest of all bytes taken.
    pub fn finish(self) -> Digest {
        Digest::from_sha256(self.finish_raw())
    }

    /// Returns the raw 32 bytes of the digest of all bytes taken.
    pub fn finish_raw(self) -> [u8; 32] {
        let mut raw = [0; 32];
        raw.copy_from_slice(self.inner.finish().as_ref());
        raw
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
