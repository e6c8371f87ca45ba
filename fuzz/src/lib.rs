//! What the fuzz targets do with their bytes. Each function takes anything; a panic, a sanitizer's report, a broken promise or
//! memory without bounds is a bug.

pub mod debian;
pub mod dockerfile;
pub mod images;
pub mod indexes;
pub mod projects;

/// Calls `check` when the bytes are text: the parsers of text get it decoded.
fn text(data: &[u8], check: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
}

/// Cuts the bytes at the first line end, for targets that need two texts.
fn two_texts(data: &[u8], check: impl FnOnce(&str, &str)) {
    text(data, |text| {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        check(first, rest);
    });
}
