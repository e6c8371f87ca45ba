//! Values as a Dockerfile writes them.

use std::time::Duration;

use camino::Utf8Path;

/// Writes a value of ENV or LABEL so that the builder reads it back unchanged.
pub(super) fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            out.push('\\');
        }
        // a line break would end the instruction
        out.push(if character.is_control() { ' ' } else { character });
    }
    out.push('"');
    out
}

/// Writes the exec form: a JSON array.
pub(super) fn exec(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| json(word)).collect();
    format!("[{}]", quoted.join(", "))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes the arguments of COPY; a blank in a path asks for the JSON form.
pub(crate) fn copy<'a>(sources: impl IntoIterator<Item = &'a Utf8Path>, dest: &str) -> String {
    let mut words: Vec<String> = sources.into_iter().map(|path| path.as_str().replace('$', "\\$")).collect();
    words.push(dest.to_owned());
    if words.iter().any(|word| word.contains(char::is_whitespace)) { exec(&words) } else { words.join(" ") }
}

/// Writes a duration as HEALTHCHECK takes it.
pub(super) fn duration(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// Makes a reason fit on its line of the template.
pub(super) fn reason(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use plim_dockerfile::words::{Lexer, NoEnv};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_with_blanks_take_the_json_form() {
        assert_eq!(copy([Utf8Path::new("a b"), Utf8Path::new("c")], "./"), r#"["a b", "c", "./"]"#);
        assert_eq!(copy([Utf8Path::new("c")], "./"), "c ./");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_secs(90)), "90s");
        assert_eq!(duration(Duration::from_millis(1500)), "1500ms");
    }

    proptest! {
        #[test]
        fn the_builder_reads_values_back(text in "[ -~ö]{0,20}") {
            let read = Lexer::new('\\').process_word(&value(&text), &NoEnv).unwrap();
            prop_assert_eq!(read.text, text);
        }
    }
}
