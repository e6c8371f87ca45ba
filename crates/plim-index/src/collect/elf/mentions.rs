//! Names of shared libraries in data: what a program may hand to `dlopen`.

use std::collections::BTreeSet;
use std::ops::Range;

use bstr::{BString, ByteSlice};
use object::read::ReadRef;

/// Bytes that are looked at in one go.
const WINDOW: u64 = 1024 * 1024;

/// The longest name that is believed, as long as the longest file name.
const MAX_WORD: usize = 255;

/// How far windows overlap. Each half is longer than any name, so every name lies whole in some window and away
/// from its edges.
const OVERLAP: usize = 4 * MAX_WORD;

/// Collects words that look like names of shared libraries, each once.
pub(super) struct Mentions {
    words: BTreeSet<BString>,
    limit: usize,
}

impl Mentions {
    /// Returns a collection of at most `limit` words.
    pub(super) fn new(limit: usize) -> Self {
        Self { words: BTreeSet::new(), limit }
    }

    /// Searches a range of the file; a part that cannot be read is passed over.
    pub(super) fn search<'a>(&mut self, data: impl ReadRef<'a>, range: Range<u64>) {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + WINDOW);
            let Ok(window) = data.read_bytes_at(start, end - start) else { return };
            let first = if start == range.start { 0 } else { OVERLAP / 2 };
            let last = if end == range.end { window.len() } else { window.len() - OVERLAP / 2 };
            self.window(window, first..last);
            if end == range.end {
                return;
            }
            start = end - OVERLAP as u64;
        }
    }

    /// Takes the names in a window whose dot lies in `within`.
    fn window(&mut self, window: &[u8], within: Range<usize>) {
        for dot in window.find_iter(b".so").filter(|dot| within.contains(dot)) {
            if self.words.len() >= self.limit {
                return;
            }
            let before = window[..dot].iter().rev().take(MAX_WORD).take_while(|byte| in_word(**byte)).count();
            let after = &window[dot + 3..];
            let version = after.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
            let ends = after.get(version).is_none_or(|byte| !in_word(*byte));
            let word = &window[dot - before..dot + 3 + version];
            let versioned = version == 0 || after[0] == b'.';
            if ends && versioned && before > 0 && word.len() <= MAX_WORD {
                self.words.insert(word.into());
            }
        }
    }

    /// Returns the words in order.
    pub(super) fn finish(self) -> Vec<BString> {
        self.words.into_iter().collect()
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(data: &[u8]) -> Vec<BString> {
        let mut mentions = Mentions::new(100);
        mentions.search(data, 0..data.len() as u64);
        mentions.finish()
    }

    #[test]
    fn names_and_paths_of_libraries_are_found() {
        let data = b"\0libnss_dns.so.2\0 [\"liblzma.so.5\"] /usr/lib/x/engine.so\0libz.so.1";
        assert_eq!(words(data), ["/usr/lib/x/engine.so", "liblzma.so.5", "libnss_dns.so.2", "libz.so.1"]);
    }

    #[test]
    fn other_words_with_these_letters_are_not() {
        assert!(words(b"foo.socket\0.so\0x.sound a.so1 lib.so.1x").is_empty());
    }

    #[test]
    fn a_name_across_windows_is_found_whole() {
        for shift in (0..2 * OVERLAP).step_by(7) {
            let mut data = vec![0; WINDOW as usize - shift];
            data.extend_from_slice(b"libfar.so.3");
            data.resize(WINDOW as usize + 4000, 0);
            assert_eq!(words(&data), ["libfar.so.3"], "{shift}");
        }
    }
}
