//! What to run, and where: plain data, written by the caller, read by the helper.

use std::path::PathBuf;

use bstr::BString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::isolation::Isolation;
use crate::secret::Secret;
use crate::wire;

/// Everything that one sandbox needs to know.
///
/// Serialised it carries no secret of the mounts: [`MountSource::Content`] is written as its length, the bytes travel beside
/// it. The environment is written as it is, with whatever secrets it holds: a serialised spec goes to the helper and nowhere
/// else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// What keeps the command apart from the rest of the machine.
    pub isolation: Isolation,
    /// The file system that becomes `/`; with [`Isolation::Chroot`] a [`RootFs::Dir`], which has to be thrown away when the
    /// run ends with [`SandboxError::Helper`](crate::SandboxError::Helper): what was put into it may still be there.
    pub root: RootFs,
    /// The program and its arguments; a program without `/` is looked up in `PATH` inside the container.
    pub args: Vec<BString>,
    /// The whole environment as `NAME=value`; only `HOME` is added, and only where it is missing. Values may be secrets.
    pub env: Vec<BString>,
    /// The working directory, absolute.
    pub cwd: BString,
    /// `user[:group]`, names or numbers, as in a Dockerfile's USER; empty is root.
    pub user: String,
    /// The host name seen inside.
    pub hostname: String,
    /// Mounts besides the usual `/proc`, `/dev` and `/sys`; a mount below another mount may stand anywhere in the list.
    pub mounts: Vec<Mount>,
    /// What of the network is seen.
    pub network: Network,
    /// Whether the host's name servers are used.
    pub resolv_conf: ResolvConf,
    /// Further lines of `/etc/hosts`: name and address.
    pub extra_hosts: Vec<(String, String)>,
    /// Lets `fsync` and its relatives return at once without effect: for file systems that nobody needs after a crash.
    pub skip_fsync: bool,
    /// Bytes in `/dev/shm`.
    pub shm_size: u64,
    /// Resource limits that differ from the caller's own.
    pub ulimits: Vec<Ulimit>,
    /// Makes a missing working directory (0755, root) instead of failing; it stays in the file system.
    pub create_cwd: bool,
    /// Standard output is a terminal, which becomes the command's own, and its standard input too:
    /// [`run_on_terminal`](crate::run_on_terminal) sets it, for all others it is an error.
    pub terminal: bool,
    /// Sets `no_new_privs`, which switches off `sudo` and other set-user-ID programs.
    pub no_new_privs: bool,
    /// The program of an OCI runtime that changes the root, drops rights and executes the command, in the place of plim;
    /// absolute. Its own failures look like those of the command, with what it says on standard error. Not with
    /// [`Isolation::Chroot`].
    pub runtime: Option<PathBuf>,
}

impl Spec {
    /// A spec with the defaults of a build step: root, `/`, host network, 64 MiB of shared memory.
    pub fn new(root: RootFs) -> Self {
        Self {
            isolation: Isolation::Namespaces,
            root,
            args: Vec::new(),
            env: Vec::new(),
            cwd: BString::from("/"),
            user: String::new(),
            hostname: "plimsoll".to_owned(),
            mounts: Vec::new(),
            network: Network::Host,
            resolv_conf: ResolvConf::Host,
            extra_hosts: Vec::new(),
            skip_fsync: false,
            shm_size: 64 << 20,
            ulimits: Vec::new(),
            create_cwd: true,
            terminal: false,
            no_new_privs: false,
            runtime: None,
        }
    }

    /// Overwrites what may be a secret: contents of mounts and the environment. Nothing can be started from it afterwards.
    pub(crate) fn forget_secrets(&mut self) {
        // contents overwrite themselves when they are dropped
        self.mounts.clear();
        for variable in &mut self.env {
            variable.as_mut_slice().zeroize();
        }
        self.env.clear();
    }
}

/// The file system that becomes `/` of the container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RootFs {
    /// A directory, used in place and written to.
    Dir(#[serde(with = "wire::path")] PathBuf),
    /// An overlay. `upper` gets the changes and nothing else: no trace of mounts remains in it.
    Overlay {
        /// Read-only directories, topmost first, at least one.
        #[serde(with = "wire::paths")]
        lower: Vec<PathBuf>,
        /// Gets the changes; usually empty at first. An empty one takes mode, owner and time from the topmost lower.
        #[serde(with = "wire::path")]
        upper: PathBuf,
        /// Working space of overlayfs on the file system of `upper`; emptied afterwards.
        #[serde(with = "wire::path")]
        work: PathBuf,
    },
    /// Directories merged and never written to.
    ReadOnly {
        /// Topmost first, at least one.
        #[serde(with = "wire::paths")]
        lower: Vec<PathBuf>,
    },
}

/// Something mounted into the container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// Where, absolute in the container. Symbolic links are followed inside the root only; what is missing is made
    /// for the time of the run.
    pub target: BString,
    /// What.
    pub source: MountSource,
}

/// What a [`Mount`] shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or directory of the host. The caller has resolved it: symbolic links in it are followed on the host.
    Bind {
        /// The file or directory.
        #[serde(with = "wire::path")]
        path: PathBuf,
        /// Whether the container may not write to it.
        read_only: bool,
    },
    /// A file or directory of the host that can be written to, on the file system of the root. Where nothing can be
    /// mounted it is moved into the root for the time of the run, and is lost when the machine stops meanwhile.
    Moved {
        /// The file or directory.
        #[serde(with = "wire::path")]
        path: PathBuf,
        /// Whether it is wanted back.
        back: bool,
    },
    /// A file or directory of the host that can be written to; what is written is thrown away.
    Scratch {
        /// The file or directory.
        #[serde(with = "wire::path")]
        path: PathBuf,
    },
    /// A file or directory inside a union of directories (another stage's file system).
    Union {
        /// The union's directories, topmost first, at least one.
        #[serde(with = "wire::paths")]
        lower: Vec<PathBuf>,
        /// The path inside the union; symbolic links are followed inside it only.
        path: BString,
        /// Whether it can be written to; what is written is thrown away.
        writable: bool,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// The most it may hold, in bytes.
        size: Option<u64>,
        /// Its mode, such as 0o1777.
        mode: u32,
    },
    /// A read-only file with these bytes. It lives in memory and is never part of the root file system.
    Content {
        /// The bytes.
        #[serde(with = "wire::secret")]
        bytes: Secret,
        /// Its mode, such as 0o400.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// A resource limit. What the caller itself may not exceed is cut down to what it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The resource in lower case, such as `nofile` or `nproc`; see setrlimit(2).
    pub name: String,
    /// The limit in force; `u64::MAX` is none.
    pub soft: u64,
    /// How far the command may raise it; `u64::MAX` is none.
    pub hard: u64,
}

/// What of the network is seen inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Network {
    /// The host's network.
    #[default]
    Host,
    /// A network of its own, in which only the loopback device is up.
    None,
}

/// Where `/etc/resolv.conf` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ResolvConf {
    /// A read-only copy of the host's.
    #[default]
    Host,
    /// The root file system's own, if it has one.
    None,
}

/// Which output a piece of text was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code; `128 + signal` when a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether the command ended by itself with code 0.
    pub fn success(self) -> bool {
        self.code == 0 && self.signal.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_forgotten_whether_they_are_files_or_variables() {
        let mut spec = Spec::new(RootFs::Dir("/x".into()));
        let bytes = Secret::new(b"hunter2".to_vec());
        spec.mounts =
            vec![Mount { target: "/s".into(), source: MountSource::Content { bytes, mode: 0o400, uid: 0, gid: 0 } }];
        spec.env = vec!["TOKEN=hunter2".into()];
        spec.forget_secrets();
        assert!(spec.mounts.is_empty() && spec.env.is_empty());
    }
}
