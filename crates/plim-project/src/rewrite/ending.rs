//! How every last stage ends: environment, ports, health, user, start.

use minijinja::{Value, context};
use plim_dockerfile::HealthcheckTest;

use super::parts::{at, found, found_or, pair};
use super::text;
use crate::project::{Project, StackProfile};

/// The user without rights: the number that distroless images call `nonroot`. Where no passwd file says so, its group must
/// be named, or it would be root's.
const USER: &str = "65532";
const USER_AND_GROUP: &str = "65532:65532";

/// What the stack says about the end of its last stage.
pub(super) struct Ending<'a> {
    /// Environment of the stack; the profile's and the author's come on top.
    pub(super) env: &'a [(&'a str, &'a str)],
    /// What the environment is for.
    pub(super) env_why: &'a str,
    /// Beginnings of the names of variables that concern the build alone, should the author's image have them.
    pub(super) not_env: &'a [&'a str],
    /// The base knows user 65532 by name.
    pub(super) user_known: bool,
    /// The fixed words of the start command, program first.
    pub(super) entrypoint: &'a [String],
    /// A program in the image that asks `http://127.0.0.1:PORT/PATH`, and the name of who asks; none where the image has none.
    pub(super) ask: Option<Asker<'a>>,
    /// The author's health check, when it is the program itself that asks: program and arguments.
    pub(super) check: Option<&'a [String]>,
}

/// A program that asks for a path on a port, as words, and its name.
pub(super) type Asker<'a> = (&'a dyn Fn(u16, &str) -> Vec<String>, &'a str);

impl Ending<'_> {
    /// Returns the context of the template `ending`.
    pub(super) fn context(&self, project: &Project, profile: &StackProfile, notes: &mut Vec<String>) -> Value {
        let declared = &project.evidence.declared;
        let (healthcheck, healthcheck_why) = self.healthcheck(project, profile, notes);
        let (user, user_why) = user(project, self.user_known, notes);
        if profile.port.is_some_and(|port| port < 1024) {
            notes.push(
                "ports below 1024 need a runtime that lets ordinary users open them (Docker does since 20.10)"
                    .to_owned(),
            );
        }
        let arguments: Vec<String> = profile.start.iter().skip(profile.entrypoint.max(1)).cloned().collect();
        context! {
            workdir => profile.workdir.clone(),
            workdir_why => text::reason(&found_or(profile, "working directory", "the usual place")),
            env => self.environment(project, profile),
            env_why => self.env_why,
            volumes => declared.volumes.iter().map(|told| context! {
                words => text::exec(std::slice::from_ref(&told.value)),
                why => at(project, told.line),
            }).collect::<Vec<Value>>(),
            expose => exposed(project, profile).join(" "),
            expose_why => text::reason(&found_or(profile, "port", "the previous file")),
            labels => declared.labels.iter().map(|told| pair(&told.value)).collect::<Vec<String>>(),
            labels_why => declared.labels.iter().map(|told| at(project, told.line)).collect::<Vec<String>>().join(", "),
            stop_signal => declared.stop_signal.as_ref().map(|told| text::reason(&told.value)),
            stop_signal_why => declared.stop_signal.as_ref().map(|told| at(project, told.line)),
            healthcheck,
            healthcheck_why,
            user,
            user_why,
            start_why => text::reason(&found(profile, "start ")),
            entrypoint => text::exec(&with_init(self.entrypoint, profile)),
            cmd => (!arguments.is_empty()).then(|| text::exec(&arguments)),
        }
    }

    /// The environment: the stack's, what the start needs, what the author sets. Each name once, the author's value winning.
    fn environment(&self, project: &Project, profile: &StackProfile) -> Vec<String> {
        let defaults = self.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in defaults.chain(profile.env.iter().cloned()) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        let concerns_build = |name: &str| self.not_env.iter().any(|begin| name.starts_with(begin));
        for told in project.evidence.declared.env.iter().filter(|told| !concerns_build(&told.value.0)) {
            match all.iter_mut().find(|(name, _)| *name == told.value.0) {
                Some(known) => known.1.clone_from(&told.value.1),
                None => all.push(told.value.clone()),
            }
        }
        all.iter().map(pair).collect()
    }

    /// The author's health check, asked by a program that the image has: curl and wget are not in it.
    fn healthcheck(
        &self,
        project: &Project,
        profile: &StackProfile,
        notes: &mut Vec<String>,
    ) -> (Option<String>, Option<String>) {
        let Some(told) = &project.evidence.declared.healthcheck else { return (None, None) };
        if matches!(told.value.test, HealthcheckTest::None) {
            return (Some("NONE".to_owned()), Some(at(project, told.line)));
        }
        let (words, why) = match (self.check, self.ask, profile.port.zip(profile.health.as_ref())) {
            (Some(words), ..) => (words.to_vec(), at(project, told.line)),
            (None, Some((ask, who)), Some((port, path))) => {
                (ask(port, path), format!("line {} of the previous file, asked by {who} itself", told.line))
            }
            (None, asker, _) => {
                let reason = match asker {
                    Some(_) => "the program listens on no known port",
                    None => "the image has no program that could ask; let the platform ask the port",
                };
                notes.push(format!("the health check in line {} is left out: {reason}", told.line));
                return (None, None);
            }
        };
        let check = &told.value;
        let durations = [
            ("interval", check.interval),
            ("timeout", check.timeout),
            ("start-period", check.start_period),
            ("start-interval", check.start_interval),
        ];
        let mut instruction: Vec<String> = durations
            .into_iter()
            .filter_map(|(name, value)| Some(format!("--{name}={}", text::duration(value?))))
            .chain((check.retries > 0).then(|| format!("--retries={}", check.retries)))
            .collect();
        instruction.push("CMD".to_owned());
        instruction.push(text::exec(&words));
        (Some(instruction.join(" ")), Some(why))
    }
}

/// Returns who owns the files that the program may write: the user that it runs as.
pub(super) fn owner(project: &Project) -> String {
    let (name, _) = user(project, false, &mut Vec::new());
    name
}

/// The package of a small process 1, and its program: it hands signals on to the application, which need not listen to them
/// itself to be ended by them, as it would have to as process 1.
pub const INIT: &str = "tini";

/// Puts that program in front of the start command where the image has it.
fn with_init(entrypoint: &[String], profile: &StackProfile) -> Vec<String> {
    let init = profile.system.iter().any(|package| package == INIT);
    let front = if init { vec![format!("/usr/bin/{INIT}"), "--".to_owned()] } else { Vec::new() };
    front.into_iter().chain(entrypoint.iter().cloned()).collect()
}

fn exposed(project: &Project, profile: &StackProfile) -> Vec<String> {
    let mut ports: Vec<String> = profile.port.iter().map(ToString::to_string).collect();
    for told in &project.evidence.declared.exposed {
        let port = told.value.strip_suffix("/tcp").unwrap_or(&told.value).to_owned();
        if !ports.contains(&port) && port.chars().all(|c| c.is_ascii_alphanumeric() || c == '/' || c == '-') {
            ports.push(port);
        }
    }
    ports
}

/// The author's user if it is a number other than root's, or else one without rights, which the base may have in its
/// passwd file (`known`).
fn user(project: &Project, known: bool, notes: &mut Vec<String>) -> (String, String) {
    let name = if known { USER } else { USER_AND_GROUP };
    let default = (name.to_owned(), "a user without rights".to_owned());
    let Some(told) = &project.evidence.declared.user else {
        return default;
    };
    let numeric = told.value.split(':').all(|part| part.parse::<u32>().is_ok());
    let root = told.value.split(':').next().is_some_and(|name| name == "root" || name.parse() == Ok(0_u32));
    if numeric && !root {
        return (told.value.clone(), format!("line {} of the previous file", told.line));
    }
    if !root {
        notes.push(format!(
            "the user {} of line {} is now {name}: volumes that hold its files need a change of owner",
            told.value, told.line
        ));
    }
    default
}
