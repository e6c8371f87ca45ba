//! SSH agents for `RUN --mount=type=ssh`.
//!
//! A step never reaches the user's own agent: it talks to a socket of the build, which passes on questions for identities
//! and signatures and nothing else. A step cannot add keys to the agent, remove or lock them.

mod keys;
mod protocol;
mod socket;

use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use keys::Key;
pub(crate) use socket::AgentSocket;

/// The largest file that is read as a key, in bytes.
const LARGEST_KEY: u64 = 64 << 10;

/// What answers the questions of a step: an agent that runs, or keys from files.
#[derive(Debug)]
pub struct SshAgent(Source);

#[derive(Debug)]
enum Source {
    /// An agent behind a socket.
    Agent(PathBuf),
    /// Keys that this process holds.
    Keys(Vec<Key>),
}

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The file cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Nobody answers behind the socket.
    #[error("no agent answers at {path}")]
    NoAgent {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is no key that can be used.
    #[error("{path} is no SSH key that plim can use: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// A socket stands beside other files.
    #[error("{path} is the socket of an agent, and cannot be joined with other keys")]
    Mixed {
        /// The socket.
        path: PathBuf,
    },
}

impl SshError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key { hint, .. } => hint.clone(),
            Self::NoAgent { .. } => Some(
                "start one with `eval $(ssh-agent)` and give it a key with `ssh-add`, or name a key: --ssh ID=KEYFILE"
                    .to_owned(),
            ),
            Self::Read { .. } => Some("--ssh takes default, ID=SOCKET or ID=KEYFILE".to_owned()),
            Self::Mixed { .. } => Some("give it an ID of its own: --ssh ID=SOCKET".to_owned()),
        }
    }
}

impl SshAgent {
    /// Opens the socket of an agent, or the files of private keys.
    pub fn open(paths: &[PathBuf]) -> Result<Self, SshError> {
        let mut keys = Vec::new();
        for path in paths {
            let read = |source| SshError::Read { path: path.clone(), source };
            let kind = std::fs::metadata(path).map_err(read)?.file_type();
            if kind.is_socket() {
                if paths.len() > 1 {
                    return Err(SshError::Mixed { path: path.clone() });
                }
                // the socket of an agent that has ended stays; better to know now than by what a step cannot do
                UnixStream::connect(path).map_err(|source| SshError::NoAgent { path: path.clone(), source })?;
                return Ok(Self(Source::Agent(path.clone())));
            }
            keys.push(read_key(path)?);
        }
        Ok(Self(Source::Keys(keys)))
    }
}

fn read_key(path: &Path) -> Result<Key, SshError> {
    let read = |source| SshError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    std::fs::File::open(path).map_err(read)?.take(LARGEST_KEY).read_to_end(&mut text).map_err(read)?;
    let text = plim_sandbox::Secret::new(text);
    Key::parse(text.expose()).map_err(|fault| SshError::Key {
        path: path.to_owned(),
        reason: fault.to_string(),
        hint: fault.hint(path),
    })
}

impl Source {
    /// Answers the questions of one connection until it ends.
    fn serve(&self, mut step: UnixStream) -> io::Result<()> {
        let mut agent = match self {
            Self::Agent(path) => Some(UnixStream::connect(path)?),
            Self::Keys(_) => None,
        };
        while let Some(question) = protocol::read(&mut step)? {
            let answer = match (self, &mut agent) {
                (Self::Agent(_), Some(agent)) if protocol::is_harmless(&question) => {
                    protocol::write(agent, &question)?;
                    protocol::read(agent)?.unwrap_or_else(protocol::failure)
                }
                (Self::Keys(keys), _) => protocol::answer(&question, keys),
                _ => protocol::failure(),
            };
            protocol::write(&mut step, &answer)?;
        }
        Ok(())
    }
}
/// Takes a key out of any bytes and carries on any conversation with it; for tests of robustness.
#[doc(hidden)]
pub fn fuzz(file: &[u8], mut conversation: &[u8]) {
    let keys: Vec<Key> = Key::parse(file).into_iter().collect();
    while let Ok(Some(message)) = protocol::read(&mut conversation) {
        let answer = protocol::answer(&message, &keys);
        assert!(protocol::is_harmless(&message) || answer == protocol::failure(), "only questions are answered");
        let mut sent = Vec::new();
        let received = protocol::write(&mut sent, &answer).and_then(|()| protocol::read(&mut &sent[..]));
        assert_eq!(received.ok().flatten(), Some(answer), "what is sent arrives");
    }
}
