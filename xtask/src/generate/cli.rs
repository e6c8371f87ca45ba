//! cli.md: the help text of every command.

use std::fmt::Write as _;

use super::program::Program;

const HEAD: &str = "\
# The command line

Written by `cargo xtask generate`; what is said here is what `plim COMMAND --help` says. The flags of the group \"Global\" are taken
by every command and shown once, under [plim](#plim).
";

/// Returns the document.
pub(super) fn document(program: &Program) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        let title = ["plim"].into_iter().chain(args.iter().copied()).collect::<Vec<_>>().join(" ");
        args.push("--help");
        let help = program.run(&args)?;
        // the last one is taken first
        for name in subcommands(&help).into_iter().rev() {
            waiting.push([command.as_slice(), &[name]].concat());
        }
        let shown = if command.is_empty() { help } else { without_section(&help, "Global:") };
        write!(text, "\n## {title}\n\n```text\n{}\n```\n", trimmed(&shown))?;
    }
    Ok(text)
}

/// The names in the section "Commands:".
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // deeper lines continue a description
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// The text without one section: from its heading to the next line that is not indented.
fn without_section(help: &str, heading: &str) -> String {
    let mut inside = false;
    let kept = help.lines().filter(|line| {
        if !line.is_empty() && !line.starts_with(' ') {
            inside = *line == heading;
        }
        !inside
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The text without spaces at line ends and empty lines at its end.
fn trimmed(help: &str) -> String {
    help.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "About\n\nUsage: plim\n\nCommands:\n  build  Build\n         more\n  run    Run\n\nGlobal:\n  -q  Quiet\n\n  -v  Loud\n\nExamples:\n  plim\n";

    #[test]
    fn commands_are_the_words_at_two_spaces() {
        assert_eq!(subcommands(HELP), ["build", "run"]);
        assert!(subcommands("About\n").is_empty());
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let rest = without_section(HELP, "Global:");
        assert!(!rest.contains("Quiet") && !rest.contains("Loud"), "{rest}");
        assert!(rest.ends_with("Examples:\n  plim"), "{rest}");
    }
}
