//! Words of a script as text.

use shuck_ast::{
    BourneParameterExpansion, LiteralText, ParameterExpansionSyntax, ParameterOp, Span, VarRef, Word, WordPart,
    WordPartNode,
};

use super::MAX_VALUE;

/// How many words a pattern such as `{a,b}{c,d}` may become.
const MAX_BRACES: usize = 64;

/// The variables that are known.
pub(super) type Variables = std::collections::BTreeMap<String, String>;

/// Returns the words that the shell makes of one: a variable without quotes is split, braces are expanded. What is not
/// known stays as written. Patterns stay as they are.
pub(super) fn fields(word: &Word, text: &str, variables: &Variables) -> Vec<String> {
    let mut fields = Fields { text, variables, done: Vec::new(), current: String::new(), open: false };
    fields.parts(&word.parts, false);
    if fields.open {
        fields.done.push(std::mem::take(&mut fields.current));
    }
    if word.has_active_brace_expansion() {
        fields.done.into_iter().flat_map(|field| braces(&field)).take(MAX_BRACES).collect()
    } else {
        fields.done
    }
}

/// Returns a word as one text, and whether all of it is known.
pub(super) fn value(word: &Word, text: &str, variables: &Variables) -> Option<String> {
    if !is_known(&word.parts, text, variables) {
        return None;
    }
    let mut fields = Fields { text, variables, done: Vec::new(), current: String::new(), open: false };
    // the value of an assignment is not split
    fields.parts(&word.parts, true);
    Some(fields.current).filter(|value| value.len() <= MAX_VALUE)
}

struct Fields<'a> {
    text: &'a str,
    variables: &'a Variables,
    done: Vec<String>,
    current: String,
    open: bool,
}

impl Fields<'_> {
    fn parts(&mut self, parts: &[WordPartNode], quoted: bool) {
        for part in parts {
            if self.current.len() > MAX_VALUE || self.done.len() > MAX_VALUE {
                return;
            }
            match &part.kind {
                WordPart::Literal(LiteralText::Source) => {
                    let raw = slice(self.text, part.span);
                    self.push(&unescape(raw, quoted));
                }
                WordPart::Literal(LiteralText::Owned(text) | LiteralText::CookedSource(text)) => self.push(text),
                WordPart::SingleQuoted { value, .. } => {
                    let value = value.slice(self.text);
                    self.push(value);
                }
                WordPart::DoubleQuoted { parts, .. } => {
                    self.open = true;
                    self.parts(parts, true);
                }
                other => match known(other, self.text, self.variables) {
                    Some(value) if quoted => self.push(&value),
                    Some(value) => self.split(&value),
                    None => self.push(slice(self.text, part.span)),
                },
            }
        }
    }

    fn push(&mut self, text: &str) {
        self.open = true;
        self.current.push_str(text);
    }

    fn split(&mut self, value: &str) {
        for (index, piece) in value.split_whitespace().enumerate() {
            if index > 0 && self.open {
                self.done.push(std::mem::take(&mut self.current));
            }
            self.push(piece);
        }
    }
}

fn is_known(parts: &[WordPartNode], text: &str, variables: &Variables) -> bool {
    parts.iter().all(|part| match &part.kind {
        WordPart::Literal(_) | WordPart::SingleQuoted { .. } => true,
        WordPart::DoubleQuoted { parts, .. } => is_known(parts, text, variables),
        other => known(other, text, variables).is_some(),
    })
}

/// Returns the value of an expansion if it is certain.
fn known(part: &WordPart, text: &str, variables: &Variables) -> Option<String> {
    let value = |reference: &VarRef| {
        let plain = reference.subscript.is_none();
        plain.then(|| variables.get(reference.name.as_str())).flatten().cloned()
    };
    let with = |reference: &VarRef, operator: &ParameterOp, colon: bool, operand: Option<&Word>| {
        let value = value(reference).filter(|value| !(colon && value.is_empty()));
        match (operator, value) {
            (ParameterOp::UseDefault | ParameterOp::AssignDefault | ParameterOp::Error, Some(value)) => Some(value),
            (ParameterOp::UseDefault | ParameterOp::AssignDefault, None) | (ParameterOp::UseReplacement, Some(_)) => {
                literal(operand?, text)
            }
            _ => None,
        }
    };
    match part {
        WordPart::Variable(name) => variables.get(name.as_str()).cloned(),
        WordPart::Parameter(parameter) => match &parameter.syntax {
            ParameterExpansionSyntax::Bourne(BourneParameterExpansion::Access { reference }) => value(reference),
            ParameterExpansionSyntax::Bourne(BourneParameterExpansion::Operation {
                reference,
                operator,
                operand_word_ast,
                colon_variant,
                ..
            }) => with(reference, operator, *colon_variant, operand_word_ast.as_deref()),
            _ => None,
        },
        WordPart::ParameterExpansion { reference, operator, operand_word_ast, colon_variant, .. } => {
            with(reference, operator, *colon_variant, operand_word_ast.as_deref())
        }
        _ => None,
    }
}

fn literal(word: &Word, text: &str) -> Option<String> {
    match word.parts.as_slice() {
        [] => Some(String::new()),
        [WordPartNode { kind: WordPart::Literal(literal), span }] => Some(match literal {
            LiteralText::Source => slice(text, *span).to_owned(),
            LiteralText::Owned(text) | LiteralText::CookedSource(text) => text.to_string(),
        }),
        _ => None,
    }
}

/// Returns what a span covers; nothing where it does not lie on characters of the text.
pub(super) fn slice(text: &str, span: Span) -> &str {
    text.get(span.start.offset()..span.end.offset()).unwrap_or_default()
}

/// Takes escapes away as a shell does (Shell Command Language, 2.2.1 and 2.2.3).
fn unescape(raw: &str, quoted: bool) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('\n') => {}
            Some(escaped) if !quoted || matches!(escaped, '$' | '`' | '"' | '\\') => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// Expands `{a,b}` in a word, one brace after the other. Braces without a comma stay.
fn braces(word: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut pending = vec![word.to_owned()];
    while let Some(word) = pending.pop() {
        let cut = word.find('{').and_then(|open| {
            let close = open + word[open..].find('}')?;
            let inner = &word[open + 1..close];
            (inner.contains(',') && !inner.contains('{') && !word[..open].ends_with('$')).then_some((open, close))
        });
        match cut {
            Some((open, close)) if pending.len() + done.len() < MAX_BRACES => {
                let (head, tail) = (&word[..open], &word[close + 1..]);
                let alternatives = word[open + 1..close].split(',').rev();
                pending.extend(alternatives.map(|alternative| format!("{head}{alternative}{tail}")));
            }
            _ => done.push(word),
        }
    }
    done
}
