//! What the author's Dockerfile tells about the project.
//!
//! A Dockerfile that works is the best witness there is: it says how the program is started, on which port, with which
//! environment and which system packages. Every instruction becomes a [`Fact`] with its line, and each fact says whether it
//! lives on in the rewritten file, was dropped and why, or was not understood and must be looked at.

mod rebase;
mod run;
mod stages;
mod witness;

use camino::Utf8PathBuf;
use plim_dockerfile::{Command, Healthcheck};
use serde::Serialize;

pub(crate) use rebase::rebase;
pub use run::SystemPackage;
pub(crate) use run::without_runner;
use stages::Stages;
use witness::Witness;

/// What became of an instruction.
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

/// An instruction of the author's Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The instruction on one line.
    pub what: String,
    /// Its line, from 1.
    pub line: usize,
    /// What became of it.
    pub kept: Kept,
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
    /// Python commands that RUN steps execute, which prepare files: `python manage.py collectstatic`.
    pub prepare: Vec<Told<Vec<String>>>,
    /// Every command of the RUN steps that make the image, in order: those of stages that files are copied from first.
    pub commands: Vec<RunCommand>,
    /// What is copied from other stages and images.
    pub copies_from: Vec<Told<CopyFrom>>,
    /// Whether the project is installed as a package (`pip install .`).
    pub project_installed: Option<Told<()>>,
    /// What is copied from the project: source, and absolute destination.
    pub copies: Vec<Told<CopyPair>>,
    /// Whether the whole project is copied, by `COPY . …` or by a pattern.
    pub copies_everything: bool,
}

/// A simple command of a RUN step, taken out of its lists, conditions and pipes.
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
}

impl Evidence {
    /// Reads a Dockerfile. Instructions that cannot be read are unknown facts.
    pub(crate) fn read(source: &str) -> Self {
        let file = plim_dockerfile::parse(source);
        let stages = Stages::of(&file.instructions);
        let mut witness = Witness::new(file.escape, stages);
        for instruction in stages.globals() {
            witness.hear(instruction);
        }
        for number in stages.chain(stages.len().checked_sub(1)) {
            for instruction in stages.instructions(number) {
                witness.hear(instruction);
            }
        }
        witness.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = r#"ARG VERSION=3.12
FROM python:${VERSION}-slim AS base
ENV PIP_NO_CACHE_DIR=1
ENV PORT=9000 MODE=prod
FROM node AS frontend
RUN npm run build
FROM base
WORKDIR /srv
RUN apt-get update && apt-get install -y --no-install-recommends libmagic1 gcc && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt "gunicorn==23.0" && python manage.py collectstatic --noinput
COPY --from=frontend /dist ./static
COPY . .
RUN ./fetch-model.sh
EXPOSE $PORT
USER app
STOPSIGNAL SIGINT
CMD gunicorn shop.wsgi -b :$PORT
"#;

    #[test]
    fn the_stages_of_the_image_are_heard_in_order() {
        let Evidence { declared, .. } = Evidence::read(DOCKERFILE);
        assert_eq!(declared.base.unwrap().value, "python:3.12-slim");
        assert_eq!(declared.workdir.unwrap().value, "/srv");
        let env: Vec<_> = declared.env.into_iter().map(|told| told.value.0).collect();
        assert_eq!(env, ["PORT", "MODE"]);
        assert_eq!(declared.exposed[0].value, "9000");
        assert_eq!(declared.stop_signal.unwrap().value, "SIGINT");
        assert_eq!(declared.requirements[0].value, "requirements.txt");
        assert_eq!(declared.python_packages[0].value, "gunicorn==23.0");
        assert_eq!(declared.prepare[0].value, ["python", "manage.py", "collectstatic", "--noinput"]);
        let packages: Vec<_> =
            declared.packages.iter().map(|package| (package.name.as_str(), package.for_build)).collect();
        assert_eq!(packages, [("libmagic1", false), ("gcc", true)]);
    }

    #[test]
    fn every_instruction_says_what_became_of_it() {
        let facts = Evidence::read(DOCKERFILE).facts;
        let shown: Vec<String> = facts
            .iter()
            .map(|fact| {
                let kept = match &fact.kept {
                    Kept::Kept => "kept".to_owned(),
                    Kept::Dropped(reason) => format!("dropped: {reason}"),
                    Kept::Unknown => "look at it".to_owned(),
                };
                format!("{:>2} {} -> {kept}", fact.line, fact.what.split(' ').next().unwrap_or_default())
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
         1 ARG -> dropped: its default is used where it was
         2 FROM -> dropped: the stages are new
         3 ENV -> dropped: it concerns the build or the old image only
         4 ENV -> kept
         7 FROM -> dropped: the stages are new
         8 WORKDIR -> kept
         9 RUN -> dropped: the base image is current; system packages are kept as far as the program needs them; nothing is left to clean up
        10 COPY -> dropped: replaced by the copies of the new stages
        11 RUN -> kept
        12 COPY -> look at it
        13 COPY -> dropped: replaced by the copies of the new stages
        14 RUN -> look at it
        15 EXPOSE -> kept
        16 USER -> dropped: the image names its user by number
        17 STOPSIGNAL -> kept
        18 CMD -> kept
        ");
    }

    #[test]
    fn copies_say_where_things_go() {
        let declared =
            Evidence::read("FROM python\nWORKDIR /code\nCOPY ./src /code/\nCOPY a.ini b.ini conf/\n").declared;
        let pairs: Vec<_> =
            declared.copies.iter().map(|told| (told.value.source.as_str(), told.value.dest.as_str())).collect();
        assert_eq!(pairs, [("src", "/code/"), ("a.ini", "/code/conf/"), ("b.ini", "/code/conf/")]);
        assert!(!declared.copies_everything);
        assert!(Evidence::read("FROM python\nCOPY requirements.txt .\nCOPY . .\n").declared.copies_everything);
    }

    #[test]
    fn an_entrypoint_clears_the_command_that_it_inherits() {
        let declared = Evidence::read("FROM python AS a\nCMD [\"x\"]\nFROM a\nENTRYPOINT [\"y\"]\n").declared;
        assert!(declared.cmd.is_none());
        assert!(Evidence::read("FROM python\nCMD [\"x\"]\nENTRYPOINT [\"y\"]\n").declared.cmd.is_some());
    }

    #[test]
    fn a_file_without_stages_tells_nothing() {
        assert_eq!(Evidence::read("RUN true\n"), Evidence::default());
        assert_eq!(Evidence::read(""), Evidence::default());
    }
}
