//! Compression of layers: how they are written, and reading whatever a producer chose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::media_type;

mod ahead;
mod cuts;
mod decompress;
pub mod estargz;
mod form;
mod frames;
mod layer;
mod pipeline;

pub(crate) use ahead::read_ahead;
pub use ahead::{Chunks, ahead, ahead_hashed};
pub(crate) use decompress::Kind;
pub use decompress::{Bounds, decompressor, decompressor_within};
pub(crate) use form::{CHUNKED, is_readable};
pub use form::{LayerForm, form_name};
pub use frames::blob_of as blob_of_frames;
pub use frames::fuzz as fuzz_frames;
pub use layer::{LayerWriter, adopt_layer, store_layer};

/// How layers are compressed, with the level. Parsed from and displayed as `none`, `gzip:6`, `zstd:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip at level 1 to 12, which every tool reads. 2 is the default: layers of the size that BuildKit's are (up to two
    /// percent more or less) and less than buildah's, a quarter faster than 5, which makes them two to four percent smaller.
    Gzip(u8),
    /// Zstandard at level 1 to 22: smaller and faster, for containerd, Docker 23, Podman and later.
    Zstd(i32),
}

/// The level of gzip where none is asked for.
const DEFAULT_GZIP: u8 = 2;

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(DEFAULT_GZIP)
    }
}

impl Compression {
    /// Returns the OCI media type of layers so compressed.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => media_type::OCI_LAYER,
            Self::Gzip(_) => media_type::OCI_LAYER_GZIP,
            Self::Zstd(_) => media_type::OCI_LAYER_ZSTD,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

impl FromStr for Compression {
    type Err = String;

    /// Parses `none`, `gzip[:1..12]`, `zstd[:1..22]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
        let within = |default: u8, most: u8| match level {
            None => Ok(default),
            Some(level) => level
                .parse()
                .ok()
                .filter(|level| (1..=most).contains(level))
                .ok_or_else(|| format!("the level of `{text}` is not between 1 and {most}")),
        };
        match name {
            "none" | "uncompressed" if level.is_none() => Ok(Self::None),
            "gzip" => within(DEFAULT_GZIP, 12).map(Self::Gzip),
            "zstd" => within(3, 22).map(|level| Self::Zstd(level.into())),
            _ => Err(format!("`{text}` is not a compression: use none, gzip[:LEVEL] or zstd[:LEVEL]")),
        }
    }
}

impl Serialize for Compression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Compression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_agree() {
        for value in [Compression::None, Compression::Gzip(1), Compression::Gzip(12), Compression::Zstd(22)] {
            assert_eq!(value.to_string().parse(), Ok(value));
        }
        assert_eq!("gzip".parse(), Ok(Compression::default()));
        for text in ["gzip:0", "gzip:13", "zstd:23", "xz", "none:1", ""] {
            assert!(text.parse::<Compression>().is_err(), "{text}");
        }
    }
}
