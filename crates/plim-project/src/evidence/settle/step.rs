//! A RUN step with what is needless left out.

use std::collections::BTreeSet;

use super::judge::{Judge, Verdict};
use super::paths::{Realm, is_shared};
use crate::evidence::programs::{debian_package_of, is_in_slim};
use crate::evidence::{Ecosystem, Kept, Purpose, RunCommand, RunStep, shell};
use crate::project::{Carried, CarryChoice, Output};

/// Installers of tools that only a build needs, by what their address says.
const TOOL_INSTALLERS: &[&str] = &[
    "nodesource.com",
    "install.python-poetry.org",
    "python-poetry",
    "astral.sh/uv",
    "sh.rustup.rs",
    "bootstrap.pypa.io",
    "install-poetry",
    "get-pip.py",
    "pdm-project.org",
    "pyenv.run",
    "nvm-sh/nvm",
    "yarnpkg",
    "getcomposer.org",
    "get.docker.com",
    "packagecloud.io",
];

/// What becomes of a RUN step.
pub(super) struct Settled {
    /// The verdict for each of its commands, by their indexes.
    pub(super) verdicts: Vec<(usize, Verdict)>,
    /// What is carried over.
    pub(super) carried: Option<Carried>,
}

/// Settles a step. `commands` are its commands with their indexes.
pub(super) fn settle(
    judge: &mut Judge<'_>,
    step: &RunStep,
    commands: &[(usize, &RunCommand)],
    choice: Option<CarryChoice>,
) -> Settled {
    let mut verdicts: Vec<(usize, Verdict)> = Vec::new();
    let mut outputs: Vec<Output> = Vec::new();
    let mut more = false;
    for (index, command) in commands.iter().filter(|(_, command)| !command.nested) {
        let by_stack = judge.profile.replaced.commands.get(index);
        let verdict = match choice {
            Some(CarryChoice::Drop) => Verdict::Needless("it was said so"),
            _ if by_stack.is_some_and(|kept| *kept != Kept::Unknown) => Verdict::Needless("the stack does it"),
            Some(CarryChoice::Build) => match judge.command(command) {
                _ if by_stack.is_some() => Verdict::Carry,
                Verdict::Unknown => Verdict::Carry,
                other => other,
            },
            None if by_stack.is_some() => Verdict::Unknown,
            None => judge.command(command),
        };
        let of_tool = || step.segments.get(command.segment).is_some_and(|part| is_tool_installer(&part.text));
        let verdict = if verdict == Verdict::Carry && command.purpose() == Purpose::Download && of_tool() {
            Verdict::Needless("it installs a tool of the build")
        } else {
            verdict
        };
        if verdict == Verdict::Carry {
            let made = command.outputs();
            more |= made.more || is_link(command) || matches!(command.program(), "sh" | "bash");
            // nothing else brings what a build leaves in the working directory into the image
            more |= judge.profile.replaced.apart && matches!(command.purpose(), Purpose::Build(_));
            for path in made.paths {
                note_output(judge, command, &path, &mut outputs, &mut more);
            }
            if command.program() == "update-ca-certificates" {
                let path = "/etc/ssl/certs/ca-certificates.crt".to_owned();
                outputs.push(Output { path, owned: false });
            }
        }
        verdicts.push((*index, verdict));
    }
    own_folders(commands, judge, &mut outputs);
    let mut kept: BTreeSet<usize> = BTreeSet::new();
    for (index, verdict) in &verdicts {
        let segment = commands.iter().find(|(number, _)| number == index).map(|(_, command)| command.segment);
        if *verdict == Verdict::Carry {
            kept.extend(segment);
        }
    }
    if kept.is_empty() {
        return Settled { verdicts, carried: None };
    }
    // beside a command that stays, a neutral one may matter to it: `cd`, `set`, `A=b`, a download that is unpacked
    for segment in 0..step.segments.len() {
        let mut of_segment =
            commands.iter().filter(|(_, command)| command.segment == segment && !command.nested).peekable();
        let neutral = of_segment.peek().is_none()
            || of_segment.all(|(index, _)| {
                verdicts.iter().any(|(number, verdict)| number == index && matches!(verdict, Verdict::Neutral(_)))
            });
        if neutral {
            kept.insert(segment);
        }
    }
    for (index, verdict) in &mut verdicts {
        let segment = commands.iter().find(|(number, _)| number == index).map(|(_, command)| command.segment);
        // a part stays as a whole
        if segment.is_some_and(|segment| kept.contains(&segment)) && *verdict != Verdict::Unknown {
            *verdict = Verdict::Carry;
        }
    }
    let commands: Vec<(usize, &RunCommand)> =
        commands.iter().filter(|(_, command)| command.opaque || kept.contains(&command.segment)).copied().collect();
    let commands = commands.as_slice();
    let script = script(step, &kept, commands);
    let carried = Carried {
        line: step.line,
        place: judge.place_of(step),
        stage: step.stage,
        instruction: String::new(),
        shell: step.shell.clone(),
        flags: step.flags.clone(),
        cwd: judge.map(&step.cwd),
        python: commands.iter().any(|(_, command)| uses_python(command)),
        reads_everything: commands
            .iter()
            .any(|(_, command)| matches!(command.purpose(), Purpose::Build(_) | Purpose::Script(_) | Purpose::Unknown)),
        packages: packages(judge, commands),
        command: script,
        // what the build alone reads is not for the image
        outputs: if step.in_image { outputs } else { Vec::new() },
        collects: more && step.in_image,
    };
    Settled { verdicts, carried: Some(carried) }
}

fn note_output(judge: &mut Judge<'_>, command: &RunCommand, path: &str, outputs: &mut Vec<Output>, more: &mut bool) {
    let path = judge.map(path);
    let realm = judge.realm(&path);
    if matches!(realm, Realm::Scratch | Realm::OldImage | Realm::Around) {
        return;
    }
    judge.made.push(path.clone());
    let makes_dir = command.purpose() == Purpose::MakeDirs;
    if is_shared(&path) || (judge.profile.replaced.apart && path == judge.profile.workdir) {
        // unpacked into a folder of many: only what is new there counts
        *more |= !makes_dir;
        return;
    }
    // folders that the author makes for data are the program's
    let owned = makes_dir && matches!(realm, Realm::Data | Realm::Program);
    let comes_along = realm == Realm::Program && !judge.profile.replaced.apart;
    if is_link(command) || (comes_along && !owned) {
        return;
    }
    outputs.retain(|known| known.path != path);
    outputs.push(Output { path, owned });
}

/// Folders that the author gives to a user belong to the program's user.
fn own_folders(commands: &[(usize, &RunCommand)], judge: &Judge<'_>, outputs: &mut [Output]) {
    for (_, command) in commands.iter().filter(|(_, command)| matches!(command.program(), "chown" | "chgrp")) {
        let given: Vec<String> = command
            .words
            .iter()
            .skip(1)
            .filter(|word| !word.starts_with('-'))
            .skip(1)
            .map(|path| judge.map(&shell::absolute(&command.cwd, path)))
            .collect();
        let to_root = command
            .words
            .iter()
            .skip(1)
            .find(|word| !word.starts_with('-'))
            .is_some_and(|user| matches!(user.split(':').next(), Some("root" | "0")));
        for output in outputs.iter_mut().filter(|output| given.contains(&output.path)) {
            output.owned = !to_root;
        }
    }
}

fn is_link(command: &RunCommand) -> bool {
    matches!(command.program(), "ln" | "link")
}

fn is_tool_installer(text: &str) -> bool {
    TOOL_INSTALLERS.iter().any(|address| text.contains(address))
}

fn uses_python(command: &RunCommand) -> bool {
    command.purpose() == Purpose::Build(Ecosystem::Python) || command.program().starts_with("python")
}

/// Puts the parts that stay together again. Where that gives no script, all of it stays.
fn script(step: &RunStep, kept: &BTreeSet<usize>, commands: &[(usize, &RunCommand)]) -> String {
    let mut text = String::new();
    for (number, segment) in step.segments.iter().enumerate().filter(|(number, _)| kept.contains(number)) {
        if !text.is_empty() {
            text.push_str(match segment.before.as_str() {
                "&&" => " && ",
                "&" => " & ",
                ";" => "; ",
                _ => "\n",
            });
        }
        let mut part = without_wrappers(&segment.text);
        // the build stage does not know the author's users
        let owners = commands.iter().filter(|(_, command)| command.segment == number && command.program() == "chown");
        for user in owners.filter_map(|(_, command)| command.words.iter().skip(1).find(|word| !word.starts_with('-'))) {
            if !user.contains('$') && user.chars().any(|c| c.is_ascii_alphabetic()) && !user.starts_with("root") {
                part = part.replace(&format!(" {user} "), " 65532:65532 ");
            }
        }
        text.push_str(&part);
    }
    if step.segments.is_empty() || !shell::is_script(&text) { step.script.trim().to_owned() } else { text }
}

/// Takes away what the build stage does not have: sudo, and the runners of Python's package managers.
fn without_wrappers(text: &str) -> String {
    let mut text = text.to_owned();
    for wrapper in ["sudo -E ", "sudo -H ", "sudo ", "poetry run ", "pipenv run ", "pdm run ", "uv run ", "eatmydata "]
    {
        for before in ["&& ", "; ", "| ", "( ", "{ ", "then ", "do ", "else "] {
            text = text.replace(&format!("{before}{wrapper}"), before);
        }
        while let Some(rest) = text.strip_prefix(wrapper) {
            text = rest.to_owned();
        }
    }
    text
}

/// Returns the Debian packages that the commands need: those of their programs, and what the author installs where it is
/// not known what a script or a build calls.
fn packages(judge: &Judge<'_>, commands: &[(usize, &RunCommand)]) -> Vec<String> {
    let mut packages: BTreeSet<String> = BTreeSet::new();
    for (_, command) in commands {
        let purpose = command.purpose();
        if matches!(purpose, Purpose::SystemPackages | Purpose::PackageIndex) {
            continue;
        }
        packages.extend(debian_package_of(command.program()).filter(|name| !is_in_slim(name)).map(ToOwned::to_owned));
        let calls_others = match purpose {
            Purpose::Build(ecosystem) | Purpose::LanguagePackages(ecosystem) => ecosystem != Ecosystem::Python,
            Purpose::Script(_) | Purpose::Unknown => true,
            _ => false,
        };
        if calls_others {
            let installed = judge.declared.packages.iter().map(|package| package.name.clone());
            packages.extend(installed.filter(|name| !is_in_slim(name)));
        }
    }
    packages.into_iter().collect()
}
