//! Variables: the global scope before the first FROM, and the scope of each stage.

mod globals;

use plim_dockerfile::words::Env;

pub(crate) use globals::{Globals, is_proxy};

/// Variables by name, in the order in which they came; a new value keeps the old place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Vars {
    list: Vec<(String, String)>,
}

impl Vars {
    /// Returns the variables of `NAME=value` texts; a text without `=` is a name with an empty value.
    pub(crate) fn of_env(env: &[String]) -> Self {
        let mut vars = Self::default();
        for text in env {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            vars.set(name, value);
        }
        vars
    }

    /// Returns the value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.list.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.list.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Forgets a variable.
    pub(crate) fn unset(&mut self, name: &str) {
        self.list.retain(|(known, _)| known != name);
    }

    /// Returns the variables in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Env for Vars {
    fn get(&self, name: &str) -> Option<String> {
        Vars::get(self, name).map(str::to_owned)
    }
}

/// Arguments that steer BuildKit's attestations and never reach a step.
const NEVER_IN_ENV: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// The variables of a stage: ENV and ARG in one list, because the later of the two wins, and beside it the
/// arguments that were declared, for the history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    vars: Vars,
    declared: Vec<(String, Option<String>)>,
}

impl Scope {
    /// Sets the variables of an image's configuration over what is there.
    pub(crate) fn take_env(&mut self, env: &[String]) {
        for (name, value) in Vars::of_env(env).iter() {
            self.vars.set(name, value);
        }
    }

    /// Returns the variables that expansions and steps see.
    pub(crate) fn vars(&self) -> &Vars {
        &self.vars
    }

    /// Sets a variable by ENV.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.vars.set(name, value);
    }

    /// Declares an argument; without a value it is not set.
    pub(crate) fn declare(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.as_deref().filter(|_| !NEVER_IN_ENV.contains(&name)) {
            self.vars.set(name, value);
        }
        self.declared.push((name.to_owned(), value));
    }

    /// Says whether an argument of that name was declared.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.declared.iter().any(|(known, _)| known == name)
    }

    /// Returns the declared arguments with the values that a RUN sees now, for the history.
    pub(crate) fn history_arguments(&self) -> Vec<(String, String)> {
        let mut seen = Vars::default();
        for (name, value) in &self.declared {
            let value = self.vars.get(name).or(value.as_deref()).unwrap_or_default();
            seen.set(name, value);
        }
        seen.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_env_and_arg_wins() {
        let mut scope = Scope::default();
        scope.set_env("A", "env");
        scope.declare("A", Some("arg".to_owned()));
        assert_eq!(scope.vars().get("A"), Some("arg"));
        scope.set_env("A", "env again");
        assert_eq!(scope.vars().get("A"), Some("env again"));
        assert_eq!(scope.history_arguments(), [("A".to_owned(), "env again".to_owned())]);
    }

    #[test]
    fn a_declared_argument_without_a_value_is_not_set_but_listed() {
        let mut scope = Scope::default();
        scope.declare("A", None);
        assert_eq!(scope.vars().get("A"), None);
        assert!(scope.declares("A"));
        assert_eq!(scope.history_arguments(), [("A".to_owned(), String::new())]);
    }

    #[test]
    fn attestation_arguments_never_reach_the_environment() {
        let mut scope = Scope::default();
        scope.declare("BUILDKIT_SBOM_SCAN_STAGE", Some("true".to_owned()));
        assert_eq!(scope.vars().get("BUILDKIT_SBOM_SCAN_STAGE"), None);
    }

    #[test]
    fn a_new_value_keeps_the_old_place() {
        let mut vars = Vars::of_env(&["PATH=/bin".to_owned(), "A=1".to_owned(), "B".to_owned()]);
        vars.set("PATH", "/usr/bin");
        let all: Vec<_> = vars.iter().collect();
        assert_eq!(all, [("PATH", "/usr/bin"), ("A", "1"), ("B", "")]);
    }
}
