//! A build that failed, as people see it: the lines of the Dockerfile, what ran, what it wrote last.

use std::fmt::Write as _;

use plim_build::{BuildError, ErrorKind, Request};
use plim_diag::plain;

use crate::{Failure, Kind, lint};

/// Lines shown above and below the instruction.
const AROUND: usize = 2;
/// The most lines of an instruction: of a longer one the first and the last are shown.
const LONGEST_INSTRUCTION: usize = 12;
/// The most characters of a line of the Dockerfile, or of the output.
const LONGEST_LINE: usize = 200;

/// Turns the builder's error into a failure that shows the place that it is about.
pub(super) fn failure(error: &BuildError, build: &Request) -> Failure {
    let mut failure = Failure::from_error(error).maybe_hint(error.hint());
    failure.kind = match error.kind() {
        ErrorKind::Subject => Kind::Subject,
        ErrorKind::Tool => Kind::Tool,
    };
    let source = String::from_utf8_lossy(&build.dockerfile);
    if let BuildError::Dockerfile { errors, name } = error {
        failure.detail = Some(lint::frames(name, &source, errors));
        // each frame has its own
        failure.hint = None;
        return failure;
    }
    let mut detail = String::new();
    if let Some(line) = error.line() {
        failure.message = format!("{}: {}", build.dockerfile_name, failure.message);
        detail = frame(&build.dockerfile_name, &source, line, &place(error));
    } else if let Some(place) = Some(place(error)).filter(|place| !place.is_empty()) {
        // a trigger of the base has no line here
        detail = format!(" --> {place}\n");
    }
    if let BuildError::Step { context, output, .. } = error {
        let _ = writeln!(detail, "\n  ran: {}", cut(&plain::one_line(&shell_words(&context.command))));
        if !output.is_empty() {
            detail.push_str("  its last lines:\n");
        }
        for line in output {
            let _ = writeln!(detail, "    | {}", cut(&plain::output_line(line)));
        }
    }
    failure.detail = Some(detail).filter(|detail| !detail.is_empty());
    failure
}

/// Stage and step.
fn place(error: &BuildError) -> String {
    // without a name it is known by its number
    let named = |stage: &str| match stage.parse::<usize>() {
        Ok(number) => format!("stage {number}"),
        Err(_) => format!("stage `{stage}`"),
    };
    match error {
        BuildError::Step { stage, context, .. } => {
            format!("{}, step {} of {}", named(stage), context.step.0, context.step.1)
        }
        BuildError::Instruction { stage, .. } | BuildError::Files { stage, .. } if !stage.is_empty() => named(stage),
        _ => String::new(),
    }
}

/// Shows the instruction that begins at a line, marked, with the lines around it.
fn frame(name: &str, source: &str, line: usize, place: &str) -> String {
    let file = plim_dockerfile::parse(source);
    let last =
        file.instructions.iter().find(|instruction| instruction.line == line).map_or(line, |found| found.last_line);
    let lines: Vec<&str> = source.lines().collect();
    let end = (last + AROUND).min(lines.len());
    let width = end.to_string().len();
    let comma = if place.is_empty() { "" } else { ", " };
    let mut text = format!("{:width$}--> {name}:{line}{comma}{place}\n", "");
    let _ = writeln!(text, "{:width$}   |", "");
    // of a long instruction the middle is left out
    let hidden = (last + 1 - line > LONGEST_INSTRUCTION).then(|| line + LONGEST_INSTRUCTION - 3..last - 1);
    for number in line.saturating_sub(AROUND).max(1)..=end {
        if let Some(hidden) = hidden.as_ref().filter(|hidden| hidden.contains(&number)) {
            if number == hidden.start {
                let _ = writeln!(text, "> {:width$} | … {} more lines", "", hidden.len());
            }
            continue;
        }
        let mark = if (line..=last).contains(&number) { '>' } else { ' ' };
        let content = lines.get(number - 1).copied().unwrap_or_default();
        let row = format!("{mark} {number:width$} | {}", cut(&plain::one_line(&content.replace('\t', "    "))));
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// Writes a command as one would type it: words that a shell would read as something else are in quotes.
fn shell_words(words: &[String]) -> String {
    let plain = |word: &&String| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | ',' | '+' | '@'))
    };
    let word = |word: &String| {
        if plain(&word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use plim_build::StepContext;

    use super::*;

    fn failed(source: &str, line: usize, output: &[&str]) -> Failure {
        let error = BuildError::Step {
            line,
            stage: "build".to_owned(),
            instruction: "RUN make".to_owned(),
            code: 2,
            signal: None,
            output: output.iter().map(|line| (*line).to_owned()).collect(),
            context: Box::new(StepContext {
                step: (2, 5),
                command: ["/bin/sh", "-c", "make it's"].map(str::to_owned).to_vec(),
                hint: Some("do it".to_owned()),
            }),
        };
        failure(&error, &Request::new("context".into(), source.as_bytes().to_vec()))
    }

    #[test]
    fn the_failed_instruction_is_marked_among_its_neighbours() {
        let source = "FROM debian\nWORKDIR /src\nCOPY . .\nRUN ./configure && \\\n\tmake\n\nUSER 1\nCMD [\"x\"]\n";
        let failure = failed(source, 4, &["cc main.c", "\u{1b}[31merror\u{1b}[0m: boom"]);
        insta::assert_snapshot!(failure.detail.unwrap(), @r"
         --> Dockerfile:4, stage `build`, step 2 of 5
            |
          2 | WORKDIR /src
          3 | COPY . .
        > 4 | RUN ./configure && \
        > 5 |     make
          6 |
          7 | USER 1

          ran: /bin/sh -c 'make it'\''s'
          its last lines:
            | cc main.c
            | error: boom
        ");
        assert_eq!(failure.hint.as_deref(), Some("do it"));
        assert_eq!(failure.kind, Kind::Subject);
    }

    #[test]
    fn a_long_instruction_shows_its_ends_and_a_long_line_its_beginning() {
        let rows: Vec<String> =
            (0..30).map(|number| format!("step {number} {} && \\\n", "x".repeat(number * 20))).collect();
        let body = rows.concat();
        let detail = failed(&format!("FROM a\nRUN {body}true\n"), 2, &[]).detail.unwrap();
        assert!(detail.contains("more lines") && detail.contains("> 32 | true"), "{detail}");
        assert!(detail.lines().count() < 24 && detail.lines().all(|line| line.chars().count() < 220), "{detail}");
    }

    #[test]
    fn a_trigger_of_the_base_shows_its_stage_without_a_frame() {
        let detail = failed("FROM a\n", 0, &[]).detail.unwrap();
        assert!(detail.starts_with(" --> stage `build`, step 2 of 5\n"), "{detail}");
    }
}
