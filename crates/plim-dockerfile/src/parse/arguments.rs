//! The grammars of arguments: words, pairs, one text, or a JSON array.

use std::ops::Range;

use super::Mistake;
use super::json::{self, NoStrings};
use super::split::is_blank;
use crate::kind::Keyword;
use crate::logical::LogicalLine;
use crate::span::Spanned;

/// Arguments as the grammar cuts them.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) words: Vec<Spanned>,
    /// They were a JSON array.
    pub(super) json: bool,
    /// The words are names and values in turn, written with a blank between them.
    pub(super) legacy: bool,
}

/// Reads `rest`, what follows keyword and flags, as the arguments of `keyword`.
pub(super) fn read(keyword: Keyword, rest: &LogicalLine, escape: char) -> Result<Arguments, Mistake> {
    match keyword {
        Keyword::Add | Keyword::Copy | Keyword::Volume => match json_form(rest)? {
            Some(arguments) => Ok(arguments),
            None => Ok(words(rest)),
        },
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => command(rest, 0),
        Keyword::Healthcheck => healthcheck(rest),
        Keyword::Env | Keyword::Label => pairs(keyword, rest, escape),
        Keyword::Arg => {
            let words = quoted_words(rest.text(), escape);
            let words = words.into_iter().map(|(word, range)| Spanned::new(word, rest.span(range))).collect();
            Ok(Arguments { words, ..Arguments::default() })
        }
        Keyword::Expose | Keyword::From => Ok(words(rest)),
        Keyword::Maintainer | Keyword::StopSignal | Keyword::User | Keyword::Workdir | Keyword::Onbuild => {
            Ok(text(rest, 0))
        }
    }
}

/// Everything from byte `start` on as one argument.
fn text(rest: &LogicalLine, start: usize) -> Arguments {
    let text = &rest.text()[start..];
    let words = if text.is_empty() {
        Vec::new()
    } else {
        vec![Spanned::new(text.to_owned(), rest.span(start..rest.text().len()))]
    };
    Arguments { words, ..Arguments::default() }
}

fn words(rest: &LogicalLine) -> Arguments {
    let words = ranges(rest.text())
        .into_iter()
        .map(|r| Spanned::new(rest.text()[r.clone()].to_owned(), rest.span(r)))
        .collect();
    Arguments { words, ..Arguments::default() }
}

fn ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        if is_blank(c) {
            ranges.extend(start.take().map(|start| start..at));
        } else if start.is_none() {
            start = Some(at);
        }
    }
    ranges.extend(start.map(|start| start..text.len()));
    ranges
}

/// Reads `rest` as a JSON array of strings. What is no JSON array at all is silently something else.
fn json_form(rest: &LogicalLine) -> Result<Option<Arguments>, Mistake> {
    match json::strings(rest.text()) {
        Ok(strings) => {
            let words = strings.into_iter().map(|(text, range)| Spanned::new(text, rest.span(range))).collect();
            Ok(Some(Arguments { words, json: true, legacy: false }))
        }
        Err(NoStrings::NoArray) => Ok(None),
        Err(NoStrings::OtherValues(range)) => {
            let mistake = Mistake::new(rest.span(range), "a JSON array of arguments may only hold strings");
            Err(mistake.hint("put the value in double quotes".to_owned()))
        }
    }
}

fn command(rest: &LogicalLine, start: usize) -> Result<Arguments, Mistake> {
    let part = rest.slice(start..rest.text().len());
    Ok(json_form(&part)?.unwrap_or_else(|| text(rest, start)))
}

/// A word (`CMD`, `NONE`) and a command.
fn healthcheck(rest: &LogicalLine) -> Result<Arguments, Mistake> {
    let text = rest.text();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    if end == 0 {
        return Ok(Arguments::default());
    }
    let next = text.len() - text[end..].trim_start().len();
    let mut arguments = command(rest, next)?;
    arguments.words.insert(0, Spanned::new(text[..end].to_owned(), rest.span(0..end)));
    Ok(arguments)
}

/// `name=value …`, or the old form `name value`, told apart by the first word.
fn pairs(keyword: Keyword, rest: &LogicalLine, escape: char) -> Result<Arguments, Mistake> {
    let text = rest.text();
    let name = keyword.name();
    let words = quoted_words(text, escape);
    let Some((first, _)) = words.first() else {
        return Ok(Arguments::default());
    };
    if !first.contains('=') {
        let end = text.find(is_blank).unwrap_or(text.len());
        let start = text.len() - text[end..].trim_start_matches(is_blank).len();
        if end == text.len() {
            let mistake = Mistake::new(rest.span(0..end), format!("{name} gives no value to `{text}`"));
            return Err(mistake.hint(format!("write `{name} {text}=value`")));
        }
        let key = Spanned::new(text[..end].to_owned(), rest.span(0..end));
        let value = Spanned::new(text[start..].to_owned(), rest.span(start..text.len()));
        return Ok(Arguments { words: vec![key, value], json: false, legacy: true });
    }
    let mut found = Vec::with_capacity(words.len() * 2);
    for (word, range) in words {
        let Some((key, value)) = word.split_once('=') else {
            let mistake = Mistake::new(rest.span(range), format!("`{word}` has no `=`"));
            return Err(mistake.hint(format!("{name} takes `name=value`; put values with blanks in quotes")));
        };
        let middle = range.start + key.len();
        found.push(Spanned::new(key.to_owned(), rest.span(range.start..middle)));
        found.push(Spanned::new(value.to_owned(), rest.span(middle + 1..range.end)));
    }
    Ok(Arguments { words: found, ..Arguments::default() })
}

/// Cuts `text` at white space outside of quotes; quotes and escapes stay. An escape at the very end is dropped.
fn quoted_words(text: &str, escape: char) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    let end_of = |range: Range<usize>, dangling: bool| {
        let word = &text[range.clone()];
        let word = if dangling { &word[..word.len() - escape.len_utf8()] } else { word };
        (!word.is_empty()).then(|| (word.to_owned(), range))
    };
    let mut dangling = false;
    while let Some((at, c)) = chars.next() {
        if start.is_none() {
            if c.is_whitespace() {
                continue;
            }
            start = Some(at);
        } else if quote.is_none() && c.is_whitespace() {
            words.extend(start.take().and_then(|start| end_of(start..at, false)));
            continue;
        }
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        if c == escape && quote != Some('\'') {
            // the escaped character is part of the word whatever it is
            dangling = chars.next().is_none();
        }
    }
    words.extend(start.and_then(|start| end_of(start..text.len(), dangling)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        quoted_words(text, '\\').into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn quotes_and_escapes_hold_words_together() {
        assert_eq!(split(r#"a="b c" d=e\ f g='h\' i"#), [r#"a="b c""#, r"d=e\ f", r"g='h\'", "i"]);
        assert_eq!(split(r"a=b\"), ["a=b"]);
        assert_eq!(split(r"\"), Vec::<String>::new());
        assert_eq!(split(r#"a="b\"#), [r#"a="b"#]);
    }
}
