//! What the compose file adds to what the Dockerfile and the sources say.

use super::ComposeFacts;
use crate::command;
use crate::evidence::Declared;
use crate::project::{Choices, Finding, StackProfile};

/// Returns the choices with the start command of the service, where neither the user nor the Dockerfile says one.
pub(crate) fn start(choices: &Choices, facts: Option<&ComposeFacts>, declared: &Declared) -> Choices {
    let mut choices = choices.clone();
    if let Some(facts) = facts
        && let Some(words) = usable(facts)
        && choices.start.is_none()
        && declared.entrypoint.is_none()
        && declared.cmd.is_none()
    {
        choices.start = Some(words);
        choices.start_from = facts.command.as_ref().map(|told| facts.at(told.line));
    }
    choices
}

/// The service's command, as far as no shell is needed to run it.
fn usable(facts: &ComposeFacts) -> Option<Vec<String>> {
    let words = &facts.command.as_ref()?.value;
    if let [shell, flag, text] = words.as_slice()
        && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
        && flag.starts_with('-')
        && flag.ends_with('c')
    {
        return command::parse_command(text).ok();
    }
    Some(words.clone())
}

impl ComposeFacts {
    /// Returns `compose.yaml:LINE`.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }
}

/// Fills in what the profile does not know, and says what differs.
pub(crate) fn complete(profile: &mut StackProfile, facts: &ComposeFacts, declared: &Declared, choices: &Choices) {
    let service = &facts.service;
    if let Some(told) = &facts.command
        && choices.start_from.is_none()
    {
        let what = format!("the command of service {service} is not used");
        let why = match usable(facts) {
            _ if choices.start.is_some() => "another one was chosen",
            None => "it needs a shell",
            Some(_) => "the Dockerfile has one, which the image keeps",
        };
        profile.found.push(Finding::new(what, format!("{}: {why}", facts.at(told.line))));
    }
    if let Some(told) = facts.ports.first() {
        match profile.port {
            None => {
                profile.port = Some(told.value);
                profile.found.push(Finding::new(format!("port {}", told.value), facts.at(told.line)));
            }
            Some(port) if choices.port.is_none() && facts.ports.iter().all(|told| told.value != port) => {
                let what = format!("service {service} is asked on port {}, not {port}", told.value);
                profile.found.push(Finding::new(what, format!("{}; `--port` decides", facts.at(told.line))));
            }
            Some(_) => {}
        }
    }
    if profile.port.is_some() && choices.health.is_none() && declared.healthcheck.is_none() {
        if let Some(told) = &facts.health {
            profile.health = Some(told.value.clone());
            profile.found.retain(|finding| !finding.what.starts_with("health at "));
            profile.found.push(Finding::new(format!("health at {}", told.value), facts.at(told.line)));
        } else if profile.health.is_none() {
            profile.health = Some("/".to_owned());
            profile.found.push(Finding::new("health at /", "nothing says another path"));
        }
    }
    if !facts.environment.0.is_empty() {
        // names only: values may be secrets
        let names: Vec<&str> = facts.environment.0.iter().map(|(name, _)| name.as_str()).collect();
        profile.found.push(Finding::new(
            format!("environment of the proof: {}", names.join(", ")),
            format!("{}: {service}", facts.file),
        ));
    }
    for need in &facts.needs {
        profile.found.push(Finding::new(format!("may need {need}"), facts.file.as_str()));
    }
}
