//! Why a command could not be run.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A refusal of the kernel, shown without the error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemError(i32);

impl SystemError {
    /// The error number.
    pub fn errno(self) -> i32 {
        self.0
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        let mut chars = text.chars();
        match chars.next() {
            Some(first) => write!(f, "{}{}", first.to_lowercase(), chars.as_str()),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl std::error::Error for SystemError {}

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<rustix::io::Errno> for SystemError {
    fn from(error: rustix::io::Errno) -> Self {
        Self(error.raw_os_error())
    }
}

/// What is wrong with a program that cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramFault {
    /// No such file, or nowhere in `PATH`.
    NotFound,
    /// The file is there, the interpreter or dynamic loader that it names is not.
    NoInterpreter,
    /// It may not be executed.
    NotExecutable,
    /// Neither a script nor a program of this machine.
    WrongFormat,
}

/// Why a command could not be run, or its end not be seen. A command that ran and failed is an [`crate::Exit`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A step of building the sandbox was refused.
    #[error("failed to {step}")]
    Setup {
        /// What was tried, such as `mount proc on /proc`.
        step: String,
        /// The kernel's reason.
        #[source]
        source: SystemError,
    },
    /// User namespaces cannot be used.
    #[error("failed to enter a user namespace")]
    Refused {
        /// The kernel's reason.
        #[source]
        source: SystemError,
    },
    /// Neither namespaces nor a changed root directory can be had.
    #[error("failed to keep a command apart from this machine: {reason}")]
    NoIsolation {
        /// Why, for what was asked for or for namespaces.
        reason: String,
    },
    /// The program cannot be started.
    #[error("{}", program_text(program, *fault))]
    Program {
        /// The program as given.
        program: String,
        /// Why.
        fault: ProgramFault,
    },
    /// The user is not known inside.
    #[error("user `{user}` is not in the image's /etc/passwd")]
    UnknownUser {
        /// The name as given.
        user: String,
    },
    /// The group is not known inside.
    #[error("group `{group}` is not in the image's /etc/group")]
    UnknownGroup {
        /// The name as given.
        group: String,
    },
    /// The working directory cannot be made or entered.
    #[error("failed to enter the working directory `{path}`")]
    WorkingDirectory {
        /// The directory as given.
        path: String,
        /// The kernel's reason.
        #[source]
        source: SystemError,
    },
    /// The spec cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// The sandbox's own process ended too early.
    #[error("the sandbox's helper process ended unexpectedly ({0})")]
    Helper(String),
}

fn program_text(program: &str, fault: ProgramFault) -> String {
    match fault {
        ProgramFault::NotFound if program.contains('/') => format!("executable `{program}` not found"),
        ProgramFault::NotFound => format!("executable `{program}` not found in PATH"),
        ProgramFault::NoInterpreter => {
            format!("executable `{program}` exists, but not the interpreter or dynamic loader that it names")
        }
        ProgramFault::NotExecutable => format!("`{program}` is not executable"),
        ProgramFault::WrongFormat => format!("`{program}` is neither a script nor a program of this machine"),
    }
}

impl SandboxError {
    /// What a shell would have returned: 127 for a program that is not there, 126 for one that cannot be executed.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Program { fault: ProgramFault::NotFound | ProgramFault::NoInterpreter, .. } => Some(127),
            Self::Program { .. } => Some(126),
            _ => None,
        }
    }

    /// Whether the image or the command is at fault, not this machine.
    pub fn is_subject(&self) -> bool {
        matches!(
            self,
            Self::Program { .. } | Self::UnknownUser { .. } | Self::UnknownGroup { .. } | Self::WorkingDirectory { .. }
        )
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Setup { step, source } => return setup_hint(step, source.errno()),
            Self::Refused { .. } => {
                "run plim as root, which needs no user namespaces, or allow them (user.max_user_namespaces above 0, \
                 kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
            }
            Self::NoIsolation { .. } => {
                "plim needs user namespaces, or to be root: root without namespaces, as in an ordinary container, works \
                 with --isolation chroot"
            }
            Self::Program { fault: ProgramFault::NotFound, .. } => {
                "install it in an earlier step, or give its full path"
            }
            Self::Program { fault: ProgramFault::NoInterpreter, .. } => {
                "the first line of the script names a missing program, or the program was linked for another C library"
            }
            Self::Program { fault: ProgramFault::NotExecutable, .. } => "make it executable: chmod +x",
            Self::Program { fault: ProgramFault::WrongFormat, .. } => {
                "a script starts with #! and its interpreter; a program must be built for this machine's architecture, or for \
                 one for which the kernel knows an emulator (binfmt_misc; Debian: qemu-user-static)"
            }
            Self::UnknownUser { .. } => "create the user in an earlier step, or give a number",
            Self::UnknownGroup { .. } => "create the group in an earlier step, or give a number",
            Self::WorkingDirectory { .. } | Self::Invalid(_) | Self::Helper(_) => return None,
        };
        Some(text.to_owned())
    }
}

fn setup_hint(step: &str, errno: i32) -> Option<String> {
    let text = match errno {
        libc::EINVAL | libc::EPERM if step.starts_with("switch to user") => {
            "the number is not mapped in this user namespace: give your user a range in /etc/subuid and /etc/subgid \
             and install newuidmap"
        }
        libc::EPERM | libc::EACCES if step.starts_with("mount proc") => {
            "inside a container this needs an unmasked /proc (docker run --security-opt systempaths=unconfined)"
        }
        libc::EPERM | libc::EACCES => {
            "plim needs root or user namespaces; inside a container, allow them \
             (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined, or --privileged)"
        }
        libc::ENODEV if step.starts_with("mount overlay") => "the kernel has no overlayfs: load the module `overlay`",
        libc::EINVAL if step.starts_with("mount overlay") => {
            "the file system of plim's data directory cannot hold an overlay's upper layer (as inside another overlay); \
             put the data directory on ext4, xfs, btrfs or tmpfs, or use --isolation chroot"
        }
        libc::ENOSPC if step.starts_with("create namespaces") => {
            "user.max_*_namespaces is reached: raise it with sysctl"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// A failure inside the helper, on its way to the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    System { step: String, errno: i32 },
    Program { program: String, fault: ProgramFault },
    UnknownUser(String),
    UnknownGroup(String),
    WorkingDirectory { path: String, errno: i32 },
    Invalid(String),
    Helper(String),
}

impl From<Fault> for SandboxError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::System { step, errno } => Self::Setup { step, source: SystemError(errno) },
            Fault::Program { program, fault } => Self::Program { program, fault },
            Fault::UnknownUser(user) => Self::UnknownUser { user },
            Fault::UnknownGroup(group) => Self::UnknownGroup { group },
            Fault::WorkingDirectory { path, errno } => Self::WorkingDirectory { path, source: SystemError(errno) },
            Fault::Invalid(text) => Self::Invalid(text),
            Fault::Helper(text) => Self::Helper(text),
        }
    }
}

impl SandboxError {
    /// The container of a [`crate::Container`] is gone.
    pub(crate) fn ended() -> Self {
        Self::Invalid("the container has ended".to_owned())
    }
}

/// Gives a kernel's refusal the name of what was tried.
pub(crate) trait Step<T> {
    fn step<S: Into<String>>(self, step: impl FnOnce() -> S) -> Result<T, Fault>;
}

impl<T, E: Into<SystemError>> Step<T> for Result<T, E> {
    fn step<S: Into<String>>(self, step: impl FnOnce() -> S) -> Result<T, Fault> {
        self.map_err(|error| Fault::System { step: step().into(), errno: error.into().errno() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, ProgramFault, SandboxError, Step, SystemError};

    #[test]
    fn reasons_are_lowercase_without_numbers() {
        assert_eq!(SystemError(libc::EPERM).to_string(), "operation not permitted");
    }

    #[test]
    fn a_step_names_what_was_tried() {
        let result: Result<(), _> = Err(rustix::io::Errno::PERM).step(|| "mount overlay on /");
        let error = SandboxError::from(result.unwrap_err());
        assert_eq!(error.to_string(), "failed to mount overlay on /");
        assert!(error.hint().unwrap().contains("user namespaces"));
    }

    #[test]
    fn missing_programs_have_the_shells_exit_codes() {
        let of = |fault| SandboxError::from(Fault::Program { program: "x".to_owned(), fault });
        assert_eq!(of(ProgramFault::NotFound).to_string(), "executable `x` not found in PATH");
        assert_eq!(of(ProgramFault::NotFound).exit_code(), Some(127));
        assert_eq!(of(ProgramFault::NotExecutable).exit_code(), Some(126));
    }
}
