//! What the commands of RUN run, as far as their words tell.

use std::collections::HashSet;

use plim_dockerfile::{Dockerfile, Instruction, Kind};

/// What stands before the program that a command is about.
const BEFORE_PROGRAMS: &[&str] = &[
    "RUN", "run", "sh", "bash", "ash", "exec", "env", "sudo", "time", "corepack", "if", "then", "else", "do", "!", "{",
];

/// The commands of all RUN and ONBUILD RUN instructions.
#[derive(Debug)]
pub(super) struct Commands {
    /// The words of each, without quotes.
    commands: Vec<Vec<String>>,
    /// All words, programs without their folders and versions.
    names: HashSet<String>,
}

impl Commands {
    pub(super) fn of(file: &Dockerfile) -> Self {
        let commands: Vec<Vec<String>> =
            file.instructions.iter().filter(|instruction| runs(instruction)).flat_map(words).collect();
        let names = commands.iter().flatten().map(|word| name_of(word).to_owned()).collect();
        Self { commands, names }
    }

    /// Says whether a word is among them.
    pub(super) fn name(&self, word: &str) -> bool {
        self.names.contains(word)
    }

    /// Says whether one of them installs what a project of Node.js depends on. What cannot be told counts as no.
    pub(super) fn install_node_modules(&self) -> bool {
        self.commands.iter().any(|command| installs(command))
    }
}

fn runs(instruction: &Instruction) -> bool {
    match &instruction.kind {
        Kind::Run(_) => true,
        Kind::Onbuild(trigger) => matches!(trigger.instruction.kind, Kind::Run(_)),
        _ => false,
    }
}

/// The words of each command of an instruction.
fn words(instruction: &Instruction) -> Vec<Vec<String>> {
    let bodies: String = instruction.heredocs.iter().map(plim_dockerfile::Heredoc::content).collect();
    let text = format!("{}\n{bodies}", instruction.rest().text()).replace("\\\n", " ");
    let words = |command: &str| {
        let words = command.split(|c: char| c.is_whitespace() || "\"',[]`".contains(c));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    text.split(|c: char| ";&|()\n".contains(c)).map(words).collect()
}

/// A program without its folder and version: `/usr/bin/python3.13` is `python`.
fn name_of(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

fn installs(command: &[String]) -> bool {
    let before =
        |word: &String| word.starts_with('-') || word.contains('=') || BEFORE_PROGRAMS.contains(&name_of(word));
    let mut rest = command.iter().skip_while(|word| before(word));
    let Some(program) = rest.next() else { return false };
    let rest: Vec<&str> = rest.map(String::as_str).collect();
    let has = |words: &[&str]| rest.iter().any(|word| words.contains(word));
    if has(&["-g", "--global", "--location=global", "global", "--version", "-v", "--help", "-h"]) {
        return false;
    }
    // behind these words stand others that are no commands of the program
    let own = || rest.iter().take_while(|word| !["run", "run-script", "exec", "dlx", "x"].contains(*word));
    let installs = |verbs: &[&str]| own().any(|word| verbs.contains(word));
    match name_of(program) {
        "npm" => installs(&["ci", "clean-install", "install", "i"]),
        "yarn" => installs(&["install"]) || rest.iter().all(|word| word.starts_with('-')),
        "pnpm" | "bun" => installs(&["install", "i"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dockerfile: &str) -> Commands {
        Commands::of(&plim_dockerfile::parse(dockerfile))
    }

    #[test]
    fn only_commands_that_install_make_node_modules() {
        for command in [
            "npm ci --omit=dev",
            "cd web && npm --prefix . install",
            "npm i",
            "corepack enable && yarn --frozen-lockfile",
            "yarn",
            "CI=1 pnpm install --prod",
            "sh -c 'bun install'",
            "[\"npm\", \"ci\"]",
            "--mount=type=cache,target=/root/.npm npm ci",
            "<<EOF\nset -e\nnpm \\\n  ci\nEOF",
        ] {
            assert!(of(&format!("FROM node\nRUN {command}\n")).install_node_modules(), "{command}");
        }
        for command in [
            "npm install -g pm2 yarn",
            "npm run ci",
            "npm run build",
            "yarn build",
            "yarn --version",
            "yarn global add serve",
            "apk add npm yarn",
            "corepack enable yarn",
            "pnpm exec i",
            "echo npm ci",
        ] {
            assert!(!of(&format!("FROM node\nRUN {command}\n")).install_node_modules(), "{command}");
        }
    }

    #[test]
    fn only_run_and_its_triggers_count() {
        assert!(of("FROM a\nONBUILD RUN --network=none yarn install\n").install_node_modules());
        assert!(!of("FROM a\nONBUILD CMD npm ci\nENTRYPOINT npm ci\nENV A=npm\n").install_node_modules());
        assert!(of("FROM a\nRUN /usr/bin/python3.13 -m build\n").name("python"));
        assert!(!of("FROM a\nCMD python3 app.py\nENV A=git\n").name("python"));
    }
}
