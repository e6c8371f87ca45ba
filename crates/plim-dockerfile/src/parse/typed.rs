//! What an instruction means: flags checked, arguments given their names.

mod copy;
mod health;
mod run;

use super::flags::{Known, Shape};
use super::split::{Frame, Parts};
use super::{Mistake, split};
use crate::ast::{ErrorKind, Heredoc, Instruction, ParseError};
use crate::kind::{ArgDefinition, Command, From, KeyValue, Keyword, Kind, Onbuild};
use crate::logical::LogicalLine;
use crate::span::Spanned;
use crate::suggest;

/// Makes an instruction of its parts. What is wrong goes to `errors`.
pub(super) fn instruction(
    logical: LogicalLine,
    parts: Parts,
    frame: Frame,
    errors: &mut Vec<ParseError>,
) -> Instruction {
    let Parts { name, keyword, flags, rest, arguments, trigger, mistakes: syntax } = parts;
    let broken = !syntax.is_empty();
    errors.extend(syntax.into_iter().map(|mistake| mistake.of_kind(ErrorKind::Syntax)));
    let mut instruction = Instruction {
        span: frame.span,
        line: frame.line,
        last_line: frame.last_line,
        name,
        kind: Kind::Unknown,
        flags,
        args: arguments.words,
        json: arguments.json,
        heredocs: frame.heredocs,
        comments: frame.comments,
        logical,
        rest,
    };
    let mut mistakes = Vec::new();
    let kind = match keyword {
        Some(Keyword::Onbuild) => onbuild(&instruction, trigger.map(|parts| *parts), &mut mistakes),
        Some(keyword) if !broken || !instruction.args.is_empty() => {
            let reader =
                Reader { instruction: &instruction, keyword, legacy: arguments.legacy, mistakes: &mut mistakes };
            reader.read()
        }
        Some(_) => None,
        None => {
            let name = &instruction.name;
            let mistake = if name.is_empty() {
                Mistake::new(instruction.span, "the line continues nothing")
            } else {
                let hint = suggest::hint(name, Keyword::ALL.map(Keyword::name));
                Mistake::new(name.span, format!("there is no instruction `{name}`")).hint(hint)
            };
            mistakes.push(mistake);
            Some(Kind::Unknown)
        }
    };
    instruction.kind = kind.or(keyword.map(Kind::Invalid)).unwrap_or(Kind::Unknown);
    errors.extend(mistakes.into_iter().map(|mistake| mistake.of_kind(ErrorKind::Instruction)));
    instruction
}

fn onbuild(outer: &Instruction, trigger: Option<(LogicalLine, Parts)>, mistakes: &mut Vec<Mistake>) -> Option<Kind> {
    Known::check(&outer.flags, &[], "ONBUILD", mistakes);
    let Some((line, parts)) = trigger else {
        let mistake = Mistake::new(outer.name.span, "ONBUILD has no instruction to run");
        mistakes.push(mistake.hint("write the instruction behind it: `ONBUILD COPY . .`".to_owned()));
        return None;
    };
    if let Some(keyword @ (Keyword::Onbuild | Keyword::From | Keyword::Maintainer)) = parts.keyword {
        mistakes.push(Mistake::new(parts.name.span, format!("ONBUILD cannot trigger {}", keyword.name())));
    }
    let mut expression = split_keyword(outer).to_owned();
    for heredoc in &outer.heredocs {
        expression.push('\n');
        expression.push_str(&heredoc.raw);
        expression.push_str(&heredoc.name);
    }
    let frame = Frame {
        span: line.span(0..line.text().len()),
        line: outer.line,
        last_line: outer.last_line,
        comments: outer.comments.clone(),
        heredocs: outer.heredocs.clone(),
    };
    let mut errors = Vec::new();
    let instruction = Box::new(instruction(line, parts, frame, &mut errors));
    Some(Kind::Onbuild(Onbuild { instruction, expression, errors }))
}

/// Returns the line of `instruction` behind its keyword.
fn split_keyword(instruction: &Instruction) -> &str {
    let text = instruction.logical.text();
    let whole = split::trim(text, 0..text.len());
    text.get(whole.start + instruction.name.len()..).unwrap_or_default().trim_start()
}

/// Reads the arguments of one instruction.
struct Reader<'a> {
    instruction: &'a Instruction,
    keyword: Keyword,
    legacy: bool,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Option<Kind> {
        match self.keyword {
            Keyword::Add => self.add().map(Kind::Add),
            Keyword::Arg => self.arg().map(Kind::Arg),
            Keyword::Cmd => Some(Kind::Cmd(self.plain_command())),
            Keyword::Copy => self.copy().map(Kind::Copy),
            Keyword::Entrypoint => Some(Kind::Entrypoint(self.plain_command())),
            Keyword::Env => self.pairs().map(Kind::Env),
            Keyword::Expose => self.some_words("a port").map(Kind::Expose),
            Keyword::From => self.from().map(Kind::From),
            Keyword::Healthcheck => self.healthcheck().map(Kind::Healthcheck),
            Keyword::Label => self.pairs().map(Kind::Label),
            Keyword::Maintainer => self.one("a name").map(Kind::Maintainer),
            Keyword::Onbuild => None,
            Keyword::Run => Some(Kind::Run(self.run())),
            Keyword::Shell => self.shell().map(Kind::Shell),
            // BuildKit does not look at the flags of STOPSIGNAL and ARG
            Keyword::StopSignal => self.one_of_any_flags("a signal").map(Kind::StopSignal),
            Keyword::User => self.one("a user").map(Kind::User),
            Keyword::Volume => self.volume().map(Kind::Volume),
            Keyword::Workdir => self.one("a directory").map(Kind::Workdir),
        }
    }

    fn args(&self) -> &'a [Spanned] {
        &self.instruction.args
    }

    fn heredocs(&self) -> &'a [Heredoc] {
        &self.instruction.heredocs
    }

    fn wrong(&mut self, message: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.instruction.name.span, message));
    }

    fn wrong_with_hint(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.instruction.name.span, message).hint(hint.into()));
    }

    fn flags(&mut self, known: &[(&'static str, Shape)]) -> Known<'a> {
        Known::check(&self.instruction.flags, known, self.keyword.name(), self.mistakes)
    }

    fn some_words(&mut self, what: &str) -> Option<Vec<Spanned>> {
        self.flags(&[]);
        if self.args().is_empty() {
            self.wrong(format!("{} needs {what}", self.keyword.name()));
            return None;
        }
        Some(self.args().to_vec())
    }

    fn one(&mut self, what: &str) -> Option<Spanned> {
        self.flags(&[]);
        self.one_of_any_flags(what)
    }

    fn one_of_any_flags(&mut self, what: &str) -> Option<Spanned> {
        if self.args().is_empty() {
            self.wrong(format!("{} needs {what}", self.keyword.name()));
        }
        self.args().first().cloned()
    }

    fn command(&self, args: &[Spanned]) -> Command {
        if self.instruction.json {
            return Command::Exec(args.to_vec());
        }
        let end = self.instruction.rest.end;
        let empty = || Spanned::new(String::new(), self.instruction.logical.span(end..end));
        Command::Shell(args.first().cloned().unwrap_or_else(empty))
    }

    fn plain_command(&mut self) -> Command {
        self.flags(&[]);
        self.command(self.args())
    }

    fn from(&mut self) -> Option<From> {
        let flags = self.flags(&[("platform", Shape::Text)]);
        let (image, as_word, alias) = match self.args() {
            [image] => (image, None, None),
            [image, word, name] if word.eq_ignore_ascii_case("as") => (image, Some(word), Some(name)),
            [] => {
                self.wrong_with_hint("FROM needs an image", "use `FROM scratch` to begin with nothing");
                return None;
            }
            _ => {
                self.wrong_with_hint("FROM takes an image, or an image and a name", "write `FROM image AS name`");
                return None;
            }
        };
        if let Some(name) = alias
            && !is_stage_name(name)
        {
            let mistake = Mistake::new(name.span, format!("`{name}` cannot be the name of a stage"));
            let hint = "names begin with a letter and hold letters, digits, `-`, `_` and `.`";
            self.mistakes.push(mistake.hint(hint.to_owned()));
        }
        let description = alias.and_then(|name| self.instruction.description_of(&name.to_lowercase()));
        Some(From {
            image: image.clone(),
            platform: flags.text("platform"),
            alias: alias.cloned(),
            as_word: as_word.cloned(),
            description: description.map(str::to_owned),
        })
    }

    fn pairs(&mut self) -> Option<Vec<KeyValue>> {
        self.flags(&[]);
        if self.args().is_empty() {
            let name = self.keyword.name();
            self.wrong_with_hint(format!("{name} needs a name and a value"), format!("write `{name} name=value`"));
            return None;
        }
        let mut pairs = Vec::with_capacity(self.args().len() / 2);
        for pair in self.args().chunks_exact(2) {
            if let [key, value] = pair {
                if key.is_empty() {
                    let message = format!("{} needs a name before the `=`", self.keyword.name());
                    self.mistakes.push(Mistake::new(key.span, message));
                }
                pairs.push(KeyValue { key: key.clone(), value: value.clone(), legacy: self.legacy });
            }
        }
        Some(pairs)
    }

    fn arg(&mut self) -> Option<Vec<ArgDefinition>> {
        if self.args().is_empty() {
            self.wrong_with_hint("ARG needs a name", "write `ARG name` or `ARG name=default`");
            return None;
        }
        let mut definitions = Vec::with_capacity(self.args().len());
        for word in self.args() {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(default)),
                None => (word.value.as_str(), None),
            };
            let line = &self.instruction.logical;
            let start = line.position(word.span.start).unwrap_or(self.instruction.rest.start);
            let name_span = line.span(start..start + name.len());
            if name.is_empty() {
                self.mistakes.push(Mistake::new(word.span, "ARG needs a name before the `=`"));
            }
            let default = default.map(|default| {
                let start = start + name.len() + 1;
                Spanned::new(default.to_owned(), line.span(start..start + default.len()))
            });
            definitions.push(ArgDefinition {
                name: Spanned::new(name.to_owned(), name_span),
                default,
                description: self.instruction.description_of(name).map(str::to_owned),
            });
        }
        Some(definitions)
    }

    fn shell(&mut self) -> Option<Vec<Spanned>> {
        self.flags(&[]);
        let hint = "write the program and its arguments as `SHELL [\"/bin/bash\", \"-c\"]`";
        if self.args().is_empty() {
            self.wrong_with_hint("SHELL needs a program", hint);
            return None;
        }
        if !self.instruction.json {
            self.wrong_with_hint("SHELL takes a JSON array", hint);
            return None;
        }
        Some(self.args().to_vec())
    }

    fn volume(&mut self) -> Option<Vec<Spanned>> {
        let words = self.some_words("a path")?;
        let trim = |word: Spanned| word.map(|text| text.trim().to_owned());
        let words: Vec<Spanned> = words.into_iter().map(trim).collect();
        for word in words.iter().filter(|word| word.is_empty()) {
            self.mistakes.push(Mistake::new(word.span, "the path of a volume is empty"));
        }
        Some(words)
    }
}

fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
