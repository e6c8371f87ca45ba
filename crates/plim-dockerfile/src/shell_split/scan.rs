//! Cutting a script into commands.

use std::ops::Range;

use super::command::{Separator, ShellCommand, ShellWord};
use super::word::parentheses;

/// Substitutions nested deeper than this are not looked into.
const MAX_DEPTH: usize = 40;

/// Longer ones before those that they begin with.
const REDIRECTIONS: [&str; 12] = ["<<<", "<<-", "<<", "<>", "<&", "<", "&>>", "&>", ">>", ">&", ">|", ">"];

/// Finds the commands in `range` of `text`.
pub(super) fn commands(text: &str, range: Range<usize>, nested: bool, level: usize, out: &mut Vec<ShellCommand>) {
    if level > MAX_DEPTH {
        return;
    }
    let mut scanner = Scanner {
        text: &text[..range.end],
        at: range.start,
        nested,
        level,
        depth: 0,
        before: Separator::Start,
        current: None,
        heredocs: Vec::new(),
        cases: Vec::new(),
        inner: Vec::new(),
        out,
    };
    scanner.run();
}

/// Where in a `case` the scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// Between `case` and `in`.
    Subject,
    /// Before a `)`.
    Pattern,
    /// In the commands of a branch.
    Branch,
}

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    nested: bool,
    level: usize,
    depth: usize,
    before: Separator,
    current: Option<ShellCommand>,
    /// Delimiters of here-documents that begin on the next line, and whether tabs before them are ignored.
    heredocs: Vec<(String, bool)>,
    cases: Vec<Case>,
    /// Insides of substitutions, to be looked into.
    pub(super) inner: Vec<Range<usize>>,
    out: &'a mut Vec<ShellCommand>,
}

impl<'a> Scanner<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn run(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' => {
                    self.at += 1;
                    self.end(Separator::Sequence);
                    self.skip_heredocs();
                }
                c if c.is_whitespace() => self.at += c.len_utf8(),
                '\\' if self.rest()[1..].starts_with('\n') => self.at += 2,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                ';' | '&' | '|' | '(' | ')' => self.operator(),
                '<' | '>' => self.redirection(),
                _ => self.word(),
            }
        }
        self.end(Separator::Sequence);
        for range in std::mem::take(&mut self.inner) {
            commands(self.text, range, true, self.level + 1, self.out);
        }
    }

    fn operator(&mut self) {
        const OPERATORS: [(&str, Separator); 11] = [
            (";;&", Separator::Sequence),
            (";;", Separator::Sequence),
            (";&", Separator::Sequence),
            (";", Separator::Sequence),
            ("&&", Separator::And),
            ("||", Separator::Or),
            ("|&", Separator::Pipe),
            ("|", Separator::Pipe),
            ("&", Separator::Background),
            ("(", Separator::Start),
            (")", Separator::Sequence),
        ];
        if self.rest().starts_with("&>") {
            return self.redirection();
        }
        let Some((operator, separator)) = OPERATORS.iter().find(|(operator, _)| self.rest().starts_with(operator))
        else {
            return;
        };
        let case = self.cases.last().copied();
        if case == Some(Case::Pattern) && *operator != ";" {
            // patterns are no commands
            self.current = None;
            self.at += operator.len();
            if *operator == ")" {
                self.set_case(Case::Branch);
                self.before = Separator::Start;
            }
            return;
        }
        match *operator {
            "(" if self.rest().starts_with("((") && self.current.is_none() => {
                self.at = parentheses(self.text, self.at).1;
                return;
            }
            "(" => {
                // `name ()` declares a function, which is no command
                if self.rest()[1..].trim_start().starts_with(')')
                    && self.current.as_ref().is_some_and(|c| c.words.len() == 1)
                {
                    self.current = None;
                    self.at = self.text.len() - self.rest()[1..].trim_start()[1..].len();
                    return;
                }
                self.depth += 1;
            }
            ")" => self.depth = self.depth.saturating_sub(1),
            ";;" | ";;&" | ";&" if case == Some(Case::Branch) => self.set_case(Case::Pattern),
            _ => {}
        }
        self.at += operator.len();
        self.end(*separator);
    }

    fn set_case(&mut self, state: Case) {
        if let Some(case) = self.cases.last_mut() {
            *case = state;
        }
    }

    /// Ends the current command; `next` stands behind it.
    fn end(&mut self, next: Separator) {
        match self.current.take() {
            Some(command) => {
                self.out.push(command);
                self.before = next;
            }
            // a newline behind `&&` or a pipe changes nothing
            None if next == Separator::Sequence && self.before != Separator::Sequence => {}
            None => self.before = next,
        }
    }

    fn command(&mut self, start: usize) -> &mut ShellCommand {
        let (before, nested, depth) = (self.before, self.nested, self.depth);
        self.current.get_or_insert_with(|| ShellCommand {
            before,
            assignments: Vec::new(),
            words: Vec::new(),
            redirections: Vec::new(),
            range: start..start,
            nested,
            depth,
        })
    }

    fn word(&mut self) {
        let word = self.read_word();
        if word.range.is_empty() {
            // a character that begins no word, such as a lone `}` of an expansion, is passed over
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            return;
        }
        // a number before a redirection belongs to it
        if self.rest().starts_with(['<', '>']) && word.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.redirection_from(word.range.start);
        }
        if self.cases.last() == Some(&Case::Subject) {
            if word.text == "in" && !word.quoted {
                self.set_case(Case::Pattern);
            }
            return;
        }
        let first = self.current.as_ref().is_none_or(|command| command.words.is_empty());
        if first && !word.quoted && self.reserved(&word.text) {
            return;
        }
        let end = word.range.end;
        let command = self.command(word.range.start);
        command.range.end = end;
        if first && is_assignment(&word) {
            command.assignments.push(word);
        } else {
            command.words.push(word);
        }
    }

    /// Deals with the words of the grammar. Returns whether `word` is one.
    fn reserved(&mut self, word: &str) -> bool {
        if self.cases.last() == Some(&Case::Pattern) {
            if word == "esac" {
                self.cases.pop();
            }
            return word == "esac";
        }
        match word {
            "if" | "while" | "until" | "{" => {
                self.depth += 1;
                self.before = Separator::Start;
            }
            "then" | "elif" | "else" | "do" => self.before = Separator::Start,
            "fi" | "done" | "}" => self.depth = self.depth.saturating_sub(1),
            "esac" if self.cases.pop().is_some() => {}
            "case" => self.cases.push(Case::Subject),
            "for" | "select" => {
                self.depth += 1;
                self.skip_loop_head();
            }
            "function" => {
                let rest = self.rest().trim_start();
                let name = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | '{' | ';')).unwrap_or(rest.len());
                self.at = self.text.len() - rest[name..].len();
                let rest = self.rest().trim_start();
                if let Some(rest) = rest.strip_prefix("()") {
                    self.at = self.text.len() - rest.len();
                }
            }
            "!" => {}
            _ => return false,
        }
        true
    }

    /// Passes `NAME in WORDS` of a loop; substitutions in the words are kept.
    fn skip_loop_head(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' | ';' => return,
                '(' if self.rest().starts_with("((") => self.at = parentheses(self.text, self.at).1,
                '\\' if self.rest()[1..].starts_with('\n') => self.at += 2,
                c if c.is_whitespace() || matches!(c, '&' | '|' | '(' | ')' | '<' | '>') => self.at += c.len_utf8(),
                _ => {
                    let word = self.read_word();
                    if word.range.is_empty() {
                        self.at += c.len_utf8();
                    } else if word.text == "do" && !word.quoted {
                        self.before = Separator::Start;
                        return;
                    }
                }
            }
        }
    }

    fn redirection(&mut self) {
        self.redirection_from(self.at);
    }

    fn redirection_from(&mut self, start: usize) {
        if self.rest().starts_with("<(") || self.rest().starts_with(">(") {
            let (inside, end) = parentheses(self.text, self.at + 1);
            let word = ShellWord {
                text: self.text[self.at..end].to_owned(),
                range: self.at..end,
                literal: false,
                quoted: false,
            };
            self.inner.push(self.at + 2..inside);
            self.at = end;
            let command = self.command(word.range.start);
            command.range.end = end;
            command.words.push(word);
            return;
        }
        let Some(operator) = REDIRECTIONS.iter().find(|operator| self.rest().starts_with(**operator)) else {
            self.at += 1;
            return;
        };
        self.at += operator.len();
        let text = self.text[start..self.at].to_owned();
        loop {
            let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
            self.at += blanks;
            if !self.rest().starts_with("\\\n") {
                break;
            }
            self.at += 2;
        }
        let target = self.read_word();
        if matches!(*operator, "<<" | "<<-") && !target.range.is_empty() {
            self.heredocs.push((target.text.clone(), *operator == "<<-"));
        }
        let end = self.at;
        let command = self.command(start);
        command.range.end = end;
        command.redirections.push((text, target));
    }

    fn skip_heredocs(&mut self) {
        for (delimiter, tabs) in std::mem::take(&mut self.heredocs) {
            while self.at < self.text.len() {
                let rest = self.rest();
                let line = rest.split_inclusive('\n').next().unwrap_or(rest);
                let content = line.trim_end_matches(['\n', '\r']);
                let done = delimiter == if tabs { content.trim_start_matches('\t') } else { content };
                self.at += line.len();
                if done {
                    break;
                }
            }
        }
    }
}

fn is_assignment(word: &ShellWord) -> bool {
    let Some((name, _)) = word.text.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | ']'))
}
