//! Branches, loops and groups.

use shuck_ast::CompoundCommand;

use super::super::words::fields;
use super::Walk;

/// How many rounds of a loop are walked; longer lists leave the variable unknown.
const MAX_ROUNDS: usize = 12;

impl Walk {
    /// Walks a command that is made of others.
    pub(super) fn compound(&mut self, compound: &CompoundCommand, text: &str) {
        match compound {
            CompoundCommand::If(command) => {
                self.sequence(&command.condition, text);
                self.branch(|walk| walk.sequence(&command.then_branch, text));
                for (condition, body) in &command.elif_branches {
                    self.branch(|walk| {
                        walk.sequence(condition, text);
                        walk.sequence(body, text);
                    });
                }
                if let Some(body) = &command.else_branch {
                    self.branch(|walk| walk.sequence(body, text));
                }
            }
            CompoundCommand::For(command) => {
                let name = command.targets.first().and_then(|target| target.name.as_ref());
                let words = command.words.as_deref().unwrap_or_default();
                for word in words {
                    self.substitutions(&word.parts, text);
                }
                let values: Vec<String> = words.iter().flat_map(|word| fields(word, text, &self.variables)).collect();
                let plain = |value: &String| !value.contains(['$', '`', '*', '?', '[']);
                let rounds: Vec<Option<String>> =
                    if (1..=MAX_ROUNDS).contains(&values.len()) && values.iter().all(plain) {
                        values.into_iter().map(Some).collect()
                    } else {
                        vec![None]
                    };
                self.branch(|walk| {
                    for value in rounds {
                        if let Some(name) = name {
                            walk.set(name.as_str(), value);
                        }
                        walk.sequence(&command.body, text);
                    }
                });
            }
            CompoundCommand::Foreach(command) => self.branch(|walk| walk.sequence(&command.body, text)),
            CompoundCommand::Select(command) => self.branch(|walk| walk.sequence(&command.body, text)),
            CompoundCommand::Repeat(command) => self.branch(|walk| walk.sequence(&command.body, text)),
            CompoundCommand::ArithmeticFor(command) => self.branch(|walk| walk.sequence(&command.body, text)),
            CompoundCommand::While(command) => self.branch(|walk| {
                walk.sequence(&command.condition, text);
                walk.sequence(&command.body, text);
            }),
            CompoundCommand::Until(command) => self.branch(|walk| {
                walk.sequence(&command.condition, text);
                walk.sequence(&command.body, text);
            }),
            CompoundCommand::Case(command) => {
                self.substitutions(&command.word.parts, text);
                for case in &command.cases {
                    self.branch(|walk| walk.sequence(&case.body, text));
                }
            }
            CompoundCommand::Subshell(body) => self.apart(|walk| walk.sequence(body, text)),
            CompoundCommand::BraceGroup(body) => self.sequence(body, text),
            CompoundCommand::Time(command) => {
                if let Some(command) = &command.command {
                    self.statement(command, text);
                }
            }
            CompoundCommand::Coproc(command) => self.apart(|walk| walk.statement(&command.body, text)),
            CompoundCommand::Always(command) => {
                self.sequence(&command.body, text);
                self.sequence(&command.always_body, text);
            }
            // tests and sums
            CompoundCommand::Arithmetic(_) | CompoundCommand::Conditional(_) => {}
        }
    }
}
