//! How bytes of images appear in reports: as text, what is not UTF-8 replaced.

use bstr::{BString, ByteSlice};
use serde::Serializer;

/// Serialises a path as text.
pub(crate) fn path<S: Serializer>(path: &BString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_str_lossy())
}

/// Serialises paths as texts.
pub(crate) fn paths<S: Serializer>(paths: &[BString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_str_lossy()))
}

/// Serialises a path that may be missing as text or null.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn optional_path<S: Serializer>(path: &Option<BString>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => self::path(path, serializer),
        None => serializer.serialize_none(),
    }
}
