//! From the tree of a script to its commands.

mod compound;

use shuck_ast::{
    Assignment, AssignmentValue, BinaryCommand, BinaryOp, BuiltinCommand, Command, DeclOperand, HeredocBodyPart,
    Redirect, RedirectKind, RedirectTarget, Stmt, StmtSeq, StmtTerminator, Word, WordPart, WordPartNode,
};

use shuck_parser::parser::ParseStatus;

use super::unwrap::{Inner, unwrap};
use super::words::{Variables, fields, slice, value};
use super::{MAX_SCRIPTS, MAX_STEPS, MAX_VARIABLES, MAX_WRITTEN, Setting, Simple, parse};

/// How many directories `popd` can go back to.
const MAX_STACK: usize = 12;

/// The state of a walk.
pub(super) struct Walk {
    pub(super) commands: Vec<Simple>,
    pub(super) gave_up: bool,
    variables: Variables,
    cwd: String,
    /// Directories that `popd` goes back to.
    stack: Vec<String>,
    functions: Vec<String>,
    /// Names that were given a value in a branch, so that nobody knows which it is afterwards.
    branches: Vec<Vec<String>>,
    /// Redirections of the groups around.
    writes: Vec<String>,
    nested: bool,
    piped: bool,
    feeds: bool,
    segment: usize,
    steps: usize,
    /// Bytes of the commands so far.
    written: usize,
    /// How many scripts are around: those of `sh -c`.
    scripts: usize,
}

impl Walk {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            commands: Vec::new(),
            gave_up: false,
            variables: setting.variables.clone(),
            cwd: setting.cwd.clone(),
            stack: Vec::new(),
            functions: Vec::new(),
            branches: Vec::new(),
            writes: Vec::new(),
            nested: false,
            piped: false,
            feeds: false,
            segment: 0,
            steps: 0,
            written: 0,
            scripts: 0,
        }
    }

    /// Walks the statements of a segment.
    pub(super) fn segment(&mut self, number: usize, statements: &[&Stmt], text: &str) {
        self.segment = number;
        for statement in statements {
            self.statement(statement, text);
        }
    }

    fn sequence(&mut self, sequence: &StmtSeq, text: &str) {
        for statement in sequence.iter() {
            self.statement(statement, text);
        }
    }

    fn statement(&mut self, statement: &Stmt, text: &str) {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.gave_up = true;
            return;
        }
        let outer = self.writes.len();
        for redirect in &statement.redirects {
            self.redirect(redirect, text);
        }
        if matches!(statement.terminator, Some(StmtTerminator::Background(_))) {
            self.apart(|walk| walk.command(&statement.command, text));
        } else {
            self.command(&statement.command, text);
        }
        self.writes.truncate(outer);
    }

    fn redirect(&mut self, redirect: &Redirect, text: &str) {
        match (&redirect.target, redirect.kind) {
            (
                RedirectTarget::Word(word),
                RedirectKind::Output | RedirectKind::Clobber | RedirectKind::Append | RedirectKind::OutputBoth,
            ) => {
                self.substitutions(&word.parts, text);
                let targets = fields(word, text, &self.variables);
                self.writes.extend(targets.into_iter().filter(|target| !is_device(target)));
            }
            (RedirectTarget::Word(word), _) => self.substitutions(&word.parts, text),
            (RedirectTarget::Heredoc(heredoc), _) => {
                for (part, _) in heredoc.body.parts_with_spans() {
                    if let HeredocBodyPart::CommandSubstitution { body, .. } = part {
                        self.substitution(body, text);
                    }
                }
            }
        }
    }

    fn command(&mut self, command: &Command, text: &str) {
        match command {
            Command::Simple(simple) => {
                let env = self.assignments(&simple.assignments, text);
                let words = std::iter::once(&simple.name).chain(&simple.args);
                let words: Vec<&Word> = words.filter(|word| !word.parts.is_empty()).collect();
                for word in &words {
                    self.substitutions(&word.parts, text);
                }
                let line = simple.span.start.line();
                let words: Vec<String> =
                    words.into_iter().flat_map(|word| fields(word, text, &self.variables)).collect();
                if words.iter().all(String::is_empty) {
                    for (name, value) in env {
                        self.set(&name, value);
                    }
                    return;
                }
                let env = env.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                self.emit(Simple { env, words, line, ..Simple::default() });
            }
            Command::Decl(declaration) => {
                let mut words = vec![declaration.variant.as_str().to_owned()];
                for operand in &declaration.operands {
                    match operand {
                        DeclOperand::Assignment(assignment) => {
                            for (name, value) in self.assignments(std::slice::from_ref(assignment), text) {
                                self.set(&name, value);
                            }
                            words.push(slice(text, assignment.span).to_owned());
                        }
                        DeclOperand::Flag(word) | DeclOperand::Dynamic(word) => {
                            words.extend(fields(word, text, &self.variables));
                        }
                        DeclOperand::Name(reference) => words.push(reference.name.as_str().to_owned()),
                    }
                }
                self.emit(Simple { words, line: declaration.span.start.line(), ..Simple::default() });
            }
            Command::Builtin(builtin) => {
                let (name, argument, line) = match builtin {
                    BuiltinCommand::Break(command) => ("break", &command.depth, command.span),
                    BuiltinCommand::Continue(command) => ("continue", &command.depth, command.span),
                    BuiltinCommand::Return(command) => ("return", &command.code, command.span),
                    BuiltinCommand::Exit(command) => ("exit", &command.code, command.span),
                };
                let mut words = vec![name.to_owned()];
                words.extend(argument.iter().flat_map(|word| fields(word, text, &self.variables)));
                self.emit(Simple { words, line: line.start.line(), ..Simple::default() });
            }
            Command::Binary(binary) => self.list(binary, text),
            Command::Compound(compound) => self.compound(compound, text),
            Command::Function(function) => {
                self.functions.extend(function.static_names().map(|name| name.as_str().to_owned()));
                self.apart(|walk| walk.statement(&function.body, text));
            }
            Command::AnonymousFunction(function) => self.apart(|walk| walk.statement(&function.body, text)),
        }
    }

    /// Walks `a && b || c` and `a | b`. The tree leans to the left and may be long, so its spine is walked in a loop.
    fn list(&mut self, binary: &BinaryCommand, text: &str) {
        let mut spine = vec![binary];
        let mut lowest = binary;
        while let Command::Binary(below) = &lowest.left.command
            && lowest.left.redirects.is_empty()
        {
            spine.push(below);
            lowest = below;
        }
        let is_pipe = |binary: Option<&&BinaryCommand>| {
            binary.is_some_and(|binary| matches!(binary.op, BinaryOp::Pipe | BinaryOp::PipeAll))
        };
        let (piped, feeds) = (self.piped, self.feeds);
        self.operand(&lowest.left, (piped, feeds || is_pipe(spine.last())), text);
        while let Some(binary) = spine.pop() {
            let feeds = feeds || is_pipe(spine.last());
            match binary.op {
                BinaryOp::And => self.operand(&binary.right, (piped, feeds), text),
                // whether the right side runs is not known
                BinaryOp::Or => self.branch(|walk| walk.operand(&binary.right, (piped, feeds), text)),
                BinaryOp::Pipe | BinaryOp::PipeAll => {
                    self.apart(|walk| walk.operand(&binary.right, (true, feeds), text));
                }
            }
        }
        (self.piped, self.feeds) = (piped, feeds);
    }

    fn operand(&mut self, statement: &Stmt, (piped, feeds): (bool, bool), text: &str) {
        (self.piped, self.feeds) = (piped, feeds);
        if feeds {
            self.apart(|walk| walk.statement(statement, text));
        } else {
            self.statement(statement, text);
        }
    }

    /// Returns the values of assignments; nothing where they are not known.
    fn assignments(&mut self, assignments: &[Assignment], text: &str) -> Vec<(String, Option<String>)> {
        let mut pairs = Vec::new();
        for assignment in assignments {
            let name = assignment.target.name.as_str().to_owned();
            let known = match &assignment.value {
                AssignmentValue::Scalar(word) => {
                    self.substitutions(&word.parts, text);
                    value(word, text, &self.variables)
                }
                AssignmentValue::Compound(_) => None,
            };
            let simple = assignment.target.subscript.is_none() && !assignment.append;
            pairs.push((name, known.filter(|_| simple)));
        }
        pairs
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(branch) = self.branches.last_mut() {
            branch.push(name.to_owned());
        }
        match value {
            Some(value) if self.variables.len() < MAX_VARIABLES => self.variables.insert(name.to_owned(), value),
            _ => self.variables.remove(name),
        };
    }

    /// Walks something that may not happen: what it sets is not known afterwards.
    fn branch(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = self.variables.clone();
        self.branches.push(Vec::new());
        walk(self);
        let names = self.branches.pop().unwrap_or_default();
        self.variables = before;
        for name in names {
            self.set(&name, None);
        }
    }

    /// Walks something that runs in a shell of its own.
    fn apart(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = (self.variables.clone(), self.cwd.clone(), self.stack.clone());
        self.branches.push(Vec::new());
        walk(self);
        self.branches.pop();
        (self.variables, self.cwd, self.stack) = before;
    }

    /// Walks the commands of `$(…)` in a word.
    fn substitutions(&mut self, parts: &[WordPartNode], text: &str) {
        for part in parts {
            match &part.kind {
                WordPart::DoubleQuoted { parts, .. } => self.substitutions(parts, text),
                WordPart::CommandSubstitution { body, .. } | WordPart::ProcessSubstitution { body, .. } => {
                    self.substitution(body, text);
                }
                _ => {}
            }
        }
    }

    fn substitution(&mut self, body: &StmtSeq, text: &str) {
        let before = (self.nested, self.piped, self.feeds, std::mem::take(&mut self.writes));
        (self.nested, self.piped, self.feeds) = (true, false, false);
        self.apart(|walk| walk.sequence(body, text));
        (self.nested, self.piped, self.feeds, self.writes) = before;
    }

    /// Writes a command down, or those of the script that it runs.
    fn emit(&mut self, mut command: Simple) {
        let inner = unwrap(&mut command);
        if let Inner::Script(script) = inner
            && self.script(&script, &command)
        {
            return;
        }
        let Some(program) = command.words.first() else { return };
        if self.functions.contains(program) {
            return;
        }
        self.written += command.words.iter().map(String::len).sum::<usize>();
        if self.written > MAX_WRITTEN {
            self.gave_up = true;
            return;
        }
        command.cwd.clone_from(&self.cwd);
        command.writes.clone_from(&self.writes);
        (command.nested, command.piped, command.feeds) = (self.nested, self.piped, self.feeds);
        command.segment = self.segment;
        self.change_directory(&command.words);
        self.commands.push(command);
    }

    /// Walks the script of `sh -c SCRIPT`. Returns false if it cannot be read.
    fn script(&mut self, script: &str, command: &Simple) -> bool {
        if self.scripts >= MAX_SCRIPTS {
            return false;
        }
        let result = parse(script);
        if result.status != ParseStatus::Clean {
            return false;
        }
        let first = self.commands.len();
        self.scripts += 1;
        self.apart(|walk| {
            for (name, value) in &command.env {
                walk.set(name, Some(value.clone()));
            }
            walk.sequence(&result.file.body, script);
        });
        self.scripts -= 1;
        for inner in self.commands.iter_mut().skip(first) {
            inner.wrappers.splice(0..0, command.wrappers.iter().cloned());
            inner.line = command.line;
        }
        true
    }

    fn change_directory(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["cd"] => self.cwd = self.variables.get("HOME").cloned().unwrap_or_else(|| "/root".to_owned()),
            ["cd", "-"] => {}
            ["cd", .., target] => self.cwd = absolute(&self.cwd, target),
            ["pushd", .., target] => {
                self.stack.push(self.cwd.clone());
                self.stack.truncate(MAX_STACK);
                self.cwd = absolute(&self.cwd, target);
            }
            ["popd", ..] => self.cwd = self.stack.pop().unwrap_or_else(|| self.cwd.clone()),
            _ => {}
        }
    }
}

/// Returns a path made absolute, `.` and `..` resolved. `~` is the home of root, who builds.
pub(in super::super) fn absolute(cwd: &str, path: &str) -> String {
    let path =
        match path.strip_prefix('~').or_else(|| path.strip_prefix("$HOME")).or_else(|| path.strip_prefix("${HOME}")) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/root{rest}"),
            _ if path.starts_with('/') => path.to_owned(),
            _ => format!("{cwd}/{path}"),
        };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_device(path: &str) -> bool {
    path.starts_with("/dev/") || path.starts_with("/proc/") || path.starts_with('&')
}
