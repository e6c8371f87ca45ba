//! What goes wrong between plim and a container engine.

use std::io;

use crate::BlobError;
use crate::location::Engine;

/// Why an engine did not give or take an image.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Nothing listens where it usually does.
    #[error("{} is not running here: there is no {tried}", .engine.name())]
    NotThere {
        /// The engine.
        engine: Engine,
        /// The sockets that were looked for.
        tried: String,
    },
    /// Its address is not one of a socket in the file system.
    #[error("cannot reach {} at {address}: only unix:// addresses are understood", .engine.name())]
    Address {
        /// The engine.
        engine: Engine,
        /// The address.
        address: String,
    },
    /// The socket does not let us in, or the connection broke.
    #[error("failed to talk to {} on {socket}", .engine.name())]
    Unreachable {
        /// The engine.
        engine: Engine,
        /// The socket.
        socket: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It has no such image.
    #[error("{} has no image {image}", .engine.name())]
    NoImage {
        /// The engine.
        engine: Engine,
        /// The image.
        image: String,
    },
    /// It answered that it would not.
    #[error("{} answered with status {status} when asked to {action}{}", .engine.name(), detail(.reason))]
    Refused {
        /// The engine.
        engine: Engine,
        /// `give an image`, `take an image`.
        action: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The stream ended before its end.
    #[error("{} broke off the transfer", .engine.name())]
    Broken {
        /// The engine.
        engine: Engine,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The image cannot be read or written.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

fn detail(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl DaemonError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        let start = |engine: &Engine| match engine {
            Engine::Docker => "start it, or say where it listens: DOCKER_HOST=unix:///path/to/docker.sock",
            Engine::Podman => {
                "`systemctl --user start podman.socket` or `podman system service` starts its service; \
                 CONTAINER_HOST=unix:///path/to/podman.sock says where it listens"
            }
        };
        let text = match self {
            Self::NotThere { engine, .. } => start(engine).to_owned(),
            Self::Address { engine, .. } => {
                let tool = if *engine == Engine::Docker { "docker" } else { "podman" };
                format!("`{tool} save NAME | plim load -` and `plim save NAME FILE` with `{tool} load` go any way")
            }
            Self::Unreachable { engine, source, .. } => match (engine, source.kind()) {
                (Engine::Docker, io::ErrorKind::PermissionDenied) => {
                    "you may not use its socket: run plim as root, or become a member of the group `docker` \
                     (whoever is, is as good as root)"
                        .to_owned()
                }
                (Engine::Podman, io::ErrorKind::PermissionDenied) => {
                    "you may not use its socket: that of your own session is in $XDG_RUNTIME_DIR/podman".to_owned()
                }
                (_, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => start(engine).to_owned(),
                _ => return None,
            },
            Self::NoImage { engine: Engine::Docker, .. } => "`docker images` lists what it has".to_owned(),
            Self::NoImage { engine: Engine::Podman, .. } => "`podman images` lists what it has".to_owned(),
            Self::Broken { engine, .. } => {
                format!("try again; the log of {} may say more", engine.name())
            }
            Self::Refused { .. } => return None,
            Self::Blob(error) => return error.hint(),
        };
        Some(text)
    }
}
