//! What keeps commands apart from the machine: namespaces, or a chroot where there are none.

pub use plim_sandbox::Isolation;

use crate::run::Overrides;
use crate::{Config, Failure};

/// Decides how commands are kept apart, by a flag or the configuration (`auto`, `namespaces`, `chroot`), and prepares this
/// process for it. Call it before any thread is started: an ordinary user moves into a user namespace.
pub fn enter(flag: Option<&str>, config: &Config) -> Result<Isolation, Failure> {
    let wish = match flag.or(config.build.isolation.as_deref()).unwrap_or("auto") {
        "auto" => None,
        "namespaces" => Some(Isolation::Namespaces),
        "chroot" => Some(Isolation::Chroot),
        other => {
            return Err(Failure::tool(format!("`{other}` does not keep commands apart"))
                .hint("[build] isolation in plim.toml is `auto`, `namespaces` or `chroot`"));
        }
    };
    plim_sandbox::isolation::choose(wish).map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
}

/// Returns what is asked for and cannot be had.
pub(crate) fn not_enforced(isolation: Isolation, overrides: &Overrides) -> Vec<String> {
    let wanted = [(overrides.read_only, "read-only root"), (overrides.isolated, "network")];
    let wanted = wanted.into_iter().filter(|(wanted, _)| *wanted && isolation == Isolation::Chroot);
    wanted.map(|(_, what)| what.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_isolation_is_an_error_that_names_the_known_ones() {
        let failure = enter(Some("vm"), &Config::default()).unwrap_err();
        assert!(failure.hint.unwrap().contains("chroot"));
    }

    #[test]
    fn only_what_was_asked_for_is_missed() {
        let overrides = Overrides { read_only: true, ..Overrides::default() };
        assert_eq!(not_enforced(Isolation::Chroot, &overrides), ["read-only root"]);
        assert!(not_enforced(Isolation::Namespaces, &overrides).is_empty());
    }
}
