//! A command of whatever form as arguments of node.

use camino::Utf8Path;

use super::super::author::Build;
use super::super::programs::{self, WATCHER_VALUES, WATCHERS};
use super::{Scope, Start};
use crate::command::{self, NeedsShell, Plain};
use crate::error::DetectError;
use crate::project::Finding;

/// How many scripts may name each other.
const MAX_DEPTH: usize = 8;

/// Makes a text for a shell a command of node.
pub(super) fn shell(scope: &Scope<'_>, text: &str, origin: &str) -> Result<Start, DetectError> {
    Unwinding { scope, origin, start: Start::default() }.shell(text, &[], 0)
}

/// Makes a command one of node. `fixed` words of it cannot be replaced by arguments of `run`.
pub(super) fn interpreted(scope: &Scope<'_>, plain: &Plain, fixed: usize, origin: &str) -> Result<Start, DetectError> {
    let last = plain.words.len() - fixed.min(plain.words.len());
    let mut start = Unwinding { scope, origin, start: Start::default() }.plain(plain.clone(), 0)?;
    if fixed > 0 {
        // what stood behind the fixed words still does
        let defaults = last.min(start.words.len().saturating_sub(1));
        start.entrypoint = start.words.len() - defaults;
    }
    Ok(start)
}

/// The error for a project whose result is files for browsers.
pub(super) fn no_server(origin: &str, program: &str) -> DetectError {
    let (path, line) = origin.rsplit_once(':').unwrap_or((origin, "1"));
    DetectError::Unsuited {
        path: path.into(),
        message: format!(
            "`{program}` (line {line}) makes or shows static files: there is no server to put into an image"
        ),
        hint: "serve the built files with a web server, or name the program that does with `--start 'node server.js'`"
            .to_owned(),
    }
}

/// A command while its wrappers are taken off.
pub(super) struct Unwinding<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) origin: &'a str,
    pub(super) start: Start,
}

impl Unwinding<'_> {
    fn shell(mut self, text: &str, more: &[String], depth: usize) -> Result<Start, DetectError> {
        let (before, last) = self.split(text)?;
        for command in before {
            self.before(command, text)?;
        }
        let mut plain = self.words(last, text)?;
        plain.words.extend(more.iter().cloned());
        self.plain(plain, depth)
    }

    /// Cuts `a && b`: what is run first, and what stays running. Other lists are for a shell.
    fn split<'t>(&self, text: &'t str) -> Result<(Vec<&'t str>, &'t str), DetectError> {
        let mut parts: Vec<&str> = text.split("&&").map(str::trim).collect();
        let last = parts.pop().unwrap_or(text);
        if parts.iter().any(|part| part.contains(['|', ';', '\'', '"', '`'])) {
            return Err(self.needs_shell(text, NeedsShell::Operator('&')));
        }
        Ok((parts, last))
    }

    /// Hears a command in front of the one that stays: a setting, or something that makes files.
    fn before(&mut self, command: &str, text: &str) -> Result<(), DetectError> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["set" | "SET" | "export", assignment] if assignment.contains('=') => {
                let (name, value) = assignment.split_once('=').unwrap_or_default();
                self.start.env.push((name.to_owned(), value.to_owned()));
            }
            ["npx" | "yarn" | "pnpm", rest @ ..] if programs::is_builder(rest) => self.build(&words),
            all if programs::is_builder(all) => self.build(all),
            _ => return Err(self.needs_shell(text, NeedsShell::Operator('&'))),
        }
        Ok(())
    }

    fn build(&mut self, words: &[&str]) {
        let direct =
            !matches!(words.first(), Some(&("npm" | "npx" | "yarn" | "pnpm" | "rm" | "cp" | "mkdir" | "echo")));
        let words = direct.then_some("npx").into_iter().chain(words.iter().copied()).map(ToOwned::to_owned).collect();
        self.start.found.push(Finding::new("what the start command makes first is made by the build", self.origin));
        self.start.build.push(Build { dir: String::new(), env: Vec::new(), words, line: 0 });
    }

    /// Splits a text, with the variables that the author's Dockerfile or a flag gives a value.
    fn words(&self, text: &str, whole: &str) -> Result<Plain, DetectError> {
        let context = self.scope.context;
        let port = context.choices.port.map(|port| port.to_string());
        let value = |name: &str| {
            port.clone().filter(|_| name == "PORT").or_else(|| {
                let told = context.declared.env.iter().find(|told| told.value.0 == name)?;
                Some(told.value.1.clone())
            })
        };
        command::plain(text, &value).map_err(|reason| self.needs_shell(whole, reason))
    }

    fn needs_shell(&self, text: &str, reason: NeedsShell) -> DetectError {
        let last = command::last_of_list(text);
        let guess = |name: &str| (name == "PORT").then(|| "8080".to_owned());
        let suggestion = command::plain(last, &guess).ok().map(|plain| command::quote(&plain.words));
        DetectError::Shell {
            command: text.trim().to_owned(),
            origin: self.origin.to_owned(),
            reason,
            suggestion: suggestion.or_else(|| Some("node server.js".to_owned())),
        }
    }

    pub(super) fn unknown(&self, command: &[String], program: &str) -> DetectError {
        let (path, line) = self.origin.rsplit_once(':').unwrap_or((self.origin, "1"));
        DetectError::Unsuited {
            path: path.into(),
            message: format!(
                "the start command `{}` (line {line}) runs `{program}`, which is neither a file of the project nor a program of one of its packages",
                command::quote(command)
            ),
            hint: "say how node is started with `--start 'node server.js'`, or with `[project] start = …` in plim.toml"
                .to_owned(),
        }
    }

    /// Takes off one wrapper after the other until node and its arguments are left.
    fn plain(mut self, plain: Plain, depth: usize) -> Result<Start, DetectError> {
        if depth > MAX_DEPTH {
            return Err(self.unknown(&plain.words, &plain.words.join(" ")));
        }
        self.origin.clone_into(&mut self.start.origin);
        self.start.env.extend(plain.env);
        for (name, value) in &plain.replaced {
            let note = format!("${name} in the start command is fixed to {value}, because no shell reads it");
            self.start.found.push(Finding::new(note, self.origin));
        }
        let all = plain.words;
        let words: Vec<&str> = all.iter().map(String::as_str).collect();
        let Some((&program, rest)) = words.split_first() else { return Err(self.unknown(&all, "")) };
        let name = program.rsplit('/').next().unwrap_or(program);
        let own =
            |words: &[&str]| Plain { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Plain::default() };
        match (name, rest) {
            ("tini" | "dumb-init" | "catatonit" | "su-exec" | "gosu", rest) => {
                let options = rest.iter().take_while(|word| word.starts_with('-')).count();
                let user = usize::from(matches!(name, "su-exec" | "gosu"));
                self.plain(own(&rest[(options + user).min(rest.len())..]), depth + 1)
            }
            ("cross-env" | "cross-env-shell" | "env", rest) => {
                let assignments = rest.iter().take_while(|word| word.contains('=')).count();
                let pairs = rest[..assignments].iter().filter_map(|word| word.split_once('='));
                self.start.env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
                // cross-env-shell gives its argument to a shell
                match &rest[assignments..] {
                    [text] if name == "cross-env-shell" => self.shell(text, &[], depth + 1),
                    rest => self.plain(own(rest), depth + 1),
                }
            }
            ("dotenv" | "env-cmd" | "dotenvx", rest) => {
                let found = rest.iter().position(|word| *word == "--");
                let at = found
                    .map_or_else(|| rest.iter().position(|word| *word == "node").unwrap_or(rest.len()), |at| at + 1);
                let note = format!(
                    "{name} is left out: an environment file is not part of an image; give it to the container"
                );
                self.start.found.push(Finding::new(note, self.origin));
                self.plain(own(&rest[at..]), depth + 1)
            }
            ("npm" | "yarn" | "pnpm", rest) => self.script(&all, rest, depth),
            ("npx", rest) => {
                let options = rest.iter().take_while(|word| word.starts_with('-')).count();
                self.plain(own(&rest[options..]), depth + 1)
            }
            ("node" | "nodejs", rest) => self.node(&all, rest),
            (watcher, rest) if WATCHERS.contains(&watcher) => self.watcher(&all, rest, depth),
            ("nest", ["start", ..]) => self.nest(depth),
            ("next", ["dev", rest @ ..]) if self.scope.context.manifest.scripts.contains_key("build") => {
                self.start
                    .found
                    .push(Finding::new("next start in place of next dev, which is for developers", self.origin));
                let words = ["next", "start"]
                    .iter()
                    .chain(rest.iter().filter(|word| !word.starts_with("--turbo")))
                    .copied()
                    .collect::<Vec<_>>();
                self.plain(own(&words), depth + 1)
            }
            ("nuxt", ["start" | "preview", ..]) => self.plain(own(&["node", ".output/server/index.mjs"]), depth + 1),
            ("nginx" | "httpd" | "caddy", _) => Err(no_server(self.origin, name)),
            _ if programs::shows_front_end(&words) => Err(no_server(self.origin, &words.join(" "))),
            _ => self.program(&all, program, name, rest),
        }
    }

    /// `npm start`, `yarn run x`, `pnpm x -- --port 80`: the script itself.
    fn script(mut self, all: &[String], rest: &[&str], depth: usize) -> Result<Start, DetectError> {
        let quiet = |word: &&&str| matches!(**word, "-s" | "--silent" | "--quiet" | "-q" | "--if-present");
        let rest: Vec<&str> = rest.iter().filter(|word| !quiet(word)).copied().collect();
        let (name, more) = match rest.as_slice() {
            ["run" | "run-script", name, more @ ..] => (*name, more),
            ["exec" | "dlx", more @ ..] => {
                let more = more.strip_prefix(&["--"]).unwrap_or(more);
                let words = more.iter().map(|word| (*word).to_owned()).collect();
                return self.plain(Plain { words, ..Plain::default() }, depth + 1);
            }
            [name, more @ ..] if !name.starts_with('-') => (*name, more),
            _ => return Err(self.unknown(all, &all.join(" "))),
        };
        let manifest = self.scope.context.manifest;
        let more: Vec<String> =
            more.strip_prefix(&["--"]).unwrap_or(more).iter().map(|word| (*word).to_owned()).collect();
        let Some(text) = manifest.scripts.get(name) else {
            // npm starts server.js when nothing else is said
            if name == "start" && self.scope.context.folder.has("server.js") {
                let words = vec!["node".to_owned(), "server.js".to_owned()];
                return self.plain(Plain { words, ..Plain::default() }, depth + 1);
            }
            // Yarn and pnpm also run programs of packages
            if all.first().is_some_and(|manager| manager != "npm") {
                let words = [vec![name.to_owned()], more].concat();
                return self.plain(Plain { words, ..Plain::default() }, depth + 1);
            }
            return Err(self.unknown(all, name));
        };
        let note = format!("the script {name}, started without {}", all[0]);
        self.start.found.push(Finding::new(note, manifest.at(name)));
        if let Some(first) = manifest.scripts.get(&format!("pre{name}")) {
            let (before, last) = self.split(first)?;
            for command in before.into_iter().chain([last]) {
                self.before(command, first)?;
            }
        }
        let text = text.clone();
        self.shell(&text, &more, depth + 1)
    }

    /// `nodemon -w src server.js`: what it watches over.
    fn watcher(mut self, all: &[String], rest: &[&str], depth: usize) -> Result<Start, DetectError> {
        let mut words = rest.iter();
        let mut kept: Vec<String> = Vec::new();
        let mut program = None;
        while let Some(&word) = words.next() {
            match word {
                "--exec" | "-x" => program = words.next().copied(),
                option if kept.is_empty() && WATCHER_VALUES.contains(&option) => {
                    words.next();
                }
                option if kept.is_empty() && option.starts_with('-') => {}
                other => kept.push(other.to_owned()),
            }
        }
        let note = format!("{} is left out: nothing changes in an image", all[0]);
        self.start.found.push(Finding::new(note, self.origin));
        match program {
            Some(text) => self.shell(text, &kept, depth + 1),
            None if kept.first().is_some_and(|file| Utf8Path::new(file).extension() == Some("ts")) => {
                kept.insert(0, "ts-node".to_owned());
                self.plain(Plain { words: kept, ..Plain::default() }, depth + 1)
            }
            None => {
                if kept.is_empty() {
                    kept.push(self.scope.context.manifest.main.clone().unwrap_or_else(|| "index.js".to_owned()));
                }
                kept.insert(0, "node".to_owned());
                self.plain(Plain { words: kept, ..Plain::default() }, depth + 1)
            }
        }
    }

    /// `nest start` compiles and then runs what it compiled.
    fn nest(mut self, depth: usize) -> Result<Start, DetectError> {
        let settings = self.scope.context.folder.text("nest-cli.json").unwrap_or_default();
        let settings: serde_json::Value = serde_json::from_str(&settings).unwrap_or_default();
        let entry = settings["entryFile"].as_str().unwrap_or("main");
        self.start.found.push(Finding::new("nest start compiles first: the build does", self.origin));
        if !self.scope.context.manifest.scripts.contains_key("build") {
            let words = ["npx", "nest", "build"].map(ToOwned::to_owned).to_vec();
            self.start.build.push(Build { dir: String::new(), env: Vec::new(), words, line: 0 });
        }
        let words = vec!["node".to_owned(), format!("dist/{entry}")];
        self.plain(Plain { words, ..Plain::default() }, depth + 1)
    }
}
