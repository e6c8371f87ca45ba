//! The lines of an ignore file.

use crate::mount::values::clean;

/// Returns the patterns with their line numbers, from 1. Comments begin in the first column; everything else is trimmed
/// and cleaned, and a leading slash means nothing.
pub(super) fn patterns(text: &str) -> Vec<(usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    lines.filter_map(|(index, line)| Some((index + 1, pattern(line)?))).collect()
}

fn pattern(line: &str) -> Option<String> {
    let line = line.trim();
    let (bang, path) = match line.strip_prefix('!') {
        Some(path) => ("!", path.trim()),
        None => ("", line),
    };
    if path.is_empty() {
        return (!bang.is_empty()).then(|| bang.to_owned());
    }
    let path = clean(path);
    let path = if path.len() > 1 { path.strip_prefix('/').unwrap_or(&path) } else { &path };
    Some(format!("{bang}{path}"))
}
