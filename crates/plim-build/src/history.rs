//! The rows of an image's history, in the words that BuildKit uses and tools look for.

use std::fmt::Write as _;
use std::time::Duration;

use plim_oci::{Healthcheck, History};

/// Says in each row which builder wrote it.
const COMMENT: &str = "plimsoll";
/// The mark that tools know modern builders by.
const MARK: &str = " # buildkit";

/// Returns the row of an instruction that leaves a layer by running or copying.
pub(crate) fn marked(text: &str) -> String {
    format!("{text}{MARK}")
}

/// Returns a time in seconds since 1970 as configurations write it.
pub(crate) fn time(epoch: i64) -> String {
    jiff::Timestamp::from_second(epoch).unwrap_or_default().to_string()
}

/// Returns a history row of a time in seconds since 1970.
pub(crate) fn row(created_by: String, layer: bool, epoch: i64) -> History {
    History {
        created: Some(time(epoch)),
        created_by: Some(created_by),
        author: None,
        comment: Some(COMMENT.to_owned()),
        empty_layer: !layer,
    }
}

/// Renders a list as `["a" "b"]`: CMD and ENTRYPOINT.
pub(crate) fn quoted_list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("[{}]", words.join(" "))
}

/// Renders a list as `[a b]`: EXPOSE, VOLUME and SHELL.
pub(crate) fn plain_list(words: &[String]) -> String {
    format!("[{}]", words.join(" "))
}

/// Renders a RUN: the declared arguments with their values, then the command.
pub(crate) fn run(arguments: &[(String, String)], command: &[String]) -> String {
    let mut text = "RUN ".to_owned();
    if !arguments.is_empty() {
        let _ = write!(text, "|{}", arguments.len());
        for (name, value) in arguments {
            let _ = write!(text, " {name}={value}");
        }
        text.push(' ');
    }
    text.push_str(&command.join(" "));
    text
}

/// Renders a health check with all its settings.
pub(crate) fn healthcheck(check: &Healthcheck) -> String {
    format!(
        "HEALTHCHECK {{Test:{} Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
        plain_list(&check.test),
        duration(check.interval),
        duration(check.timeout),
        duration(check.start_period),
        duration(check.start_interval),
        check.retries
    )
}

/// Renders nanoseconds as `1h2m3.5s`, `500ms`, `0s`.
fn duration(nanoseconds: i64) -> String {
    let time = Duration::from_nanos(nanoseconds.unsigned_abs());
    let decimal = |whole: u64, part: u64, width: usize| {
        let part = format!("{part:0width$}");
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_string() } else { format!("{whole}.{part}") }
    };
    let nanos = time.as_nanos() as u64;
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos / 1_000, nanos % 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos / 1_000_000, nanos % 1_000_000, 6)),
        _ => {
            let seconds = time.as_secs();
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let rest = decimal(seconds % 60, u64::from(time.subsec_nanos()), 9);
            match (hours, minutes) {
                (0, 0) => format!("{rest}s"),
                (0, minutes) => format!("{minutes}m{rest}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
            }
        }
    }
}

/// Quotes a word with double quotes and backslash escapes.
fn quote(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for c in word.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{7}' => text.push_str("\\a"),
            '\u{8}' => text.push_str("\\b"),
            '\u{b}' => text.push_str("\\v"),
            '\u{c}' => text.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(text, "\\x{:02x}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn lists_are_quoted_or_plain() {
        assert_eq!(quoted_list(&words(&["/bin/sh", "-c", "echo \"a\"\n"])), r#"["/bin/sh" "-c" "echo \"a\"\n"]"#);
        assert_eq!(plain_list(&words(&["80/tcp", "53/udp"])), "[80/tcp 53/udp]");
        assert_eq!(quoted_list(&[]), "[]");
    }

    #[test]
    fn a_run_names_the_declared_arguments() {
        let command = words(&["/bin/sh", "-c", "make"]);
        assert_eq!(run(&[], &command), "RUN /bin/sh -c make");
        let arguments = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())];
        assert_eq!(run(&arguments, &command), "RUN |2 A=1 B= /bin/sh -c make");
    }

    #[test]
    fn durations_read_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (1_500_000_000, "1.5s"),
            (500_000_000, "500ms"),
            (1_500_000, "1.5ms"),
            (2_000, "2µs"),
            (3, "3ns"),
        ] {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn a_healthcheck_shows_all_settings() {
        let check = Healthcheck {
            test: words(&["CMD-SHELL", "curl -f http://localhost/"]),
            interval: 30_000_000_000,
            retries: 3,
            ..Healthcheck::default()
        };
        assert_eq!(
            healthcheck(&check),
            "HEALTHCHECK {Test:[CMD-SHELL curl -f http://localhost/] Interval:30s Timeout:0s StartPeriod:0s \
             StartInterval:0s Retries:3}"
        );
    }
}
