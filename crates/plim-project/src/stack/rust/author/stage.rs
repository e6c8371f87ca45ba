//! The stages of the author's Dockerfile, as far as the compiler is concerned.

use std::collections::BTreeMap;

use plim_dockerfile::Kind;
use plim_dockerfile::words::Lexer;

use crate::evidence::Told;

/// A stage.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    image: Told<String>,
    name: Option<String>,
    env: Vec<Told<(String, String)>>,
    args: Vec<Told<(String, String)>>,
    /// The last WORKDIR, absolute.
    pub(super) workdir: Option<String>,
}

/// Reads the stages of a Dockerfile.
pub(super) fn all(text: &str) -> Vec<Stage> {
    let file = plim_dockerfile::parse(text);
    let lexer = Lexer::new(file.escape);
    let mut stages: Vec<Stage> = Vec::new();
    let mut globals: BTreeMap<String, String> = BTreeMap::new();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for instruction in &file.instructions {
        let line = instruction.line;
        match (&instruction.kind, stages.last_mut()) {
            (Kind::From(from), _) => {
                let image = lexer.process_word(&from.image.value, &globals);
                let image = image.map_or_else(|_| from.image.value.clone(), |expanded| expanded.text);
                variables.clear();
                let base = stages.iter().find(|stage| stage.is_called(&image));
                stages.push(Stage {
                    workdir: base.and_then(|base| base.workdir.clone()),
                    image: Told { value: image, line },
                    name: from.alias.as_ref().map(|alias| alias.value.clone()),
                    env: Vec::new(),
                    args: Vec::new(),
                });
            }
            (Kind::Arg(definitions), stage) => {
                let mut told = Vec::new();
                for definition in definitions {
                    let name = definition.name.value.clone();
                    let own =
                        definition.default.as_ref().and_then(|word| lexer.process_word(&word.value, &variables).ok());
                    let value = own.map(|expanded| expanded.text).or_else(|| globals.get(&name).cloned());
                    let Some(value) = value else {
                        told.push(Told { value: (name, String::new()), line });
                        continue;
                    };
                    variables.insert(name.clone(), value.clone());
                    told.push(Told { value: (name, value), line });
                }
                match stage {
                    Some(stage) => stage.args.extend(told),
                    None => globals.extend(told.into_iter().map(|told| told.value)),
                }
            }
            (Kind::Env(pairs), Some(stage)) => {
                for pair in pairs {
                    let value = lexer.process_word(&pair.value.value, &variables);
                    if let Some(value) = value.ok().filter(|value| value.unmatched.is_empty()) {
                        variables.insert(pair.key.value.clone(), value.text.clone());
                        stage.env.push(Told { value: (pair.key.value.clone(), value.text), line });
                    }
                }
            }
            (Kind::Workdir(path), Some(stage)) => {
                if let Ok(path) = lexer.process_word(&path.value, &variables) {
                    let before = stage.workdir.as_deref().unwrap_or("").trim_end_matches('/').to_owned();
                    stage.workdir =
                        Some(if path.text.starts_with('/') { path.text } else { format!("{before}/{}", path.text) });
                }
            }
            _ => {}
        }
    }
    stages
}

impl Stage {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether it begins with an image that has the compiler.
    pub(super) fn is_rust(&self) -> bool {
        let repository = self.image.value.split(['@', ':']).next().unwrap_or_default();
        let name = repository.rsplit('/').next().unwrap_or_default();
        ["rust", "cargo"].iter().any(|word| name.contains(word)) || name.ends_with("rust-musl-builder")
    }

    /// This stage and those below it, the lowest first.
    fn chain<'a>(&'a self, all: &'a [Stage]) -> Vec<&'a Stage> {
        let mut chain = vec![self];
        while let Some(below) = chain.last().and_then(|top| all.iter().find(|stage| stage.is_called(&top.image.value)))
            && chain.len() <= all.len()
        {
            chain.push(below);
        }
        chain.reverse();
        chain
    }

    /// The image below all stages.
    pub(super) fn root_image<'a>(&'a self, all: &'a [Stage]) -> &'a Told<String> {
        self.chain(all).first().map_or(&self.image, |lowest| &lowest.image)
    }

    /// ENV and ARG, the later ones behind the earlier ones.
    pub(super) fn variables(&self, all: &[Stage]) -> Vec<Told<(String, String)>> {
        self.chain(all).into_iter().flat_map(|stage| stage.args.iter().chain(&stage.env)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_stages_are_followed() {
        let stages = all(
            "ARG V=1.90\nARG NAME\nFROM rust:${V}-slim AS chef\nWORKDIR /src\nFROM chef AS build\nENV SQLX_OFFLINE=true\nARG NAME=x\nWORKDIR app\nFROM debian\n",
        );
        assert_eq!(stages[1].root_image(&stages).value, "rust:1.90-slim");
        assert_eq!(stages[1].workdir.as_deref(), Some("/src/app"));
        let names: Vec<String> = stages[1].variables(&stages).into_iter().map(|told| told.value.0).collect();
        assert_eq!(names, ["NAME", "SQLX_OFFLINE"]);
        assert!(stages[0].is_rust() && !stages[2].is_rust());
    }
}
