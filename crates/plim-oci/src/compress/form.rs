//! The form of a layer's blob: a compression, or eStargz.

use std::fmt;
use std::str::FromStr;

use crate::{Descriptor, media_type};

use super::Compression;
use super::estargz::TOC_DIGEST;

/// Docker's media type of layers compressed with zstd, which its specification does not name.
const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// How a layer is stored as a blob. Parsed from and displayed as `none`, `gzip:6`, `zstd:3`, `estargz:6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerForm {
    /// The layer's tar, compressed: the tar and so the diffID stay as they are.
    Tar(Compression),
    /// eStargz of a gzip level: single files can be fetched out of it. The tar gains entries, and so the diffID
    /// changes.
    Estargz(u8),
}

impl LayerForm {
    /// Returns the OCI media type of such layers.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Tar(compression) => compression.media_type(),
            Self::Estargz(_) => media_type::OCI_LAYER_GZIP,
        }
    }

    /// Says whether a layer is stored in this form, whatever its level; by what its descriptor says.
    pub fn is_of(self, layer: &Descriptor) -> bool {
        let kind = layer.media_type.as_str();
        match self {
            Self::Tar(Compression::None) => matches!(kind, media_type::OCI_LAYER | media_type::DOCKER_LAYER),
            Self::Tar(Compression::Gzip(_)) => {
                matches!(kind, media_type::OCI_LAYER_GZIP | media_type::DOCKER_LAYER_GZIP)
            }
            Self::Tar(Compression::Zstd(_)) => matches!(kind, media_type::OCI_LAYER_ZSTD | DOCKER_LAYER_ZSTD),
            Self::Estargz(_) => {
                Self::Tar(Compression::default()).is_of(layer) && layer.annotations.contains_key(TOC_DIGEST)
            }
        }
    }
}

/// What the annotations of `zstd:chunked` begin with, by Podman's present tools and by older ones.
pub(crate) const CHUNKED: [&str; 2] = ["io.github.containers.zstd-chunked.", "io.containers.zstd-chunked."];

/// Names the form of a layer's blob by what its descriptor says: `none`, `gzip`, `zstd`, `estargz`, `zstd:chunked`, or
/// `unknown` where plim cannot read it.
pub fn form_name(layer: &Descriptor) -> &'static str {
    let is_of = |form: LayerForm| form.is_of(layer);
    let is_chunked = || layer.annotations.keys().any(|key| CHUNKED.iter().any(|prefix| key.starts_with(prefix)));
    if is_of(LayerForm::Estargz(1)) {
        "estargz"
    } else if is_of(LayerForm::Tar(Compression::Gzip(1))) {
        "gzip"
    } else if is_of(LayerForm::Tar(Compression::Zstd(1))) {
        if is_chunked() { "zstd:chunked" } else { "zstd" }
    } else if is_of(LayerForm::Tar(Compression::None)) {
        "none"
    } else {
        "unknown"
    }
}

/// Says whether a blob is a layer whose content plim can read. Those that may not be distributed, and encrypted ones,
/// are not.
pub(crate) fn is_readable(layer: &Descriptor) -> bool {
    [Compression::None, Compression::Gzip(1), Compression::Zstd(1)]
        .into_iter()
        .any(|compression| LayerForm::Tar(compression).is_of(layer))
}

impl fmt::Display for LayerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tar(compression) => compression.fmt(f),
            Self::Estargz(level) => write!(f, "estargz:{level}"),
        }
    }
}

impl FromStr for LayerForm {
    type Err = String;

    /// Parses `none`, `gzip[:1..12]`, `zstd[:1..22]`, `estargz[:1..12]`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(level) = text.strip_prefix("estargz") {
            return match format!("gzip{level}").parse() {
                Ok(Compression::Gzip(level)) => Ok(Self::Estargz(level)),
                _ => Err(format!("the level of `{text}` is not between 1 and 12")),
            };
        }
        match text.parse() {
            Ok(compression) => Ok(Self::Tar(compression)),
            // a level out of range is the better message
            Err(reason) if reason.contains("level") => Err(reason),
            Err(_) => {
                Err(format!("`{text}` is not a compression: use none, gzip[:LEVEL], zstd[:LEVEL] or estargz[:LEVEL]"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn texts_and_values_agree() {
        for text in ["none", "gzip:6", "zstd:22", "estargz:12"] {
            assert_eq!(text.parse::<LayerForm>().unwrap().to_string(), text);
        }
        assert_eq!("estargz".parse(), Ok(LayerForm::Estargz(2)));
        for text in ["estargz:0", "estargz:13", "estargzip", "zstd:23", "xz", ""] {
            assert!(text.parse::<LayerForm>().is_err(), "{text}");
        }
        assert!("xz".parse::<LayerForm>().unwrap_err().contains("estargz"));
    }

    #[test]
    fn the_form_is_told_by_type_and_annotation() {
        let layer = |kind: &str| Descriptor::new(kind, Digest::of(b""), 0);
        let gzip = LayerForm::Tar(Compression::Gzip(9));
        assert!(gzip.is_of(&layer(media_type::OCI_LAYER_GZIP)) && gzip.is_of(&layer(media_type::DOCKER_LAYER_GZIP)));
        assert!(!gzip.is_of(&layer(media_type::OCI_LAYER)));
        let mut lazy = layer(media_type::OCI_LAYER_GZIP);
        assert!(!LayerForm::Estargz(6).is_of(&lazy));
        lazy.annotations.insert(TOC_DIGEST.to_owned(), Digest::of(b"toc").to_string());
        assert!(LayerForm::Estargz(6).is_of(&lazy));
        assert_eq!(form_name(&lazy), "estargz");
        let mut chunked = layer(media_type::OCI_LAYER_ZSTD);
        assert_eq!(form_name(&chunked), "zstd");
        for prefix in CHUNKED {
            chunked.annotations = [(format!("{prefix}manifest-checksum"), String::new())].into();
            assert_eq!(form_name(&chunked), "zstd:chunked");
        }
        let others = [media_type::DOCKER_LAYER_GZIP, media_type::DOCKER_LAYER, "application/vnd.in-toto+json"];
        assert_eq!(others.map(|kind| form_name(&layer(kind))), ["gzip", "none", "unknown"]);
        for kind in ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/vnd.in-toto+json"] {
            assert!(!is_readable(&layer(kind)), "{kind}");
        }
        assert!(is_readable(&layer(DOCKER_LAYER_ZSTD)));
    }
}
