//! Mounting overlays.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::MountFlags;

use crate::error::{Fault, Step};
use crate::idmap;

/// What gets the changes, and overlayfs' own space beside it.
#[derive(Debug)]
pub(super) struct Upper<'a> {
    pub(super) upper: &'a OwnedFd,
    pub(super) work: &'a OwnedFd,
}

/// Mounts directories over one another, topmost first, on the directory `target`.
///
/// Layers are named by descriptor number relative to `/proc/self/fd`: hundreds of them fit into the one page that
/// mount options may take, no character in a path needs escaping, and the container learns no path of the host.
pub(super) fn mount(lower: &[OwnedFd], upper: Option<&Upper<'_>>, target: &OwnedFd) -> Result<(), Fault> {
    if let ([only], None) = (lower, upper) {
        // overlayfs wants two directories at least
        return super::mounts::bind(only, target).map(drop);
    }
    let mut layers = String::from("lowerdir=");
    for (index, fd) in lower.iter().enumerate() {
        // writing to a string cannot fail
        let _ = write!(layers, "{}{}", if index > 0 { ":" } else { "" }, fd.as_raw_fd());
    }
    if let Some(Upper { upper, work }) = upper {
        let _ = write!(layers, ",upperdir={},workdir={}", upper.as_raw_fd(), work.as_raw_fd());
    }
    let step = || format!("mount overlay of {} directories", lower.len() + usize::from(upper.is_some()));
    rustix::process::chdir(c"/proc/self/fd").step(step)?;
    let mut result = Err(Errno::INVAL);
    for options in options(idmap::in_user_namespace(), upper.is_some()) {
        let data = CString::new(format!("{layers},{options}")).map_err(|_| Errno::INVAL).step(step)?;
        // set-user-ID programs must work, device files must not: there is no device control group
        result = rustix::mount::mount(
            c"overlay",
            target.as_raw_fd().to_string(),
            c"overlay",
            MountFlags::NODEV,
            data.as_c_str(),
        );
        if result != Err(Errno::INVAL) {
            break;
        }
    }
    rustix::process::chdir(c"/").step(step)?;
    result.step(step)
}

/// Options from best to least, for older kernels.
///
/// `volatile` leaves out all syncing: the caller throws an upper away that was not finished. The others keep the upper
/// readable by anything: whole files, no redirects, no index.
fn options(user_namespace: bool, writable: bool) -> Vec<&'static str> {
    match (user_namespace, writable) {
        (false, true) => vec![
            "index=off,metacopy=off,redirect_dir=off,volatile",
            "index=off,metacopy=off,redirect_dir=off",
            "index=off,redirect_dir=off",
        ],
        (false, false) => vec!["index=off,metacopy=off,redirect_dir=off", "index=off,redirect_dir=off"],
        // redirects and metadata-only copies are off by themselves with `userxattr`
        (true, true) => vec!["userxattr,index=off,volatile", "userxattr,index=off"],
        (true, false) => vec!["userxattr,index=off"],
    }
}
