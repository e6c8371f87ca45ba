//! RUN.

mod advice;
mod cache_mount;
mod ground;
mod mounts;
mod output;
mod shell;
mod trust;

use std::path::PathBuf;

use bstr::BString;
use plim_dockerfile::{Network as NetworkFlag, Run, RunScript, Security};
use plim_oci::Digest;
use plim_sandbox::{Mount, MountSource, Network, Secret, Spec};

use crate::cache::Op;
use crate::error::{BuildError, StepContext};
use crate::graph::Step;
use crate::scope::{Vars, is_proxy};
use crate::stage::{Building, FilesystemStep, Inputs, brief, one_space};
use crate::{history, instruction, paths};

use advice::{NoNetwork, Symptoms};
use ground::Ground;
use mounts::Mounts;
use output::Output;
pub(crate) use trust::Trust;

/// Where SSH looks for its agent.
const AGENT_VARIABLE: &str = "SSH_AUTH_SOCK";
/// Where a script that brings its own interpreter is put for the time of the step.
const SCRIPT_DIR: &str = "/dev/pipes";
/// The host name that steps see, unless a build argument names another one.
const HOSTNAME: &str = "plimsoll";
const HOSTNAME_ARG: &str = "BUILDKIT_SANDBOX_HOSTNAME";

/// Carries out RUN.
pub(crate) fn run(building: &mut Building<'_>, number: usize, step: &Step, run: &Run) -> Result<(), BuildError> {
    refuse(building, step, run)?;
    let network = network(building, step, run)?;
    let mounts = Mounts::read(building, step, run)?;
    let mut script = None;
    let args = match run.script(&step.instruction.heredocs) {
        RunScript::Exec(args) => args,
        RunScript::Shell(text) => instruction::with_shell(building, &text),
        RunScript::File { name, content } => {
            let path = format!("{SCRIPT_DIR}/{name}");
            script = Some((path.clone(), content));
            vec![path]
        }
    };
    // a script that names its interpreter is started as it is; the history shows it as BuildKit's does, as a command of the shell
    let shown = match &script {
        Some((path, _)) => instruction::with_shell(building, path),
        None => args.clone(),
    };
    let row = history::run(&building.scope.history_arguments(), &shown);
    let environment = Environment::of(building);
    let op = describe(building, &args, script.as_ref(), network, &mounts, &environment);
    let shared = building.shared;
    let stack = building.stack.clone();
    let config = &building.config.config;
    let (cwd, user) = (paths::clean(&config.working_dir), config.user.clone());
    let stage_shell = config.shell.clone();
    let offline = shared.request.offline;
    let failure = Failure {
        line: step.line,
        stage: building.stage.label.clone(),
        step: building.next_number(),
        instruction: brief(&step.instruction),
        command: args.clone(),
        user: user.clone(),
        without_network: match (offline, network, run.network) {
            (true, ..) => Some(NoNetwork::Offline),
            (_, Network::None, NetworkFlag::None) => Some(NoNetwork::Flag),
            (_, Network::None, _) => Some(NoNetwork::Build),
            _ => None,
        },
        ca_bundle: shared.request.ca_bundle.is_some(),
    };
    let inputs = mounts.inputs(shared)?;
    let mut look = || mounts.content(shared);
    let mut copy = building.copy.take();
    let work = FilesystemStep {
        number,
        title: one_space(step.instruction.one_line()),
        created_by: history::marked(&row),
        op,
        inputs: if mounts.read_stacks() {
            let sources = mounts.sources(&inputs);
            Inputs::Definition { local: inputs, sources, look: &mut look }
        } else {
            Inputs::Content(inputs)
        },
        files: None,
        linked: false,
        write: None,
        execute: &mut |draft, task| {
            let ground = Ground::prepare(stack.chain(shared)?, &mut copy, shared)?;
            let mut spec = Spec::new(ground.root(draft)?);
            spec.isolation = shared.request.isolation;
            spec.runtime.clone_from(&shared.request.runtime);
            spec.args = args.iter().map(|arg| BString::from(arg.as_str())).collect();
            spec.cwd = BString::from(cwd.as_str());
            spec.user.clone_from(&user);
            shared.globals.build_arg(HOSTNAME_ARG).unwrap_or(HOSTNAME).clone_into(&mut spec.hostname);
            spec.network = if offline { Network::None } else { network };
            spec.extra_hosts.clone_from(&shared.request.extra_hosts);
            spec.skip_fsync = true;
            let prepared = mounts.prepare(shared, &ground.scratch(draft))?;
            spec.env = environment.with(&prepared.env);
            if let Some(agent) = prepared.agent.as_ref().filter(|_| environment.keyed.get(AGENT_VARIABLE).is_none()) {
                spec.env.push(format!("{AGENT_VARIABLE}={agent}").into());
            }
            let agents = prepared.agents;
            spec.mounts = prepared.mounts;
            spec.mounts.extend(shared.trust.mounts()?);
            spec.mounts.extend(script.as_ref().map(|(path, content)| script_mount(path, content)));
            let mut output = Output::new(shared.events, task, &prepared.masks);
            let exit = plim_sandbox::run(&spec, &mut |stream, bytes| output.take(stream, bytes), &|| shared.stopped());
            drop((prepared.locks, agents));
            let tail = output.finish();
            if let Err(error) = failure.judge(exit, tail, shared.stopped()) {
                if let Some(terminal) = &shared.request.shell_on_error
                    && matches!(error, BuildError::Step { .. } | BuildError::Sandbox { .. })
                {
                    // without namespaces some of the mounts were used up. What is wrong with the step matters more than
                    // what is wrong with them now
                    let Ok(prepared) = mounts.prepare(shared, &ground.scratch(draft)) else { return Err(error) };
                    spec.mounts = prepared.mounts;
                    spec.mounts.extend(shared.trust.mounts()?);
                    spec.mounts.extend(script.as_ref().map(|(path, content)| script_mount(path, content)));
                    shell::open(&spec, stage_shell.as_deref(), terminal, &error, shared);
                }
                return Err(error);
            }
            let kept = ground.finish(&draft.fs, shared);
            kept.map_err(|source| BuildError::layers("find what the step changed", source))
        },
    };
    let result = building.filesystem_step(step, work);
    building.copy = copy;
    result
}

/// Refuses what a sandbox without more rights cannot give.
fn refuse(building: &Building<'_>, step: &Step, run: &Run) -> Result<(), BuildError> {
    if run.security == Security::Insecure {
        return Err(building.fail(
            step,
            "--security=insecure is not offered: steps always run in the sandbox",
            Some("remove the flag, or do what needs the rights outside of the build".to_owned()),
        ));
    }
    if let Some(device) = run.devices.iter().find(|device| device.required) {
        return Err(building.fail(step, format!("the device {} is not offered to steps", device.name), None));
    }
    Ok(())
}

fn network(building: &Building<'_>, step: &Step, run: &Run) -> Result<Network, BuildError> {
    let default = building.shared.request.network;
    match run.network {
        NetworkFlag::Default => Ok(default),
        NetworkFlag::None => Ok(Network::None),
        NetworkFlag::Host if default == Network::None => Err(building.fail(
            step,
            "--network=host asks for the network that this build is not given",
            Some("build with --network host, or remove the flag".to_owned()),
        )),
        NetworkFlag::Host => Ok(Network::Host),
    }
}

/// The environment of a step: what its key depends on, and what it does not.
#[derive(Debug)]
struct Environment {
    keyed: Vars,
    unkeyed: Vec<(String, String)>,
}

impl Environment {
    fn of(building: &Building<'_>) -> Self {
        let shared = building.shared;
        let mut keyed = building.scope.vars().clone();
        if let Some(epoch) = shared.request.epoch {
            keyed.set("SOURCE_DATE_EPOCH", &epoch.to_string());
        }
        let mut unkeyed: Vec<(String, String)> = Vec::new();
        let given = shared.request.proxies.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in given.filter(|(name, _)| is_proxy(name)).chain(shared.globals.proxies()) {
            // programs disagree about the case
            for name in [name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
                unkeyed.retain(|(known, _)| *known != name);
                unkeyed.push((name, value.to_owned()));
            }
        }
        unkeyed.extend(shared.trust.env());
        unkeyed.retain(|(name, _)| keyed.get(name).is_none());
        Self { keyed, unkeyed }
    }

    /// Returns the whole environment, with variables over all others.
    fn with(&self, over: &[(String, Secret)]) -> Vec<BString> {
        let plain = self.keyed.iter().chain(self.unkeyed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut all: Vec<BString> = plain
            .filter(|(name, _)| !over.iter().any(|(known, _)| known == name))
            .map(|(name, value)| BString::from(format!("{name}={value}")))
            .collect();
        for (name, value) in over {
            let mut text = BString::from(format!("{name}="));
            text.extend_from_slice(value.expose());
            all.push(text);
        }
        all
    }
}

/// Returns the digest of everything that the result of a RUN depends on but files.
fn describe(
    building: &Building<'_>,
    args: &[String],
    script: Option<&(String, String)>,
    network: Network,
    mounts: &Mounts,
    environment: &Environment,
) -> Digest {
    let config = &building.config.config;
    let mut env: Vec<String> = environment.keyed.iter().map(|(name, value)| format!("{name}={value}")).collect();
    env.sort_unstable();
    let mut op = Op::new("run");
    op.list("args", args).list("env", env).field("cwd", &config.working_dir).field("user", &config.user);
    op.option("script", script.map(|(_, content)| content));
    op.field("network", if network == Network::None { "none" } else { "host" });
    op.field("platform", building.stage.platform.to_string());
    op.option("hostname", building.shared.globals.build_arg(HOSTNAME_ARG));
    mounts.describe(&mut op);
    op.finish()
}

fn script_mount(path: &str, content: &str) -> Mount {
    let bytes = Secret::new(content.as_bytes().to_vec());
    Mount { target: BString::from(path), source: MountSource::Content { bytes, mode: 0o755, uid: 0, gid: 0 } }
}

fn empty_dir(within: &std::path::Path) -> Result<PathBuf, BuildError> {
    let path = within.join("empty");
    std::fs::create_dir_all(&path).map_err(|error| BuildError::io(format!("create {}", path.display()), error))?;
    Ok(path)
}

/// Where a RUN stands and how it ran, for its errors.
struct Failure {
    line: usize,
    stage: String,
    step: (usize, usize),
    instruction: String,
    command: Vec<String>,
    user: String,
    without_network: Option<NoNetwork>,
    ca_bundle: bool,
}

impl Failure {
    fn judge(
        &self,
        exit: Result<plim_sandbox::Exit, plim_sandbox::SandboxError>,
        output: Vec<String>,
        stopped: bool,
    ) -> Result<(), BuildError> {
        match exit {
            Ok(exit) if exit.success() => Ok(()),
            _ if stopped => Err(BuildError::Cancelled),
            Ok(exit) => {
                let hint = advice::hint(&Symptoms {
                    code: exit.code,
                    signal: exit.signal,
                    output: &output,
                    without_network: self.without_network,
                    ca_bundle: self.ca_bundle,
                    user: &self.user,
                });
                Err(BuildError::Step {
                    line: self.line,
                    stage: self.stage.clone(),
                    instruction: self.instruction.clone(),
                    code: exit.code,
                    signal: exit.signal,
                    output,
                    context: Box::new(StepContext { step: self.step, command: self.command.clone(), hint }),
                })
            }
            Err(source) => Err(BuildError::Sandbox { line: self.line, instruction: self.instruction.clone(), source }),
        }
    }
}
