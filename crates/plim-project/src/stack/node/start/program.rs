//! What is left when the wrappers are off: node with a file, or a program of a package.

use super::super::programs;
use super::Start;
use super::form::Unwinding;
use crate::error::DetectError;
use crate::project::Finding;

impl Unwinding<'_> {
    /// Node and its arguments: options, a file, what follows.
    pub(super) fn node(mut self, all: &[String], rest: &[&str]) -> Result<Start, DetectError> {
        let mut words = vec!["node".to_owned()];
        let mut rest = rest.iter();
        while let Some(&word) = rest.next() {
            let name = word.split('=').next().unwrap_or(word);
            match name {
                "--watch" | "--watch-path" | "--watch-preserve-output" | "--inspect" | "--inspect-brk" => {
                    self.start
                        .found
                        .push(Finding::new(format!("{word} is left out: it is for developers"), self.origin));
                }
                "--env-file" | "--env-file-if-exists" => {
                    let note = format!(
                        "{word} is left out: an environment file is not part of an image; give it to the container"
                    );
                    self.start.found.push(Finding::new(note, self.origin));
                    if !word.contains('=') {
                        rest.next();
                    }
                }
                "-r" | "--require" | "--import" | "--loader" | "--experimental-loader" | "-C" | "--conditions" => {
                    words.push(word.to_owned());
                    let value = match word.split_once('=') {
                        Some((_, value)) => Some(value),
                        None => rest.next().map(|value| {
                            words.push((*value).to_owned());
                            *value
                        }),
                    };
                    self.start.packages.extend(value.and_then(package_of));
                }
                "-e" | "--eval" | "-p" | "--print" | "--run" => return Err(self.unknown(all, word)),
                _ if word.starts_with('-') => words.push(word.to_owned()),
                file => {
                    let Some(path) = self.scope.relative(if file == "." {
                        self.scope.context.manifest.main.as_deref().unwrap_or("index.js")
                    } else {
                        file
                    }) else {
                        return Err(self.unknown(all, file));
                    };
                    if let Some(package) = file.split_once("node_modules/").and_then(|(_, inside)| package_of(inside)) {
                        self.start.packages.push(package);
                    }
                    words.push(path.to_string());
                    words.extend(rest.by_ref().map(|word| (*word).to_owned()));
                    self.start.file = Some(path);
                }
            }
        }
        if self.start.file.is_none() {
            return Err(self.unknown(all, all.first().map_or("", String::as_str)));
        }
        self.start.words = words;
        self.start.entrypoint = 1;
        Ok(self.start)
    }

    /// A program of a package, or a script of the project whose first line names node.
    pub(super) fn program(
        mut self,
        all: &[String],
        program: &str,
        name: &str,
        rest: &[&str],
    ) -> Result<Start, DetectError> {
        let scope = self.scope;
        let manifest = scope.context.manifest;
        let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
        if let Some(file) = scope.relative(program).filter(|file| scope.context.folder.has(file)) {
            let first = scope.context.folder.text(&file).and_then(|text| text.lines().next().map(ToOwned::to_owned));
            if !first.is_some_and(|line| line.starts_with("#!") && line.contains("node"))
                && file.extension() != Some("js")
            {
                return Err(self.unknown(all, program));
            }
            self.start.words = [vec!["node".to_owned(), file.to_string()], rest].concat();
            self.start.file = Some(file);
            self.start.entrypoint = 1;
            return Ok(self.start);
        }
        let mut rest = rest;
        if name.starts_with("ts-node") || name == "tsx" {
            rest.retain(|word| !matches!(word.as_str(), "watch" | "--watch" | "--respawn" | "--inspect"));
            self.start.file = rest.iter().find(|word| !word.starts_with('-')).and_then(|word| scope.source(word));
        }
        // outside of a shell nothing would keep pm2 in front
        let name = if name == "pm2" { "pm2-runtime" } else { name };
        if name == "pm2-runtime" {
            rest.retain(|word| word != "--no-daemon");
            // it keeps its own files there
            self.start.env.push(("PM2_HOME".to_owned(), "/tmp/.pm2".to_owned()));
            self.start.file =
                rest.iter().find(|word| *word != "start" && !word.starts_with('-')).and_then(|word| scope.source(word));
        }
        let known = programs::program_of(name);
        let locked = scope.manager.npm_lock.as_ref().and_then(|lock| lock.program(name));
        let global = scope.author.globals.iter().find(|(spec, _)| {
            let package =
                spec.rsplit_once('@').filter(|(name, _)| !name.is_empty()).map_or(spec.as_str(), |(name, _)| name);
            package == name || known.is_some_and(|known| known.package == package)
        });
        let path = if let Some((package, file, _)) = locked {
            self.start.packages.push(package.to_owned());
            file
        } else if let Some(known) = known.filter(|known| manifest.has(known.package)) {
            self.start.packages.push(known.package.to_owned());
            format!("node_modules/{}/{}", known.package, known.file)
        } else if let (Some(known), Some((spec, line))) = (known, global) {
            self.start.found.push(Finding::new(format!("{spec} comes along"), scope.context.at(*line)));
            self.start.global = Some(spec.clone());
            format!("/usr/local/lib/node_modules/{}/{}", known.package, known.file)
        } else if manifest.has(name) && scope.manager.links_programs() {
            self.start.packages.push(name.to_owned());
            format!("node_modules/.bin/{name}")
        } else {
            return Err(self.unknown(all, program));
        };
        self.start.program = Some(name.to_owned());
        self.start.words = [vec!["node".to_owned(), path], rest].concat();
        self.start.entrypoint = 1;
        Ok(self.start)
    }
}

/// Returns the package of a module's name: `ts-node/register` is of `ts-node`, `@scope/a/b` of `@scope/a`.
fn package_of(module: &str) -> Option<String> {
    if module.starts_with(['.', '/']) || module.contains(':') {
        return None;
    }
    let parts = if module.starts_with('@') { 2 } else { 1 };
    let name = module.split('/').take(parts).collect::<Vec<_>>().join("/");
    (!name.is_empty()).then_some(name)
}
