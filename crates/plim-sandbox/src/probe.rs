//! What this machine allows.

use serde::{Deserialize, Serialize};

use crate::error::SandboxError;
use crate::launch;
use crate::wire::{Report, Reports, Request};

/// What of the sandbox works here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// Overlay file systems can be mounted: build steps write only what they change.
    pub overlay: bool,
    /// Namespaces with their own mounts, processes and network can be made: commands can be run at all.
    pub namespaces: bool,
    /// The root directory can be changed: commands can be run without namespaces.
    pub chroot: bool,
    /// Why not, for the first of them that does not work.
    pub reason: Option<String>,
}

/// Tries out what a sandbox needs, in a helper that leaves nothing behind.
pub fn probe() -> Support {
    try_probe().unwrap_or_else(|error| Support { reason: Some(with_cause(&error)), ..Support::default() })
}

fn try_probe() -> Result<Support, SandboxError> {
    let mut helper = launch::launch(&Request::Probe, None)?;
    let mut answer = Vec::new();
    let read = std::io::Read::read_to_end(&mut helper.control, &mut answer);
    let status = helper.process.wait();
    for report in Reports::default().feed(&answer) {
        match report {
            Report::Support(support) => return Ok(support),
            Report::Failed(fault) => return Err(fault.into()),
            _ => {}
        }
    }
    let detail = read.and(status).map_or_else(|error| error.to_string(), |status| status.to_string());
    Err(SandboxError::Helper(detail))
}

/// An error and what caused it, on one line.
pub(crate) fn with_cause(error: &SandboxError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
