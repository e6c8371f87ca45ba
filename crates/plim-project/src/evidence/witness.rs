//! What each instruction adds to the facts.

use std::collections::BTreeMap;

use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Instruction, Kind, RunScript, Source};

use super::stages::Stages;
use super::{CopyPair, Declared, Evidence, Fact, Kept, Told, run};

/// Hears the instructions of the image's stages in order.
pub(super) struct Witness<'a> {
    lexer: Lexer,
    stages: Stages<'a>,
    declared: Declared,
    facts: Vec<Fact>,
    /// Values of ARG and ENV so far.
    variables: BTreeMap<String, String>,
    /// Whether CMD was said by a stage below the current one.
    inherited_cmd: bool,
}

impl<'a> Witness<'a> {
    pub(super) fn new(escape: char, stages: Stages<'a>) -> Self {
        Self {
            lexer: Lexer::new(escape),
            stages,
            declared: Declared::default(),
            facts: Vec::new(),
            variables: BTreeMap::new(),
            inherited_cmd: false,
        }
    }

    pub(super) fn finish(self) -> Evidence {
        Evidence { facts: self.facts, declared: self.declared }
    }

    /// Expands a word; nothing when a variable in it has no known value.
    fn expand(&self, word: &str) -> Option<String> {
        let expanded = self.lexer.process_word(word, &self.variables).ok()?;
        expanded.unmatched.is_empty().then_some(expanded.text)
    }

    /// Hears one instruction.
    pub(super) fn hear(&mut self, instruction: &Instruction) {
        let line = instruction.line;
        let kept = match &instruction.kind {
            Kind::From(from) => {
                let image = self.expand(&from.image.value).unwrap_or_else(|| from.image.value.clone());
                // stages above inherit everything; only the lowest names an image
                self.declared.base.get_or_insert(Told { value: image, line });
                self.inherited_cmd = self.declared.cmd.is_some();
                Kept::Dropped("the stages are new".to_owned())
            }
            Kind::Arg(definitions) => {
                for definition in definitions {
                    if let Some(value) = definition.default.as_ref().and_then(|word| self.expand(&word.value)) {
                        self.variables.entry(definition.name.value.clone()).or_insert(value);
                    }
                }
                Kept::Dropped("its default is used where it was".to_owned())
            }
            Kind::Env(pairs) => self.env(pairs, line),
            Kind::Label(pairs) => {
                for pair in pairs {
                    if let (Some(key), Some(value)) = (self.expand(&pair.key.value), self.expand(&pair.value.value)) {
                        set(&mut self.declared.labels, key, value, line);
                    }
                }
                Kept::Kept
            }
            Kind::Expose(ports) => {
                let ports: Vec<Option<String>> = ports.iter().map(|port| self.expand(&port.value)).collect();
                if ports.iter().all(Option::is_some) {
                    let told = ports.into_iter().flatten().map(|value| Told { value, line });
                    self.declared.exposed.extend(told);
                    Kept::Kept
                } else {
                    Kept::Unknown
                }
            }
            Kind::User(user) => match self.expand(&user.value) {
                Some(value) => {
                    let numeric = value.split(':').all(|part| part.parse::<u32>().is_ok());
                    let root = matches!(value.split(':').next(), Some("root" | "0"));
                    self.declared.user = Some(Told { value, line });
                    match (root, numeric) {
                        (true, _) => Kept::Dropped("the program does not run as root".to_owned()),
                        (false, true) => Kept::Kept,
                        (false, false) => Kept::Dropped("the image names its user by number".to_owned()),
                    }
                }
                None => Kept::Unknown,
            },
            Kind::Workdir(path) => match self.expand(&path.value) {
                Some(path) => {
                    let absolute = match &self.declared.workdir {
                        _ if path.starts_with('/') => path,
                        Some(before) => format!("{}/{path}", before.value.trim_end_matches('/')),
                        None => format!("/{path}"),
                    };
                    self.declared.workdir = Some(Told { value: absolute, line });
                    Kept::Kept
                }
                None => Kept::Unknown,
            },
            Kind::Cmd(command) => {
                self.declared.cmd = Some(Told { value: command.clone(), line });
                self.inherited_cmd = false;
                Kept::Kept
            }
            Kind::Entrypoint(command) => {
                self.declared.entrypoint = Some(Told { value: command.clone(), line });
                if self.inherited_cmd {
                    self.declared.cmd = None;
                }
                Kept::Kept
            }
            Kind::Healthcheck(check) => {
                self.declared.healthcheck = Some(Told { value: check.clone(), line });
                Kept::Kept
            }
            Kind::StopSignal(signal) => match self.expand(&signal.value) {
                Some(value) => {
                    self.declared.stop_signal = Some(Told { value, line });
                    Kept::Kept
                }
                None => Kept::Unknown,
            },
            Kind::Volume(paths) => {
                for path in paths {
                    if let Some(value) = self.expand(&path.value) {
                        self.declared.volumes.push(Told { value, line });
                    }
                }
                Kept::Kept
            }
            Kind::Maintainer(name) => {
                set(&mut self.declared.labels, "org.opencontainers.image.authors".to_owned(), name.value.clone(), line);
                Kept::Kept
            }
            Kind::Copy(copy) => self.copy(copy, line),
            Kind::Run(_) => self.run(instruction),
            Kind::Shell(_) => Kept::Dropped("nothing runs in a shell".to_owned()),
            Kind::Add(_) | Kind::Onbuild(_) | Kind::Invalid(_) | Kind::Unknown => Kept::Unknown,
        };
        self.facts.push(Fact { what: instruction.one_line().to_owned(), line, kept });
    }

    fn env(&mut self, pairs: &[plim_dockerfile::KeyValue], line: usize) -> Kept {
        // BuildKit expands all pairs of one instruction with the values before it
        let expanded: Vec<(String, Option<String>)> =
            pairs.iter().map(|pair| (pair.key.value.clone(), self.expand(&pair.value.value))).collect();
        let mut kept = Kept::Dropped("it concerns the build or the old image only".to_owned());
        for (name, value) in expanded {
            let Some(value) = value else {
                if !is_build_variable(&name) {
                    kept = Kept::Unknown;
                }
                continue;
            };
            self.variables.insert(name.clone(), value.clone());
            if is_build_variable(&name) {
                continue;
            }
            if kept != Kept::Unknown {
                kept = Kept::Kept;
            }
            set(&mut self.declared.env, name, value, line);
        }
        kept
    }

    fn copy(&mut self, copy: &plim_dockerfile::Copy, line: usize) -> Kept {
        if let Some(from) = &copy.from {
            return self.hear_feeder(&from.value);
        }
        if copy.sources.iter().any(|source| matches!(source, Source::Heredoc(_))) {
            return Kept::Unknown;
        }
        let workdir = self.declared.workdir.as_ref().map_or("", |told| told.value.trim_end_matches('/'));
        let Some(dest) = self.expand(&copy.dest.value) else { return Kept::Unknown };
        let dest = match dest.trim_start_matches("./") {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            "." | "" => format!("{workdir}/"),
            relative => format!("{workdir}/{relative}"),
        };
        for source in &copy.sources {
            let Source::Path(path) = source else { continue };
            let path = path.value.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            if path.is_empty() || path == "." || path.contains(['*', '?', '[', '$']) {
                self.declared.copies_everything = true;
            } else {
                let pair = CopyPair { source: path.into(), dest: dest.clone() };
                self.declared.copies.push(Told { value: pair, line });
            }
        }
        Kept::Dropped("replaced by the copies of the new stages".to_owned())
    }

    fn run(&mut self, instruction: &Instruction) -> Kept {
        match script(instruction) {
            Some(text) => run::classify(&text, instruction.line, &mut self.declared),
            None => Kept::Unknown,
        }
    }

    /// Hears another stage of the file that files are copied from. If it is a Python stage, its RUN steps tell which
    /// dependencies there are; what it installs with apt is for the build.
    fn hear_feeder(&mut self, name: &str) -> Kept {
        let Some(number) = self.stages.find(name, self.stages.len()) else { return Kept::Unknown };
        let chain = self.stages.chain(Some(number));
        let base =
            chain.first().and_then(|lowest| self.stages.starts().nth(*lowest)).map(|(_, from)| &from.image.value);
        let base = base.and_then(|image| self.expand(image)).unwrap_or_default();
        if !["python", "uv", "poetry", "debian", "ubuntu"].iter().any(|word| base.contains(word)) {
            return Kept::Unknown;
        }
        let mut heard = Declared::default();
        for instruction in chain.into_iter().flat_map(|number| self.stages.instructions(number)) {
            match &instruction.kind {
                Kind::Run(_) => {
                    if let Some(script) = script(instruction) {
                        run::classify(&script, instruction.line, &mut heard);
                    }
                }
                Kind::Copy(copy) if copy.from.is_none() => {
                    heard.copies_everything |= copies_everything(copy);
                }
                _ => {}
            }
        }
        for package in &mut heard.packages {
            package.for_build = true;
        }
        let declared = &mut self.declared;
        declared.packages.append(&mut heard.packages);
        declared.requirements.append(&mut heard.requirements);
        declared.python_packages.append(&mut heard.python_packages);
        declared.extras.append(&mut heard.extras);
        declared.prepare.append(&mut heard.prepare);
        declared.project_installed = declared.project_installed.take().or(heard.project_installed);
        declared.copies_everything |= heard.copies_everything;
        Kept::Dropped("the new build stage makes the same".to_owned())
    }
}

/// Returns what a RUN gives to the shell.
fn script(instruction: &Instruction) -> Option<String> {
    match instruction.run_script()? {
        RunScript::Shell(text) => Some(text),
        RunScript::Exec(words) => Some(crate::command::quote(&words)),
        RunScript::File { .. } => None,
    }
}

fn copies_everything(copy: &plim_dockerfile::Copy) -> bool {
    copy.sources.iter().any(|source| match source {
        Source::Path(path) => matches!(path.value.trim_start_matches("./").trim_end_matches('/'), "" | "."),
        Source::Heredoc(_) => false,
    })
}

fn set(list: &mut Vec<Told<(String, String)>>, name: String, value: String, line: usize) {
    match list.iter_mut().find(|told| told.value.0 == name) {
        Some(told) => *told = Told { value: (name, value), line },
        None => list.push(Told { value: (name, value), line }),
    }
}

/// Whether a variable only matters to the build, or describes folders of the old image.
fn is_build_variable(name: &str) -> bool {
    const PREFIXES: &[&str] = &["PIP_", "POETRY_", "UV_", "PDM_", "PIPENV_", "PYENV_", "DEBIAN_", "DEBCONF_"];
    const NAMES: &[&str] = &["PATH", "VIRTUAL_ENV", "VENV_PATH", "PYSETUP_PATH", "HOME"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}
