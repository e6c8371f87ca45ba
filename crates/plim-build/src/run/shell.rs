//! `--on-error=shell`: a shell where a step has failed, in its files, with its mounts, variables, user and folder.

use bstr::BString;
use plim_sandbox::{SandboxError, Spec, Terminal};

use crate::error::BuildError;
use crate::shared::Shared;

/// Tried where the stage's SHELL is none that one can type into, or is not there.
const SHELLS: [&str; 4] = ["/bin/bash", "/bin/sh", "sh", "busybox"];
/// Names of shells that read what is typed.
const KNOWN: [&str; 7] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "fish"];

/// Opens a shell with the spec of a step that failed, and returns when it is left. What is changed there is thrown away with
/// the step's own changes.
pub(super) fn open(
    spec: &Spec,
    stage_shell: Option<&[String]>,
    terminal: &Terminal,
    error: &BuildError,
    shared: &Shared<'_>,
) {
    // other stages need not go on while somebody looks
    shared.stop();
    let events = shared.events;
    events.warn(&format!("{}; here is a shell in it, `exit` ends the build", error.outcome()));
    let mut ended = Err(SandboxError::Invalid("there is no shell".to_owned()));
    events.suspended(&mut || {
        for shell in shells(stage_shell) {
            let mut spec = spec.clone();
            spec.args = arguments(shell);
            ended = plim_sandbox::run_on_terminal(&spec, terminal, &|| events.cancelled()).map(drop);
            if !matches!(ended, Err(SandboxError::Program { .. })) {
                break;
            }
        }
    });
    match ended {
        Ok(()) => {}
        Err(SandboxError::Program { .. }) => events.warn(
            "the stage has no shell to open: take a static one along for the time being, such as COPY --from=busybox:musl \
             /bin/busybox /bin/sh, or build the step on a base that has one",
        ),
        Err(error) => events.warn(&format!("the shell could not be opened: {error}")),
    }
}

/// The shells to try.
fn shells(stage_shell: Option<&[String]>) -> impl Iterator<Item = &str> {
    let own = stage_shell.and_then(<[String]>::first).map(String::as_str);
    own.filter(|shell| KNOWN.contains(&shell.rsplit('/').next().unwrap_or_default())).into_iter().chain(SHELLS)
}

fn arguments(shell: &str) -> Vec<BString> {
    // busybox is a shell only by that name
    let second = (shell == "busybox").then(|| BString::from("sh"));
    std::iter::once(BString::from(shell)).chain(second).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_of_the_stage_comes_first_if_it_is_one() {
        let first = |shell: &[&str]| {
            let shell: Vec<String> = shell.iter().map(|word| (*word).to_owned()).collect();
            shells(Some(&shell)).next().map(str::to_owned)
        };
        assert_eq!(first(&["/bin/ash", "-eo", "pipefail", "-c"]).as_deref(), Some("/bin/ash"));
        assert_eq!(first(&["/usr/bin/python3", "-c"]).as_deref(), Some("/bin/bash"));
        assert_eq!(arguments("busybox"), ["busybox", "sh"]);
    }
}
