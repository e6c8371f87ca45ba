//! The instructions that change the configuration, and WORKDIR, which makes a directory as well.

mod signal;

use std::fmt::Write as _;

use bstr::{BStr, ByteSlice as _};
use plim_dockerfile::ports::Ports;
use plim_dockerfile::words::Lexer;
use plim_dockerfile::{ArgDefinition, Command, Healthcheck, HealthcheckTest, KeyValue, Kind, Spanned};
use serde_json::{Map, Value};

use crate::cache::Op;
use crate::error::{BuildError, ErrorKind};
use crate::graph::Step;
use crate::stage::{Building, FilesystemStep, Inputs};
use crate::{copy, history, paths, snapshot};

/// The shell of Linux images that name none.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];
/// The shell of Windows images that name none.
const WINDOWS_SHELL: [&str; 3] = ["cmd", "/S", "/C"];

/// Carries out an instruction that changes nothing but the configuration.
pub(crate) fn metadata(building: &mut Building<'_>, step: &Step) -> Result<(), BuildError> {
    let row = match &step.instruction.kind {
        Kind::Env(pairs) => env(building, step, pairs)?,
        Kind::Arg(definitions) => arg(building, step, definitions)?,
        Kind::Label(pairs) => label(building, step, pairs)?,
        Kind::Cmd(command) => cmd(building, command),
        Kind::Entrypoint(command) => entrypoint(building, command),
        Kind::Shell(words) => shell(building, words),
        Kind::Expose(words) => expose(building, step, words)?,
        Kind::Volume(paths) => volume(building, step, paths)?,
        Kind::User(user) => self::user(building, step, &user.value)?,
        Kind::StopSignal(signal) => stop_signal(building, step, &signal.value)?,
        Kind::Healthcheck(check) => healthcheck(building, check),
        Kind::Maintainer(name) => {
            building.config.author = Some(name.value.clone());
            format!("MAINTAINER {name}")
        }
        Kind::Onbuild(trigger) => {
            building.config.config.on_build.push(trigger.expression.clone());
            return Ok(());
        }
        // the scheduler refuses files with errors, and files are not changed here
        _ => return Ok(()),
    };
    building.add_history(row, false);
    Ok(())
}

/// Carries out WORKDIR: always a step of its own, even where the directory is there already.
pub(crate) fn workdir(building: &mut Building<'_>, number: usize, step: &Step, path: &str) -> Result<(), BuildError> {
    let path = building.path_of(building.expand(step, path)?);
    let path = paths::join(&building.config.config.working_dir, &path);
    building.config.config.working_dir.clone_from(&path);
    let title = format!("WORKDIR {path}");
    if path == "/" {
        building.add_history(title, false);
        return Ok(());
    }
    let user = building.config.config.user.clone();
    let owner = directory_owner(building, step, &user)?;
    let epoch = building.epoch;
    let mut op = Op::new("workdir");
    op.field("path", &path).field("owner", format!("{}:{}", owner.0, owner.1)).field("epoch", epoch.to_le_bytes());
    let (shared, stack) = (building.shared, building.stack.clone());
    let failed = building.files_failed(step);
    let work = FilesystemStep {
        number,
        created_by: title.clone(),
        title,
        op: op.finish(),
        inputs: Inputs::Content(Vec::new()),
        files: None,
        linked: false,
        execute: &mut |draft, _| {
            let view = stack.view(shared)?;
            let path: &BStr = path.as_bytes().as_bstr();
            snapshot_dir(&view, draft, path, owner, epoch).map_err(&failed)
        },
        write: None,
    };
    building.filesystem_step(step, work)
}

/// Returns the owner of a directory made by WORKDIR. A USER that is not there yet may be made later; until
/// then root stands in, as it does for BuildKit.
fn directory_owner(building: &Building<'_>, step: &Step, user: &str) -> Result<(u32, u32), BuildError> {
    if user.is_empty() {
        return Ok((0, 0));
    }
    match copy::owner(building, step, user) {
        Err(error) if error.kind() == ErrorKind::Subject => {
            building.shared.warn(step.line, format!("user `{user}` is not in the image, so root owns the directory"));
            Ok((0, 0))
        }
        owner => owner,
    }
}

fn snapshot_dir(
    view: &snapshot::View,
    draft: &snapshot::Draft,
    path: &BStr,
    owner: (u32, u32),
    epoch: i64,
) -> Result<(), crate::files::FilesError> {
    crate::files::make_dir(view, &draft.fs, path, owner, epoch).map(|_| ())
}

/// Returns the command that a shell form stands for.
pub(crate) fn with_shell(building: &Building<'_>, text: &str) -> Vec<String> {
    let mut words = match &building.config.config.shell {
        Some(shell) if !shell.is_empty() => shell.clone(),
        _ if building.stage.platform.os == paths::WINDOWS => WINDOWS_SHELL.map(str::to_owned).to_vec(),
        _ => DEFAULT_SHELL.map(str::to_owned).to_vec(),
    };
    words.push(text.to_owned());
    words
}

/// Values see the variables as they were before the instruction.
fn env(building: &mut Building<'_>, step: &Step, pairs: &[KeyValue]) -> Result<String, BuildError> {
    let pairs = expand_pairs(building, step, pairs)?;
    for (name, value) in &pairs {
        building.scope.set_env(name, value);
        let text = format!("{name}={value}");
        let env = &mut building.config.config.env;
        let known = env.iter_mut().find(|known| known.split('=').next() == Some(name.as_str()));
        match known {
            Some(known) => *known = text,
            None => env.push(text),
        }
    }
    Ok(pairs_row("ENV", &pairs))
}

fn label(building: &mut Building<'_>, step: &Step, pairs: &[KeyValue]) -> Result<String, BuildError> {
    let pairs = expand_pairs(building, step, pairs)?;
    building.config.config.labels.extend(pairs.iter().cloned());
    Ok(pairs_row("LABEL", &pairs))
}

fn expand_pairs(building: &Building<'_>, step: &Step, pairs: &[KeyValue]) -> Result<Vec<(String, String)>, BuildError> {
    pairs
        .iter()
        .map(|pair| {
            let key = building.expand(step, &pair.key.value)?;
            if key.is_empty() {
                return Err(building.fail(step, format!("the name `{}` is empty", pair.key.value), None));
            }
            Ok((key, building.expand(step, &pair.value.value)?))
        })
        .collect()
}

fn pairs_row(instruction: &str, pairs: &[(String, String)]) -> String {
    let mut row = instruction.to_owned();
    for (name, value) in pairs {
        let _ = write!(row, " {name}={value}");
    }
    row
}

/// A build argument wins over the default, and that over the value of the global scope. Unlike in ENV, a
/// default sees the arguments declared before it in the same instruction.
fn arg(building: &mut Building<'_>, step: &Step, definitions: &[ArgDefinition]) -> Result<String, BuildError> {
    let mut row = "ARG".to_owned();
    for definition in definitions {
        let name = definition.name.value.as_str();
        let globals = building.shared.globals;
        let value = match (globals.build_arg(name), &definition.default) {
            (Some(given), _) => Some(given.to_owned()),
            (None, Some(default)) => Some(building.expand(step, &default.value)?),
            (None, None) => globals.vars().get(name).map(str::to_owned),
        };
        let _ = match &value {
            Some(value) => write!(row, " {name}={value}"),
            None => write!(row, " {name}"),
        };
        building.scope.declare(name, value);
    }
    Ok(row)
}

/// Returns the words of a command; without words it counts as not given.
fn command_words(building: &Building<'_>, command: &Command) -> Vec<String> {
    match command {
        Command::Shell(text) => with_shell(building, &text.value),
        Command::Exec(words) => words.iter().map(|word| word.value.clone()).collect(),
    }
}

fn cmd(building: &mut Building<'_>, command: &Command) -> String {
    let words = command_words(building, command);
    let row = format!("CMD {}", history::quoted_list(&words));
    building.command_given = true;
    building.config.config.cmd = Some(words).filter(|words| !words.is_empty());
    building.config.config.args_escaped = true;
    row
}

fn entrypoint(building: &mut Building<'_>, command: &Command) -> String {
    let words = command_words(building, command);
    let row = format!("ENTRYPOINT {}", history::quoted_list(&words));
    if !building.command_given {
        // an inherited CMD was written for another program
        building.config.config.cmd = None;
    }
    building.config.config.entrypoint = Some(words).filter(|words| !words.is_empty());
    row
}

fn shell(building: &mut Building<'_>, words: &[Spanned]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
    let row = format!("SHELL {}", history::plain_list(&words));
    building.config.config.shell = Some(words);
    row
}

fn expose(building: &mut Building<'_>, step: &Step, words: &[Spanned]) -> Result<String, BuildError> {
    let lexer = Lexer::new(building.shared.plan.escape);
    let mut all = Vec::new();
    // as BuildKit has it, the history lists ports in the order of their texts
    let mut words: Vec<&Spanned> = words.iter().collect();
    words.sort_by(|one, other| one.value.cmp(&other.value));
    for word in words {
        for port in building.expand_with(step, &word.value, lexer)?.words {
            let ports = Ports::parse(&port).map_err(|error| building.fail(step, error.to_string(), error.hint()))?;
            all.extend(ports.keys());
        }
    }
    for port in &all {
        building.config.config.exposed_ports.insert(port.clone(), empty());
    }
    Ok(format!("EXPOSE {}", history::plain_list(&all)))
}

fn volume(building: &mut Building<'_>, step: &Step, paths: &[Spanned]) -> Result<String, BuildError> {
    let mut all = Vec::new();
    for path in paths {
        let path = building.expand(step, &path.value)?;
        if path.is_empty() {
            return Err(building.fail(step, "the path of a volume is empty", None));
        }
        all.push(path);
    }
    for path in &all {
        building.config.config.volumes.insert(path.clone(), empty());
    }
    Ok(format!("VOLUME {}", history::plain_list(&all)))
}

/// The names are looked up by the steps that need them: the user may be made by a later RUN.
fn user(building: &mut Building<'_>, step: &Step, user: &str) -> Result<String, BuildError> {
    let user = building.expand(step, user)?;
    building.config.config.user.clone_from(&user);
    Ok(format!("USER {user}"))
}

fn stop_signal(building: &mut Building<'_>, step: &Step, signal: &str) -> Result<String, BuildError> {
    let signal = building.expand(step, signal)?;
    if !signal::is_signal(&signal) {
        return Err(building.fail(
            step,
            format!("`{signal}` is not a signal"),
            Some("for example SIGTERM, SIGQUIT or a number".to_owned()),
        ));
    }
    building.config.config.stop_signal = Some(signal.clone());
    Ok(format!("STOPSIGNAL {signal}"))
}

fn healthcheck(building: &mut Building<'_>, check: &Healthcheck) -> String {
    let nanoseconds =
        |time: Option<std::time::Duration>| time.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
    let tagged = |tag: &str, words: Vec<String>| std::iter::once(tag.to_owned()).chain(words).collect();
    let test = match &check.test {
        HealthcheckTest::None => vec!["NONE".to_owned()],
        HealthcheckTest::Command(Command::Shell(text)) => tagged("CMD-SHELL", vec![text.value.clone()]),
        HealthcheckTest::Command(Command::Exec(words)) => {
            tagged("CMD", words.iter().map(|word| word.value.clone()).collect())
        }
    };
    let check = plim_oci::Healthcheck {
        test,
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        start_interval: nanoseconds(check.start_interval),
        retries: i64::from(check.retries),
    };
    let row = history::healthcheck(&check);
    building.config.config.healthcheck = Some(check);
    row
}

/// What the configuration stores behind a port or a volume.
fn empty() -> Value {
    Value::Object(Map::new())
}
