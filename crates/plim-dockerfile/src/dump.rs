//! The syntax tree as BuildKit's parser tests print it: one `(instruction ["--flag"] "argument" …)` per line.

use std::fmt::Write as _;

use crate::ast::{Dockerfile, Instruction};
use crate::kind::{Keyword, Kind};

/// Returns the syntax tree of `file` as text, each instruction on a line.
pub fn dump(file: &Dockerfile) -> String {
    let mut out = String::new();
    for instruction in &file.instructions {
        out.push('(');
        node(instruction, &mut out);
        out.push_str(")\n");
    }
    out
}

fn node(instruction: &Instruction, out: &mut String) {
    out.push_str(&instruction.name.to_lowercase());
    if !instruction.flags.is_empty() {
        out.push_str(" [");
        for (index, flag) in instruction.flags.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            let value = flag.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
            quote(&format!("--{}{value}", flag.name), out);
        }
        out.push(']');
    }
    if let Kind::Onbuild(onbuild) = &instruction.kind {
        out.push_str(" (");
        node(&onbuild.instruction, out);
        out.push(')');
        return;
    }
    let pairs = matches!(instruction.keyword(), Some(Keyword::Env | Keyword::Label));
    let separator = match &instruction.kind {
        Kind::Env(pairs) | Kind::Label(pairs) if pairs.iter().any(|pair| pair.legacy) => "",
        _ => "=",
    };
    for (index, word) in instruction.args.iter().enumerate() {
        out.push(' ');
        quote(word, out);
        if pairs && index % 2 == 1 {
            out.push(' ');
            quote(separator, out);
        }
    }
}

/// Writes `text` as Go's `strconv.Quote` does.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let written = match c {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\u{7}' => out.write_str("\\a"),
            '\u{8}' => out.write_str("\\b"),
            '\u{c}' => out.write_str("\\f"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\u{b}' => out.write_str("\\v"),
            ' ' => out.write_char(' '),
            c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
            c if c.is_control() || c.is_whitespace() => write!(out, "\\u{:04x}", u32::from(c)),
            c => out.write_char(c),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_nested() {
        let file = crate::parse("FROM a\nONBUILD RUN --network=none [\"x\\t\"]\nENV a b\n");
        insta::assert_snapshot!(dump(&file), @r#"
        (from "a")
        (onbuild (run ["--network=none"] "x\t"))
        (env "a" "b" "")
        "#);
    }
}
