//! The spec's own mounts.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsFd, OwnedFd};

use bstr::{BStr, ByteSlice};
use rustix::fs::{Mode, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;

use super::overlay::{self, Upper};
use super::place::{Kind, Recorder, Tree, name_of};
use super::sources::{Source, Sources};
use super::workshop::Workshop;
use crate::error::{Fault, Step};
use crate::spec::{Mount, MountSource, Spec};
use crate::sys;

/// Mounts everything that the spec asks for; what lies below another mount comes after it.
pub(super) fn mount(
    spec: &Spec,
    sources: &Sources,
    tree: &Tree,
    workshop: &mut Workshop,
    recorder: &mut dyn Recorder,
) -> Result<(), Fault> {
    files(spec, sources, tree, workshop, recorder)?;
    let mut order: Vec<(&Mount, &Source)> = spec.mounts.iter().zip(&sources.mounts).collect();
    order.sort_by(|(a, _), (b, _)| names(a.target.as_bstr()).cmp(names(b.target.as_bstr())));
    for (number, (mount, source)) in order.into_iter().enumerate() {
        let mut job = Job { target: mount.target.as_bstr(), tree, workshop, recorder };
        match (source, &mount.source) {
            (Source::Path { fd, kind, read_only }, _) => job.bind(fd, *kind, *read_only)?,
            (Source::Union { lower, path, writable }, _) => {
                let scratch = sources.scratch.as_ref();
                job.union(lower, path.as_bstr(), writable.then_some(Scratch { on_disk: scratch, number }))?;
            }
            (Source::Inside, MountSource::Content { bytes, mode, uid, gid }) => {
                let file = job.workshop.file(bytes.expose(), *mode, *uid, *gid)?;
                job.bind(&file, Kind::File, true)?;
            }
            (Source::Inside, MountSource::Tmpfs { size, mode }) => job.tmpfs(*size, *mode)?,
            // `Sources::open` makes the others paths and unions
            (Source::Inside, _) => {}
        }
    }
    Ok(())
}

pub(super) fn names(target: &BStr) -> impl Iterator<Item = &[u8]> {
    target.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

/// Whether a mount of the spec stands exactly where a usual one would, and so takes its place.
pub(super) fn replaces(spec: &Spec, usual: &str) -> bool {
    spec.mounts.iter().any(|mount| names(mount.target.as_bstr()).eq(names(usual.into())))
}

/// `/etc/hosts` and `/etc/resolv.conf`.
fn files(
    spec: &Spec,
    sources: &Sources,
    tree: &Tree,
    workshop: &mut Workshop,
    recorder: &mut dyn Recorder,
) -> Result<(), Fault> {
    let hosts = hosts(spec);
    let files = [("/etc/hosts", Some(hosts.as_bytes())), ("/etc/resolv.conf", sources.resolv_conf.as_deref())];
    for (target, content) in files {
        if let Some(content) = content
            && !replaces(spec, target)
        {
            let file = workshop.file(content, 0o644, 0, 0)?;
            Job { target: target.into(), tree, workshop, recorder: &mut *recorder }.bind(&file, Kind::File, true)?;
        }
    }
    Ok(())
}

pub(super) fn hosts(spec: &Spec) -> String {
    let mut text = format!("127.0.0.1 localhost {}\n::1 localhost ip6-localhost ip6-loopback\n", spec.hostname);
    for (name, address) in &spec.extra_hosts {
        // writing to a string cannot fail
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

/// One mount on its way to its target.
struct Job<'a> {
    target: &'a BStr,
    tree: &'a Tree,
    workshop: &'a mut Workshop,
    recorder: &'a mut dyn Recorder,
}

/// Where thrown-away writes go.
struct Scratch<'a> {
    on_disk: Option<&'a OwnedFd>,
    number: usize,
}

impl Job<'_> {
    fn bind(&mut self, source: &OwnedFd, kind: Kind, read_only: bool) -> Result<(), Fault> {
        let place = self.place(kind)?;
        let bound = bind(source, &place.fd)?;
        // the place of before is now below the mount
        let mounted = self.tree.find(place.path.as_bstr()).step(|| format!("open {}", self.target))?;
        restrict(&mounted.fd, if read_only { MountFlags::NODEV | MountFlags::RDONLY } else { MountFlags::NODEV })?;
        if read_only && bound == Bound::WithMountsBelow {
            sys::set_mount_read_only(mounted.fd.as_fd(), true).step(|| format!("make {} read-only", self.target))?;
        }
        Ok(())
    }

    fn union(&mut self, lower: &[OwnedFd], path: &BStr, scratch: Option<Scratch<'_>>) -> Result<(), Fault> {
        let read_only = scratch.is_none();
        let union = match scratch {
            None => self.workshop.mounted(|below| overlay::mount(lower, None, below))?,
            Some(scratch) => {
                let (upper, work) = self.scratch_directories(&scratch)?;
                let upper = Upper { upper: &upper, work: &work };
                self.workshop.mounted(|below| overlay::mount(lower, Some(&upper), below))?
            }
        };
        let source = Tree::new(union).find(path).step(|| format!("find {path} for the mount on {}", self.target))?;
        self.bind(&source.fd, source.kind, read_only)
    }

    fn scratch_directories(&mut self, scratch: &Scratch<'_>) -> Result<(OwnedFd, OwnedFd), Fault> {
        let Some(disk) = scratch.on_disk else { return Ok((self.workshop.directory()?, self.workshop.directory()?)) };
        let make = |name: String| -> Result<OwnedFd, Fault> {
            let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
            rustix::fs::mkdirat(disk, &name, Mode::from(0o755)).step(|| "create a scratch directory")?;
            rustix::fs::openat(disk, &name, flags, Mode::empty()).step(|| "open a scratch directory")
        };
        Ok((make(format!("{}-upper", scratch.number))?, make(format!("{}-work", scratch.number))?))
    }

    fn tmpfs(&mut self, size: Option<u64>, mode: u32) -> Result<(), Fault> {
        let place = self.place(Kind::Directory)?;
        let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
        mount_new("tmpfs", &place.fd, MountFlags::NOSUID, &format!("mode={mode:o}{size}"))
            .step(|| format!("mount tmpfs on {}", self.target))
    }

    fn place(&mut self, kind: Kind) -> Result<super::place::Place, Fault> {
        let place = self.tree.ensure(self.target, kind, self.recorder);
        let place = place.step(|| format!("make the mount point {}", self.target))?;
        if place.path.is_empty() {
            // a link of the image back to the root
            return Err(Fault::Invalid(format!("the mount target `{}` is the root directory", self.target)));
        }
        if place.kind != kind {
            let error = if kind == Kind::File { Errno::ISDIR } else { Errno::NOTDIR };
            return Err(error).step(|| format!("mount on {}", self.target));
        }
        Ok(place)
    }
}

/// What came along with a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Alone,
    WithMountsBelow,
}

/// Shows one place at another.
pub(super) fn bind(source: &OwnedFd, target: &OwnedFd) -> Result<Bound, Fault> {
    let (from, to) = (name_of(source), name_of(target));
    match rustix::mount::mount_bind(&from, &to) {
        // in a user namespace mounts of the host below the source must not be left out
        Err(Errno::INVAL) => rustix::mount::mount_bind_recursive(&from, &to).map(|()| Bound::WithMountsBelow),
        other => other.map(|()| Bound::Alone),
    }
    .step(|| "bind a file or directory")
}

/// Adds restrictions to a mount and keeps those that it has, which a user namespace could not take away.
pub(super) fn restrict(mount: &OwnedFd, add: MountFlags) -> Result<(), Fault> {
    let has = rustix::fs::fstatvfs(mount).step(|| "look at a mount")?.f_flag;
    let mut flags = MountFlags::BIND | add;
    for (has_flag, flag) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if has.contains(has_flag) {
            flags |= flag;
        }
    }
    rustix::mount::mount_remount(name_of(mount), flags, c"").step(|| "restrict a mount")
}

/// Mounts a file system that has no source.
pub(super) fn mount_new(kind: &str, target: &OwnedFd, flags: MountFlags, options: &str) -> rustix::io::Result<()> {
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(kind, name_of(target), kind, flags, options.as_c_str())
}

#[cfg(test)]
mod tests {
    use super::{hosts, names};
    use crate::spec::{RootFs, Spec};

    #[test]
    fn extra_hosts_follow_the_usual_ones() {
        let mut spec = Spec::new(RootFs::Dir("/".into()));
        spec.extra_hosts.push(("db".to_owned(), "10.0.0.5".to_owned()));
        assert_eq!(
            hosts(&spec),
            "127.0.0.1 localhost plimsoll\n::1 localhost ip6-localhost ip6-loopback\n10.0.0.5 db\n"
        );
    }

    #[test]
    fn parents_are_mounted_before_children() {
        let mut targets = ["/a/b/c", "/a-b", "//a/b/", "/a"];
        targets.sort_by(|a, b| names((*a).into()).cmp(names((*b).into())));
        assert_eq!(targets, ["/a", "//a/b/", "/a/b/c", "/a-b"]);
    }
}
