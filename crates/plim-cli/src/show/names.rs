//! Names from images, made fit to show: without control characters, and no wider than there is room.

use plim_diag::plain::one_line;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The selector that has a character drawn as an emoji (VARIATION SELECTOR-16).
const EMOJI: char = '\u{fe0f}';

/// Returns how many columns a text takes on a terminal: the most that any does, as some draw the parts of what is joined to
/// one sign (a family, a flag) side by side.
pub(crate) fn width(text: &str) -> usize {
    let apart = text.chars().map(|character| character.width().unwrap_or(0)).sum();
    text.width().max(apart)
}

/// Returns the text on one line, without characters that a terminal or browser would obey, and cut at its end where it is
/// wider than `room` columns.
pub(crate) fn fit(text: &str, room: usize, ellipsis: &str) -> String {
    let text = bounded(text, room);
    if width(&text) <= room {
        return text;
    }
    let mut out = head(&text, room.saturating_sub(width(ellipsis))).trim_end().to_owned();
    out.push_str(ellipsis);
    out
}

/// Returns a text of exactly `room` columns: cut like [`fit`], or filled up with blanks.
pub(crate) fn column(text: &str, room: usize, ellipsis: &str) -> String {
    let mut text = fit(text, room, ellipsis);
    text.push_str(&" ".repeat(room.saturating_sub(width(&text))));
    text
}

/// Returns a path like [`fit`], but cut in the middle: the last part of a path says most.
pub(crate) fn fit_path(path: &str, room: usize, ellipsis: &str) -> String {
    let path = one_line(path);
    if width(&path) <= room {
        return path.into_owned();
    }
    let left = room.saturating_sub(width(ellipsis));
    let first = head(&path, left / 3);
    let last = tail(&path, left - width(first));
    format!("{first}{ellipsis}{last}")
}

/// Returns the text with every harmful character written out. Of a very long one only the beginning is looked at: a few
/// columns never need more than a few thousand characters.
fn bounded(text: &str, room: usize) -> String {
    let most = room.saturating_mul(16).saturating_add(64);
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    one_line(&text[..end]).into_owned()
}

/// The most columns that a character adds to a text. The selector of emoji has none itself and makes what it follows wide.
fn most_columns(character: char) -> usize {
    if character == EMOJI { 1 } else { character.width().unwrap_or(0) }
}

/// The beginning of a text that fits into so many columns.
fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += most_columns(character);
        if used > room {
            return &text[..at];
        }
    }
    text
}

/// The end of a text that fits into so many columns.
fn tail(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices().rev() {
        used += most_columns(character);
        if used > room {
            return &text[at + character.len_utf8()..];
        }
    }
    text
}

/// Returns an argument as one types it into a POSIX shell, or nothing when it has characters that nobody can type.
pub(crate) fn shell_word(text: &str) -> Option<String> {
    if text.is_empty() || text.contains('\u{fffd}') || one_line(text) != text {
        return None;
    }
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if text.chars().all(plain) {
        return Some(text.to_owned());
    }
    Some(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_keep_their_last_part() {
        let path = "/usr/lib/python3/dist-packages/numpy/core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so";
        assert_eq!(fit_path(path, 40, "…"), "/usr/lib/pyth…on-313-x86_64-linux-gnu.so");
        assert_eq!(fit_path("/etc/passwd", 40, "…"), "/etc/passwd");
    }

    #[test]
    fn sentences_keep_their_beginning() {
        assert_eq!(fit("RUN apt-get update && apt-get install", 20, "…"), "RUN apt-get update…");
        assert_eq!(fit("RUN apt-get update && apt-get install", 20, "..."), "RUN apt-get updat...");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fit_path("/データ/データ/データ", 12, "…"), "/デ…/データ");
        assert_eq!(width("/データ"), 7);
    }

    #[test]
    fn joined_signs_take_as_many_columns_as_they_do_where_they_are_drawn_apart() {
        // man, woman, girl, boy with joiners between them
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}";
        assert_eq!(width(family), 8);
        assert_eq!(fit(&family.repeat(3), 9, "…"), format!("{family}…"));
        // a heart that a selector makes wide, the other way round
        let heart = "\u{2764}\u{fe0f}";
        assert_eq!(width(heart), 2);
        for cut in [fit(&heart.repeat(20), 9, "…"), fit_path(&heart.repeat(20), 9, "…")] {
            assert!(width(&cut) <= 9, "{cut}");
        }
        // letters with marks on them stay one
        assert_eq!(width("e\u{301}"), 1);
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(fit_path("/a\u{1b}[2J", 40, "…"), "/a\\u{1b}[2J");
        assert_eq!(fit("x\u{202e}y", 40, "…"), "x\\u{202e}y");
    }

    #[test]
    fn words_are_quoted_for_the_shell_where_they_must_be() {
        assert_eq!(shell_word("/usr/bin/python3.13").as_deref(), Some("/usr/bin/python3.13"));
        assert_eq!(shell_word("/it's $HOME").as_deref(), Some(r"'/it'\''s $HOME'"));
        assert_eq!(shell_word("/a\u{7}"), None);
        assert_eq!(shell_word("/a\u{fffd}"), None);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "\\PC{0,80}|[\\x00-\\x1f/a-z\u{202e}]{0,80}", room in 4_usize..60) {
            for cut in [fit(&text, room, "…"), fit_path(&text, room, "…")] {
                prop_assert!(width(&cut) <= room, "{cut:?}");
                prop_assert!(!cut.chars().any(char::is_control));
            }
            prop_assert_eq!(width(&column(&text, room, "…")), room);
        }
    }
}
