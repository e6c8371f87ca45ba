//! Reasons, written in the template right above the instruction that they explain.

use super::Explanation;

/// What a line with a reason begins with in a template. It is an ordinary comment to everybody else.
const MARK: &str = "#~ ";

/// Lines between these two are the author's and stay as they are.
const RAW: &str = "#~<";
const END: &str = "#~>";

/// Takes the reasons out of a filled-in template: the Dockerfile, and an explanation for each instruction that has one.
pub(super) fn split(template: &str) -> (String, Vec<Explanation>) {
    let mut dockerfile = String::with_capacity(template.len());
    let mut explanations = Vec::new();
    let mut line_number = 0;
    let mut why: Option<&str> = None;
    let mut blank = true;
    let mut raw = false;
    for line in template.lines() {
        if line == RAW || line == END {
            raw = line == RAW;
            continue;
        }
        let line = if raw { line } else { line.trim_end() };
        if !raw && let Some(reason) = line.strip_prefix(MARK) {
            why = Some(reason);
            continue;
        }
        // a part that is left out leaves no gap
        if line.is_empty() && blank && !raw {
            continue;
        }
        blank = line.is_empty();
        line_number += 1;
        dockerfile.push_str(line);
        dockerfile.push('\n');
        if !line.is_empty()
            && !line.starts_with('#')
            && let Some(why) = why.take()
        {
            explanations.push(Explanation { line: line_number, instruction: line.to_owned(), why: why.to_owned() });
        }
    }
    dockerfile.truncate(dockerfile.trim_end().len());
    dockerfile.push('\n');
    (dockerfile, explanations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_belong_to_the_next_instruction() {
        let (text, explanations) = split("# a\n\n\n#~ because\n# note\nFROM x\n\n\nRUN y\n\n");
        assert_eq!(text, "# a\n\n# note\nFROM x\n\nRUN y\n");
        assert_eq!(
            explanations,
            [Explanation { line: 4, instruction: "FROM x".to_owned(), why: "because".to_owned() }]
        );
    }
}
