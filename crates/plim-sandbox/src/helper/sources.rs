//! Everything of the host that the sandbox needs, opened before anything is mounted.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use bstr::{BString, ByteVec};
use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::place::Kind;
use super::workshop::open_dir;
use crate::error::{Fault, Step};
use crate::spec::{MountSource, ResolvConf, RootFs, Spec};
use crate::stubs::Grounds;

/// The devices that every container has.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// No resolver configuration is longer.
const RESOLV_LIMIT: u64 = 64 << 10;

/// The open files and directories of the host.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) root: Root,
    /// In the order of the spec's mounts.
    pub(super) mounts: Vec<Source>,
    pub(super) devices: Vec<(&'static str, OwnedFd)>,
    pub(super) sys: OwnedFd,
    pub(super) resolv_conf: Option<Vec<u8>>,
    /// A directory on disk for writes that are thrown away.
    pub(super) scratch: Option<OwnedFd>,
}

/// The directories of the root.
#[derive(Debug)]
pub(super) enum Root {
    Dir(OwnedFd),
    Overlay { lower: Vec<OwnedFd>, upper: OwnedFd, work: OwnedFd },
    ReadOnly { lower: Vec<OwnedFd> },
}

/// The host's side of a mount.
#[derive(Debug)]
pub(super) enum Source {
    Path {
        fd: OwnedFd,
        kind: Kind,
        read_only: bool,
    },
    Union {
        lower: Vec<OwnedFd>,
        path: BString,
        writable: bool,
    },
    /// Made inside.
    Inside,
}

impl Sources {
    pub(super) fn open(spec: &Spec) -> Result<Self, Fault> {
        let devices = DEVICES.into_iter().map(|name| Ok((name, open(&Path::new("/dev").join(name))?)));
        Ok(Self {
            root: root(&spec.root)?,
            mounts: spec.mounts.iter().map(|mount| source(&mount.source)).collect::<Result<_, Fault>>()?,
            devices: devices.collect::<Result<_, Fault>>()?,
            sys: open(Path::new("/sys"))?,
            resolv_conf: match spec.resolv_conf {
                ResolvConf::Host => resolv_conf(),
                ResolvConf::None => None,
            },
            scratch: Grounds::scratch(spec).map(|path| open(&path)).transpose()?,
        })
    }
}

fn root(root: &RootFs) -> Result<Root, Fault> {
    Ok(match root {
        RootFs::Dir(dir) => Root::Dir(directory(dir)?),
        RootFs::Overlay { lower, upper, work } => {
            Root::Overlay { lower: directories(lower)?, upper: directory(upper)?, work: directory(work)? }
        }
        RootFs::ReadOnly { lower } => Root::ReadOnly { lower: directories(lower)? },
    })
}

fn source(source: &MountSource) -> Result<Source, Fault> {
    Ok(match source {
        MountSource::Bind { path, read_only } => {
            let (fd, kind) = open_any(path)?;
            Source::Path { fd, kind, read_only: *read_only }
        }
        MountSource::Moved { path, .. } => {
            let (fd, kind) = open_any(path)?;
            Source::Path { fd, kind, read_only: false }
        }
        MountSource::Scratch { path } => match open_any(path)? {
            (fd, Kind::Directory) => Source::Union { lower: vec![fd], path: BString::default(), writable: true },
            // overlays are made of directories: take the file's own
            (_, Kind::File) => {
                let parent = path.parent().unwrap_or(Path::new("/"));
                let name = Vec::from_os_string(path.file_name().unwrap_or_default().to_owned()).unwrap_or_default();
                Source::Union { lower: vec![directory(parent)?], path: name.into(), writable: true }
            }
        },
        MountSource::Union { lower, path, writable } => {
            Source::Union { lower: directories(lower)?, path: path.clone(), writable: *writable }
        }
        MountSource::Tmpfs { .. } | MountSource::Content { .. } => Source::Inside,
    })
}

fn directories(paths: &[std::path::PathBuf]) -> Result<Vec<OwnedFd>, Fault> {
    paths.iter().map(|path| directory(path)).collect()
}

fn directory(path: &Path) -> Result<OwnedFd, Fault> {
    open_dir(path).step(|| format!("open {}", path.display()))
}

fn open(path: &Path) -> Result<OwnedFd, Fault> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .step(|| format!("open {}", path.display()))
}

pub(super) fn open_any(path: &Path) -> Result<(OwnedFd, Kind), Fault> {
    let fd = open(path)?;
    let stat = rustix::fs::fstat(&fd).step(|| format!("read {}", path.display()))?;
    let kind = if FileType::from_raw_mode(stat.st_mode).is_dir() { Kind::Directory } else { Kind::File };
    Ok((fd, kind))
}

/// The host's name servers; a host without any is no error.
pub(super) fn resolv_conf() -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open("/etc/resolv.conf").ok()?.take(RESOLV_LIMIT).read_to_end(&mut text).ok()?;
    Some(text)
}
