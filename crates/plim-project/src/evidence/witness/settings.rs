//! Instructions that set something: names, values, the start.

use plim_dockerfile::{ArgDefinition, Instruction, KeyValue, Kind};

use super::super::{About, Kept, Told};
use super::Witness;

impl Witness<'_> {
    /// Hears an instruction of the image other than RUN.
    pub(super) fn instruction(&mut self, instruction: &Instruction) -> (Kept, About) {
        let line = instruction.line;
        let kept = match &instruction.kind {
            Kind::From(_) => {
                // stages above inherit everything; only the lowest names an image
                if self.declared.base.is_none() {
                    self.declared.base = Some(Told { value: self.stages.image(self.stage), line });
                }
                self.inherited_cmd = self.declared.cmd.is_some();
                Kept::Dropped("the stages are new".to_owned())
            }
            Kind::Arg(definitions) => {
                self.args(definitions, line);
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
                None => Kept::Dropped("the image names its user by number".to_owned()),
            },
            Kind::Workdir(path) => match self.workdir(&path.value) {
                Some(value) => {
                    self.declared.workdir = Some(Told { value, line });
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
            Kind::Shell(words) => {
                self.state.shell = words.iter().map(|word| word.value.clone()).collect();
                Kept::Dropped("commands that live on name their shell".to_owned())
            }
            Kind::Onbuild(_) => {
                Kept::Dropped("it is for images that are built on this one, and this one has no build tools".to_owned())
            }
            Kind::Copy(copy) => return self.copy(copy, instruction),
            Kind::Add(add) => return self.add(add, instruction),
            Kind::Run(_) | Kind::Invalid(_) | Kind::Unknown => Kept::Unknown,
        };
        (kept, About::Instruction)
    }

    /// Hears ARG. What stands before the first stage counts in a stage that names it again.
    pub(super) fn args(&mut self, definitions: &[ArgDefinition], line: usize) {
        for definition in definitions {
            let name = &definition.name.value;
            let global = || {
                let known = self.stages.global_args().iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
            };
            let value = match &definition.default {
                Some(word) => self.expand(&word.value),
                None => global(),
            };
            if self.in_image {
                self.declared.args.retain(|told| told.value.0 != *name);
                self.declared.args.push(Told { value: (name.clone(), value.clone()), line });
            }
            if let Some(value) = value {
                // ENV wins over ARG
                self.state.variables.entry(name.clone()).or_insert(value);
            }
        }
    }

    pub(super) fn env(&mut self, pairs: &[KeyValue], line: usize) -> Kept {
        // BuildKit expands all pairs of one instruction with the values before it
        let expanded: Vec<(String, Option<String>)> =
            pairs.iter().map(|pair| (pair.key.value.clone(), self.expand(&pair.value.value))).collect();
        let mut kept = Kept::Dropped("it concerns the build or the old image only".to_owned());
        for ((name, value), pair) in expanded.into_iter().zip(pairs) {
            if name == "PATH" && self.in_image {
                let folders = pair.value.value.split(':').filter_map(|folder| self.expand(folder.trim_matches('"')));
                let own: Vec<Told<String>> = folders
                    .filter(|folder| folder.starts_with('/') && !USUAL_PATH.contains(&folder.as_str()))
                    .map(|value| Told { value, line })
                    .collect();
                self.declared.path.extend(own);
            }
            let Some(value) = value else {
                if !is_build_variable(&name) {
                    kept = Kept::Unknown;
                }
                continue;
            };
            self.state.variables.insert(name.clone(), value.clone());
            if is_build_variable(&name) || !self.in_image {
                continue;
            }
            if kept != Kept::Unknown {
                kept = Kept::Kept;
            }
            set(&mut self.declared.env, name, value, line);
        }
        kept
    }

    /// Hears WORKDIR. Returns it made absolute.
    pub(super) fn workdir(&mut self, path: &str) -> Option<String> {
        let path = self.expand(path)?;
        let absolute = match &self.state.workdir {
            _ if path.starts_with('/') => path,
            Some(before) => format!("{}/{path}", before.trim_end_matches('/')),
            None => format!("/{path}"),
        };
        self.state.workdir = Some(absolute.clone());
        Some(absolute)
    }
}

/// Folders of programs that are on the path of every image.
const USUAL_PATH: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

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
