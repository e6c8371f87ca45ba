//! What of the context the instructions of a Dockerfile take.

use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::mount::MountType;
use plim_dockerfile::{Dockerfile, Instruction, Kind, Source};

/// Paths and patterns that are taken by name.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The whole of it is taken.
    pub(super) everything: bool,
    /// The rest, by the parts between the slashes.
    named: Vec<Vec<String>>,
}

impl Needs {
    pub(super) fn of(file: &Dockerfile) -> Self {
        let mut needs = Self::default();
        for instruction in &file.instructions {
            needs.add(instruction);
        }
        needs
    }

    /// Says whether anything is taken.
    pub(super) fn any(&self) -> bool {
        self.everything || !self.named.is_empty()
    }

    /// Says whether an instruction names this path, something in it or a folder that it is in.
    pub(super) fn names(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.named.iter().any(|named| {
            // `**` may stand for any number of folders
            let until = named.iter().position(|part| part.contains("**")).unwrap_or(named.len());
            named[..until].iter().zip(&parts).all(|(pattern, part)| matches(pattern, part))
        })
    }

    fn add(&mut self, instruction: &Instruction) {
        match &instruction.kind {
            Kind::Copy(copy) if copy.from.is_none() => self.add_sources(&copy.sources),
            Kind::Add(add) => self.add_sources(&add.sources),
            Kind::Onbuild(trigger) => self.add(&trigger.instruction),
            Kind::Run(run) => {
                for mount in run.mounts.iter().filter(|mount| mount.kind() == Some(MountType::Bind)) {
                    if mount.option("from").is_none() {
                        self.add_path(mount.option("source").unwrap_or_default());
                    }
                }
            }
            _ => {}
        }
    }

    fn add_sources(&mut self, sources: &[Source]) {
        for source in sources {
            let Source::Path(path) = source else { continue };
            if !path.contains("://") {
                self.add_path(path);
            }
        }
    }

    fn add_path(&mut self, path: &str) {
        let path = path.trim_matches(['"', '\'']);
        let mut parts: Vec<String> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                // what a variable holds may have folders of its own
                part if part.contains('$') => break,
                part => parts.push(part.to_owned()),
            }
        }
        let everything = parts.is_empty() || parts.first().is_some_and(|part| part == "*" || part.contains("**"));
        self.everything |= everything;
        if !everything {
            self.named.push(parts);
        }
    }
}

/// Says whether a part of a path is what a part of a pattern means; a pattern that cannot be read may mean anything.
fn matches(pattern: &str, part: &str) -> bool {
    pattern == part || Patterns::new([pattern]).map_or(true, |patterns| patterns.matches(part))
}
