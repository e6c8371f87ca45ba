//! `/proc`, `/dev` and `/sys`, and what of them is hidden.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::mounts::{self, mount_new};
use super::place::{Kind, Place, Recorder, Tree, name_of};
use super::sources::Sources;
use crate::error::{Fault, Step};
use crate::idmap;
use crate::spec::Spec;
use crate::sys;

/// Says too much about the host, or lets it be changed.
pub(super) const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// May be read, but writing would change the host.
pub(super) const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The group `tty` of every distribution, which terminals belong to.
const TTY_GROUP: u32 = 5;

const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Mounts the file systems of the kernel.
pub(super) fn mount(spec: &Spec, sources: &Sources, tree: &Tree, recorder: &mut dyn Recorder) -> Result<(), Fault> {
    let proc = directory(tree, "/proc", recorder)?;
    mount_new("proc", &proc.fd, QUIET, "").step(|| "mount proc on /proc")?;
    devices(spec, sources, tree, recorder)?;
    let sys = directory(tree, "/sys", recorder)?;
    mount_sys(sources, &sys)?;
    if let Ok(group) = tree.find("/sys/fs/cgroup".into()) {
        // useful to programs that ask for their limits, and not to be had on every machine
        let _ = mount_new("cgroup2", &group.fd, QUIET | MountFlags::RDONLY, "");
    }
    Ok(())
}

/// Hides and write-protects parts of `/proc` and `/sys`.
pub(super) fn protect(sources: &Sources, tree: &Tree) -> Result<(), Fault> {
    for path in MASKED {
        let Some(place) = existing(tree, path)? else { continue };
        match place.kind {
            Kind::Directory => {
                mount_new("tmpfs", &place.fd, QUIET | MountFlags::RDONLY, "size=4k,nr_inodes=2,mode=0755")
                    .step(|| format!("hide {path}"))?;
            }
            Kind::File => mounts::bind(device(sources, "null")?, &place.fd).map(drop)?,
        }
    }
    for path in READ_ONLY {
        let Some(place) = existing(tree, path)? else { continue };
        mounts::bind(&place.fd, &place.fd)?;
        if let Some(mounted) = existing(tree, path)? {
            mounts::restrict(&mounted.fd, MountFlags::RDONLY)?;
        }
    }
    Ok(())
}

fn existing(tree: &Tree, path: &str) -> Result<Option<Place>, Fault> {
    match tree.find(path.into()) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error).step(|| format!("open {path}")),
    }
}

/// A mount point for one of the kernel's file systems. It must not be a link: what is mounted there would show up
/// somewhere else than where everything looks for it.
pub(super) fn directory(tree: &Tree, path: &str, recorder: &mut dyn Recorder) -> Result<Place, Fault> {
    let place = tree.ensure(path.into(), Kind::Directory, recorder).step(|| format!("make the mount point {path}"))?;
    if place.path != path.trim_start_matches('/') || place.kind != Kind::Directory {
        return Err(Fault::Invalid(format!("{path} of the image is not a directory")));
    }
    Ok(place)
}

fn devices(spec: &Spec, sources: &Sources, tree: &Tree, recorder: &mut dyn Recorder) -> Result<(), Fault> {
    let below = directory(tree, "/dev", recorder)?;
    // device files work only where they are bound from the host: root in the container may make others anywhere, but
    // opens none of them
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::STRICTATIME;
    mount_new("tmpfs", &below.fd, flags, "mode=755,size=65536k").step(|| "mount tmpfs on /dev")?;
    let dev = tree.find("/dev".into()).step(|| "open /dev")?.fd;
    for (name, device) in &sources.devices {
        let step = || format!("make /dev/{name}");
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&dev, *name, flags, Mode::from(0o666)).step(step)?;
        let stub = rustix::fs::openat(&dev, *name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).step(step)?;
        rustix::mount::mount_bind(name_of(device), name_of(&stub)).step(step)?;
    }
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    for (target, name) in links {
        rustix::fs::symlinkat(target, &dev, name).step(|| format!("make /dev/{name}"))?;
    }
    let pts = subdirectory(&dev, "pts")?;
    let group = if idmap::knows("gid_map", TTY_GROUP) { format!(",gid={TTY_GROUP}") } else { String::new() };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    mount_new("devpts", &pts, MountFlags::NOSUID | MountFlags::NOEXEC, &options).step(|| "mount devpts on /dev/pts")?;
    let shm = subdirectory(&dev, "shm")?;
    if !mounts::replaces(spec, "/dev/shm") {
        let options = format!("mode=1777,size={}", spec.shm_size);
        mount_new("tmpfs", &shm, QUIET, &options).step(|| "mount tmpfs on /dev/shm")?;
    }
    let mqueue = subdirectory(&dev, "mqueue")?;
    match mount_new("mqueue", &mqueue, QUIET, "") {
        // a kernel without message queues
        Ok(()) | Err(Errno::NODEV) => Ok(()),
        Err(error) => Err(error).step(|| "mount mqueue on /dev/mqueue"),
    }
}

fn subdirectory(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Fault> {
    rustix::fs::mkdirat(parent, name, Mode::from(0o755)).step(|| format!("make /dev/{name}"))?;
    rustix::fs::openat(parent, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).step(|| format!("open /dev/{name}"))
}

fn device<'a>(sources: &'a Sources, wanted: &str) -> Result<&'a OwnedFd, Fault> {
    let found = sources.devices.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, device)| device).ok_or(Errno::NOENT).step(|| format!("find /dev/{wanted}"))
}

/// A fresh `/sys` needs rights over the network; without them the host's is shown read-only, or nothing.
fn mount_sys(sources: &Sources, place: &Place) -> Result<(), Fault> {
    if mount_new("sysfs", &place.fd, QUIET | MountFlags::RDONLY, "").is_ok() {
        return Ok(());
    }
    rustix::mount::mount_bind_recursive(name_of(&sources.sys), name_of(&place.fd)).step(|| "bind /sys")?;
    let mounted = rustix::fs::openat(&place.fd, c"../sys", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let mounted = mounted.step(|| "open /sys")?;
    if sys::set_mount_read_only(mounted.as_fd(), true).is_err() {
        rustix::mount::unmount(name_of(&mounted), UnmountFlags::DETACH).step(|| "unmount /sys")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MASKED, READ_ONLY};

    #[test]
    fn lists_are_sorted_and_absolute() {
        assert!(MASKED.is_sorted() && READ_ONLY.is_sorted());
        assert!(MASKED.iter().chain(&READ_ONLY).all(|path| path.starts_with('/')));
    }
}
