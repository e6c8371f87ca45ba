//! Here-documents: which an instruction announces, and reading their lines.

use super::lines::Line;
use super::split::Parts;
use crate::ast::Heredoc;
use crate::kind::Keyword;
use crate::span::span;
use crate::words::{Lexer, NoEnv, WordError};

/// The word that announces a here-document: `<<EOF`, `3<<-"EOF"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeredocWord {
    /// The delimiter without quotes.
    pub name: String,
    /// The number before `<<`, 0 without one.
    pub fd: u32,
    /// Whether variables in the body are expanded: the delimiter is not quoted.
    pub expand: bool,
    /// Whether leading tabs of the body are removed (`<<-`).
    pub chomp: bool,
}

/// Reads `text` as the word that announces a here-document, all of it. Returns `None` when it is none.
pub fn parse_heredoc_word(text: &str) -> Option<HeredocWord> {
    parse_word(text).ok().flatten()
}

fn parse_word(text: &str) -> Result<Option<HeredocWord>, WordError> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let Some(rest) = text[digits..].strip_prefix("<<") else {
        return Ok(None);
    };
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let lexer = Lexer { skip_unset: true, ..Lexer::new('\\') };
    let words = lexer.process_words(rest, &NoEnv)?;
    let [name] = words.as_slice() else {
        return Ok(None);
    };
    // reading it once with quotes and once without shows whether the delimiter is quoted
    let raw = Lexer { raw_quotes: true, ..lexer }.process_words(rest, &NoEnv)?;
    let quotes = |word: &str| word.matches(['\'', '"']).count();
    let expand = raw.first().is_some_and(|raw| quotes(raw) == quotes(name));
    let fd = text[..digits].parse().unwrap_or(0);
    Ok(Some(HeredocWord { name: name.clone(), fd, expand, chomp }))
}

/// Returns the here-documents that the instruction `parts` announces on its line `text`.
pub(super) fn announced(parts: &Parts, text: &str) -> Result<Vec<HeredocWord>, String> {
    let parts = match &parts.trigger {
        Some(trigger) => &trigger.1,
        None => parts,
    };
    let may = matches!(parts.keyword, Some(Keyword::Add | Keyword::Copy | Keyword::Run)) && !parts.arguments.json;
    if !may || !text.contains("<<") {
        return Ok(Vec::new());
    }
    let lexer = Lexer { raw_quotes: true, raw_escapes: true, skip_unset: true, ..Lexer::new('\\') };
    // a line that the lexer cannot read (a lone quote) is the shell's business and announces nothing
    let words = lexer.process_words(text, &NoEnv).unwrap_or_default();
    let mut found = Vec::new();
    for word in words {
        found.extend(parse_word(&word).map_err(|error| format!("bad heredoc delimiter: {error}"))?);
    }
    Ok(found)
}

/// Reads the lines of the here-document `word` from line `next` on. Without its delimiter it takes the rest of the file,
/// and the message says so.
pub(super) fn take(word: HeredocWord, source: &str, lines: &[Line], next: &mut usize) -> (Heredoc, Option<String>) {
    let start = lines.get(*next).map_or(source.len(), |line| line.start);
    let mut end = start;
    let mut terminator = None;
    while let Some(line) = lines.get(*next) {
        *next += 1;
        let content = &source[line.content.clone()];
        let content = if word.chomp { content.trim_start_matches('\t') } else { content };
        if content == word.name {
            terminator = Some(line.content_span());
            break;
        }
        end = line.end;
    }
    let message = terminator.is_none().then(|| format!("the heredoc `{}` has no end", word.name));
    let HeredocWord { name, fd, expand, chomp } = word;
    let raw = source[start..end].to_owned();
    let terminator = terminator.unwrap_or(span(end, end));
    (Heredoc { name, fd, expand, chomp, raw, body: span(start, end), terminator }, message)
}
