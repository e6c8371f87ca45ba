//! Projects of every kind, from folder and the author's commands to Dockerfile.

mod kinds;
mod refused;
mod starts;

use camino::{Utf8Path, Utf8PathBuf};

use super::profile;
use crate::error::DetectError;
use crate::evidence::{CopyFrom, Declared, Evidence, RunCommand, Told};
use crate::folder::Folder;
use crate::project::{Choices, Project};
use crate::rewrite::{RewriteOptions, rewrite};

/// A project in the making: files, and what the author's Dockerfile is known to say.
struct Sample {
    dir: tempfile::TempDir,
    evidence: Evidence,
    choices: Choices,
}

impl Sample {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join("shop").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self { dir, evidence: Evidence::default(), choices: Choices::default() }
    }

    /// Adds a Dockerfile, read as far as instructions tell.
    fn dockerfile(mut self, text: &str) -> Self {
        self.evidence = Evidence::read(text);
        self
    }

    /// Adds commands of RUN steps, each `STAGE LINE FOLDER COMMAND`; only those of the last stage are in the image.
    fn commands(mut self, lines: &[&str]) -> Self {
        let last = lines.iter().filter_map(|line| line.split(' ').next()?.parse::<usize>().ok()).max();
        let command = |text: &&str| {
            let mut words = text.split(' ').map(ToOwned::to_owned);
            let stage = words.next().and_then(|word| word.parse().ok()).unwrap();
            let line = words.next().and_then(|word| word.parse().ok()).unwrap();
            let cwd = words.next().unwrap();
            RunCommand {
                stage,
                in_image: Some(stage) == last,
                line,
                cwd,
                words: words.collect(),
                ..RunCommand::default()
            }
        };
        self.evidence.declared.commands = lines.iter().map(command).collect();
        self.evidence.facts.clear();
        self
    }

    /// Adds copies from stage 0: source and destination.
    fn copies(mut self, pairs: &[(&str, &str)]) -> Self {
        let copy = |(source, dest): &(&str, &str)| Told {
            line: 9,
            value: CopyFrom {
                from: "build".to_owned(),
                stage: Some(0),
                sources: vec![(*source).to_owned()],
                dest: (*dest).to_owned(),
                chown: None,
                into: 1,
                in_image: true,
            },
        };
        self.evidence.declared.copies_from = pairs.iter().map(copy).collect();
        self
    }

    fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join("shop")
    }

    fn declared(&self) -> &Declared {
        &self.evidence.declared
    }

    fn detect(&self) -> Result<Project, DetectError> {
        let folder = Folder::read(&self.root())?;
        let stack = profile(&folder, self.declared(), Utf8Path::new("Dockerfile"), None, &self.choices)?;
        Ok(Project {
            context: self.root(),
            root: self.root(),
            below: Utf8PathBuf::new(),
            target: None,
            compose: None,
            stacks: vec![stack],
            dockerfile: Some("Dockerfile".into()),
            evidence: self.evidence.clone(),
            dockerignore: None,
            private_keys: Vec::new(),
            certificates: Vec::new(),
        })
    }

    /// What the user sees: findings, notes, the Dockerfile.
    fn shown(&self) -> String {
        let project = self.detect().unwrap_or_else(|error| panic!("{error}"));
        let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
        let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
        assert!(parsed.errors.is_empty(), "{:?}\n{}", parsed.errors, rewrite.dockerfile);
        let lines: Vec<usize> = parsed.instructions.iter().map(|instruction| instruction.line).collect();
        let explained: Vec<usize> = rewrite.explain.iter().map(|explanation| explanation.line).collect();
        assert_eq!(lines, explained, "every instruction is explained\n{}", rewrite.dockerfile);
        let found = project.stacks[0].found.iter().map(|finding| format!("{} <- {}", finding.what, finding.why));
        let notes = rewrite.notes.iter().map(|note| format!("note: {note}"));
        found.chain(notes).chain(["---".to_owned(), rewrite.dockerfile.clone()]).collect::<Vec<_>>().join("\n")
    }

    /// The start command of a project with a manifest of these scripts and dependencies.
    fn start(&self) -> String {
        let project = self.detect().unwrap_or_else(|error| panic!("{error}"));
        project.stacks[0].start.join(" ")
    }
}
