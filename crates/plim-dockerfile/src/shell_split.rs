//! The commands of a shell script, found without understanding the shell: good enough for rules such as "apt-get install
//! without --no-install-recommends" and for reading what a RUN does.
//!
//! Commands are found wherever they stand: in lists, pipes, groups, branches, loops, and in `$(…)` and backquotes. Quotes,
//! escapes, comments and here-documents are respected. Aliases, functions and `eval` are not followed. Whatever the text,
//! the result is a list of commands; unbalanced quotes and parentheses end at the end of the text.

mod command;
mod scan;
mod word;

use std::ops::Range;

pub use command::{Separator, ShellCommand, ShellWord};

/// Returns the commands of `text` in the order in which they begin.
pub fn split(text: &str) -> Vec<ShellCommand> {
    let mut commands = Vec::new();
    scan::commands(text, 0..text.len(), false, 0, &mut commands);
    commands.sort_by_key(|command| command.range.start);
    commands
}

/// Returns the script of `sh -c SCRIPT` and the like: the word behind `-c`, and where it stands.
pub fn script_of(command: &ShellCommand) -> Option<(&str, Range<usize>)> {
    let words = command.unwrapped();
    let (program, args) = words.split_first()?;
    let name = program.text.rsplit('/').next()?;
    if !matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "busybox") {
        return None;
    }
    let flag = args
        .iter()
        .position(|word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c'))?;
    let script = args.get(flag + 1..)?.iter().find(|word| !word.text.starts_with('-'))?;
    Some((&script.text, script.range.clone()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn show(text: &str) -> String {
        let mut out = String::new();
        for command in split(text) {
            let words: Vec<String> = command.words.iter().map(|word| format!("[{}]", word.text)).collect();
            let assignments: Vec<&str> = command.assignments.iter().map(|word| word.text.as_str()).collect();
            let nested = if command.nested { " nested" } else { "" };
            writeln!(out, "{:?} {}{nested} {assignments:?}", command.before, words.join("")).unwrap();
        }
        out
    }

    #[test]
    fn lists_and_pipes_are_cut_at_their_operators() {
        insta::assert_snapshot!(show("set -e; a=1 b=2 apt-get update && apt-get install -y 'x y' z\\ z|tee f 2>&1 >log & wait"), @r#"
        Start [set][-e] []
        Sequence [apt-get][update] ["a=1", "b=2"]
        And [apt-get][install][-y][x y][z z] []
        Pipe [tee][f] []
        Background [wait] []
        "#);
    }

    #[test]
    fn compound_commands_are_looked_into() {
        insta::assert_snapshot!(show("if [ -f x ]; then (cd a && b); elif ! c; then { d; }; else e; fi\nfor i in 1 2; do f $i; done; while g; do h; done; case \"$x\" in a|if) i ;; *) j;; esac; k() { l; }; function m { n; }"), @r#"
        Start [[][-f][x][]] []
        Start [cd][a] []
        And [b] []
        Start [c] []
        Start [d] []
        Start [e] []
        Start [f][$i] []
        Start [g] []
        Start [h] []
        Start [i] []
        Start [j] []
        Start [l] []
        Start [n] []
        "#);
    }

    #[test]
    fn substitutions_are_looked_into() {
        insta::assert_snapshot!(show("a \"$(b `c` \"d e\")\" ${f:-$(g)} $((1 + 2)) # h\ni <(j)"), @r#"
        Start [a][$(b `c` "d e")][${f:-$(g)}][$((1 + 2))] []
        Start [b][`c`][d e] nested []
        Start [c] nested []
        Start [g] nested []
        Sequence [i][<(j)] []
        Start [j] nested []
        "#);
    }

    #[test]
    fn here_documents_are_no_commands() {
        insta::assert_snapshot!(show("cat <<EOF >f && x\nnot; a command\nEOF\ncat <<-'E F' | y\n\tz\n\tE F\nend <<<word"), @r#"
        Start [cat] []
        And [x] []
        Sequence [cat] []
        Pipe [y] []
        Sequence [end] []
        "#);
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "FOO='a b' sudo -E apt-get \"in\"stall $X";
        let commands = split(text);
        let words: Vec<&str> = commands[0].words.iter().map(|word| &text[word.range.clone()]).collect();
        assert_eq!(words, ["sudo", "-E", "apt-get", "\"in\"stall", "$X"]);
        assert_eq!(commands[0].words[3].text, "install");
        assert!(commands[0].words[3].literal && !commands[0].words[4].literal);
        assert_eq!(&text[commands[0].range.clone()], text);
        let unwrapped: Vec<&str> = commands[0].unwrapped().iter().map(|word| word.text.as_str()).collect();
        assert_eq!(unwrapped, ["apt-get", "install", "$X"]);
    }

    #[test]
    fn wrappers_are_seen_through() {
        let program = |text: &str| split(text)[0].program().map(str::to_owned);
        assert_eq!(program("env -i A=b exec /usr/bin/nice -n 5 npm ci").as_deref(), Some("/usr/bin/nice"));
        assert_eq!(program("time command apt-get update").as_deref(), Some("apt-get"));
        let commands = split("exec bash -euo pipefail -c 'a && b' x");
        assert_eq!(script_of(&commands[0]), Some(("a && b", 27..35)));
        assert_eq!(script_of(&split("sh x.sh -c")[0]), None);
    }

    #[test]
    fn flags_are_found_bundled_and_long() {
        let command = &split("apt-get -qqy install --no-install-recommends -o=x a -- -z")[0];
        assert!(command.has_flag('y', "yes") && command.has_flag('q', "quiet"));
        assert!(command.has_flag('\0', "no-install-recommends"));
        assert!(!command.has_flag('z', "zed"));
        let operands: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
        assert_eq!(operands, ["install", "a", "-z"]);
    }
}
