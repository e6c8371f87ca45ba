//! The helper's side of [`crate::probe`]: does what every sandbox does first, and tells how far it came.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::WaitOptions;
use rustix::thread::UnshareFlags;

use super::workshop::Workshop;
use super::{mounts, overlay};
use crate::error::{Fault, SandboxError, Step};
use crate::probe::{Support, with_cause};
use crate::spec::Network;
use crate::sys::{self, Forked};

pub(crate) fn probe() -> Support {
    // changes nothing, but has to be allowed
    let chroot = rustix::process::geteuid().is_root() && rustix::process::chroot(c"/").is_ok();
    match try_all() {
        Ok(support) => Support { chroot, ..support },
        Err(fault) => Support { chroot, reason: Some(with_cause(&SandboxError::from(fault))), ..Support::default() },
    }
}

fn try_all() -> Result<Support, Fault> {
    super::enter_namespaces(Network::None)?;
    let (answer, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).step(|| "make a pipe")?;
    let child = match sys::fork().step(|| "start process 1")? {
        Forked::Child => {
            let support = inside();
            // a parent that cannot read it says so itself
            let _ = rustix::io::write(&tell, &serde_json::to_vec(&support).unwrap_or_default());
            sys::exit_now(0)
        }
        Forked::Parent(child) => child,
    };
    drop(tell);
    let mut text = Vec::new();
    std::fs::File::from(answer).read_to_end(&mut text).step(|| "read from process 1")?;
    rustix::process::waitpid(Some(child), WaitOptions::empty()).step(|| "wait for process 1")?;
    serde_json::from_slice(&text).map_err(|_| Fault::Helper("process 1, no answer".to_owned()))
}

fn inside() -> Support {
    let because = |fault: Fault| Some(with_cause(&SandboxError::from(fault)));
    let workshop = match namespaces() {
        Ok(workshop) => workshop,
        Err(fault) => return Support { reason: because(fault), ..Support::default() },
    };
    match try_overlay(workshop) {
        Ok(()) => Support { overlay: true, namespaces: true, ..Support::default() },
        Err(fault) => Support { namespaces: true, reason: because(fault), ..Support::default() },
    }
}

fn namespaces() -> Result<Workshop, Fault> {
    sys::unshare(UnshareFlags::NEWNS).step(|| "create namespaces")?;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step(|| "detach the mounts from the host's")?;
    // any directory that exists everywhere
    let mut workshop = Workshop::open(std::path::Path::new("/dev"))?;
    let below = workshop.directory()?;
    mounts::mount_new("proc", &below, MountFlags::NOSUID, "").step(|| "mount proc on /proc")?;
    Ok(workshop)
}

fn try_overlay(mut workshop: Workshop) -> Result<(), Fault> {
    let lower: [OwnedFd; 2] = [workshop.directory()?, workshop.directory()?];
    let (upper, work) = (workshop.directory()?, workshop.directory()?);
    let upper = overlay::Upper { upper: &upper, work: &work };
    workshop.mounted(|below| overlay::mount(&lower, Some(&upper), below)).map(drop)
}
