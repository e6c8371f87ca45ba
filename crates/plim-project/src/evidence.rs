//! What the author's Dockerfile tells about the project.
//!
//! A Dockerfile that works is the best witness there is: it says how the program is started, on which port, with which
//! environment and which system packages. Every instruction, and every command of a RUN, becomes a [`Fact`] with its line.
//! What becomes of it is decided when the profile of the project is known; see [`settle`].

mod distribution;
mod entry;
mod packages;
mod programs;
mod purpose;
mod python;
mod rebase;
mod settle;
mod shell;
mod stages;
mod step;
mod witness;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::{Command, Healthcheck};
use serde::Serialize;

pub use entry::EntryScript;
pub(crate) use entry::inline;
pub use packages::SystemPackage;
pub use programs::debian_package_of;
pub(crate) use programs::is_in_slim;
pub use purpose::{Ecosystem, Outputs, Purpose};
pub(crate) use rebase::rebase;
pub(crate) use settle::complete;
pub use settle::settle;
pub use shell::Segment;
pub use step::{Placed, PlacedSource, RunStep};
use witness::Witness;

/// What became of an instruction or of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "status", content = "reason")]
pub enum Kept {
    /// It lives on in the rewritten file.
    Kept,
    /// It is not needed any more, for the reason given.
    Dropped(String),
    /// It was not understood: a person has to look at it.
    Unknown,
}

/// An instruction of the author's Dockerfile, or a command of a RUN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The instruction on one line; of a RUN, one command.
    pub what: String,
    /// The line of the instruction, from 1.
    pub line: usize,
    /// What became of it.
    pub kept: Kept,
    /// What it is about.
    #[serde(skip)]
    pub about: About,
}

/// What a fact is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum About {
    /// An instruction that needs no profile to be judged.
    #[default]
    Instruction,
    /// The command with this index in [`Declared::commands`].
    Command(usize),
    /// The copy with this index in [`Declared::copies_from`].
    CopyFrom(usize),
    /// The files with this index in [`Declared::placed`].
    Placed(usize),
}

/// A value and the line that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    /// The value, variables replaced.
    pub value: T,
    /// The line, from 1.
    pub line: usize,
}

/// What the stages that make up the author's image declare, later instructions winning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declared {
    /// The image that the final stage begins with, through other stages.
    pub base: Option<Told<String>>,
    /// `ENV`, each name once, in order of first use.
    pub env: Vec<Told<(String, String)>>,
    /// `LABEL`, each name once.
    pub labels: Vec<Told<(String, String)>>,
    /// `EXPOSE`: port and protocol as written.
    pub exposed: Vec<Told<String>>,
    /// `USER`.
    pub user: Option<Told<String>>,
    /// `WORKDIR`, absolute.
    pub workdir: Option<Told<String>>,
    /// `ENTRYPOINT`.
    pub entrypoint: Option<Told<Command>>,
    /// `CMD`.
    pub cmd: Option<Told<Command>>,
    /// `HEALTHCHECK`.
    pub healthcheck: Option<Told<Healthcheck>>,
    /// `STOPSIGNAL`.
    pub stop_signal: Option<Told<String>>,
    /// `VOLUME`.
    pub volumes: Vec<Told<String>>,
    /// Debian packages that RUN steps install.
    pub packages: Vec<SystemPackage>,
    /// Requirement files that RUN steps install from.
    pub requirements: Vec<Told<String>>,
    /// Python packages that RUN steps install by name.
    pub python_packages: Vec<Told<String>>,
    /// Extras of the project itself that RUN steps install (`pip install .[server]`).
    pub extras: Vec<Told<String>>,
    /// Packages of another distribution for which no Debian package is known.
    pub foreign_packages: Vec<Told<String>>,
    /// The RUN steps of all stages that make the image, in the order of the build: those of stages that files are copied
    /// from before those that copy.
    pub runs: Vec<RunStep>,
    /// Every command of these RUN steps, in order.
    pub commands: Vec<RunCommand>,
    /// What is copied from other stages and images.
    pub copies_from: Vec<Told<CopyFrom>>,
    /// Whether the project is installed as a package (`pip install .`).
    pub project_installed: Option<Told<()>>,
    /// What is copied from the project: source, and absolute destination.
    pub copies: Vec<Told<CopyPair>>,
    /// Whether the whole project is copied, by `COPY . …` or by a pattern.
    pub copies_everything: bool,
    /// The script of the project that the image starts with.
    pub entry_script: Option<EntryScript>,
    /// COPY and ADD of files into the stages of the image, as written.
    pub placed: Vec<Placed>,
    /// `ARG` of the image's stages: the name, and the default where there is one.
    pub args: Vec<Told<(String, Option<String>)>>,
    /// The values of ARG and ENV at the end of each stage, by its number.
    pub variables: BTreeMap<usize, BTreeMap<String, String>>,
    /// What each stage copies from the build context, as written, by its number.
    pub sources: BTreeMap<usize, Vec<String>>,
    /// What `ENV PATH` puts in front of the folders that every image has.
    pub path: Vec<Told<String>>,
}

impl Declared {
    /// Whether the image starts with a command that asks for the port in a variable which nobody sets: that is for the platform
    /// that it runs on.
    pub fn asks_for_port(&self) -> bool {
        let mentions = |text: &str| text.contains("$PORT") || text.contains("${PORT}");
        let told = [&self.entrypoint, &self.cmd].into_iter().flatten().any(|told| match &told.value {
            Command::Shell(text) => mentions(&text.value),
            Command::Exec(words) => words.iter().any(|word| mentions(&word.value)),
        });
        let script = self.entry_script.iter().flat_map(|script| &script.commands).flat_map(|command| &command.words);
        (told || script.into_iter().any(|word| mentions(word))) && !self.env.iter().any(|told| told.value.0 == "PORT")
    }
}

/// A simple command of a RUN step, taken out of its lists, conditions and pipes, and out of `sudo`, `sh -c` and the like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunCommand {
    /// The number of the stage, from 0.
    pub stage: usize,
    /// Whether that stage is the last one or one that it is based on; others only give files to it.
    pub in_image: bool,
    /// The line of the RUN.
    pub line: usize,
    /// The directory in which it runs: WORKDIR, and `cd` before it in the same step.
    pub cwd: String,
    /// Assignments in front of it.
    pub env: Vec<(String, String)>,
    /// Program and arguments, variables replaced where their values are known.
    pub words: Vec<String>,
    /// Files that its output is redirected to, as written.
    pub writes: Vec<String>,
    /// Programs in front of it that only run it: `sudo`, `exec`, `gosu`.
    pub wrappers: Vec<String>,
    /// It stands in `$(…)`: only what it prints counts.
    pub nested: bool,
    /// It reads what the command before it prints.
    pub piped: bool,
    /// The next command reads what it prints.
    pub feeds: bool,
    /// The index of its RUN step in [`Declared::runs`].
    pub run: usize,
    /// The index of its part in [`RunStep::segments`].
    pub segment: usize,
    /// The script could not be read: the one word is its text.
    pub opaque: bool,
}

/// A COPY from another stage or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFrom {
    /// The stage or image as named.
    pub from: String,
    /// The number of the stage, when it is one.
    pub stage: Option<usize>,
    /// The absolute paths there.
    pub sources: Vec<String>,
    /// The absolute path in the image; ends with `/` when the sources go into it under their own names.
    pub dest: String,
    /// The author's `--chown`.
    pub chown: Option<String>,
    /// The number of the stage that it goes to, from 0.
    pub into: usize,
    /// Whether that stage is the last one or one that it is based on.
    pub in_image: bool,
}

/// One source of a COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPair {
    /// The path in the project.
    pub source: Utf8PathBuf,
    /// The absolute path in the image; ends with `/` when the source goes into it under its own name.
    pub dest: String,
}

/// The author's Dockerfile, read as a witness.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// One fact for each instruction of the stages that make up the image.
    pub facts: Vec<Fact>,
    /// What they declare together.
    pub declared: Declared,
    /// The text of the file.
    pub source: String,
}

impl Evidence {
    /// Reads a Dockerfile. Instructions that cannot be read are unknown facts.
    pub fn read(source: &str) -> Self {
        Self::read_with(source, &|_| None)
    }

    /// Reads a Dockerfile, and the scripts of the project that it starts: `text_of` returns the text of a file of the project.
    pub fn read_with(source: &str, text_of: &dyn Fn(&Utf8Path) -> Option<String>) -> Self {
        let file = plim_dockerfile::parse(source);
        let mut evidence = Witness::new(&file).hear_all();
        evidence.declared.entry_script = entry::find(&evidence.declared, text_of);
        evidence
    }
}

/// Drops `sudo` and `poetry run`, `uv run`, `pipenv run`, `pdm run` in front of a command.
pub(crate) fn without_runner<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        ["sudo", rest @ ..] => without_runner(rest),
        ["poetry" | "uv" | "pipenv" | "pdm" | "rye" | "hatch", "run", rest @ ..] => {
            let options = rest.iter().take_while(|word| word.starts_with("--")).count();
            &rest[options..]
        }
        all => all,
    }
}

#[cfg(test)]
mod tests;
