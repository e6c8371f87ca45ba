//! Images of container engines on this machine, over the sockets on which they listen.
//!
//! Docker: `GET /images/{name}/get` and `POST /images/load` of the Engine API
//! (<https://docs.docker.com/reference/api/engine/>). Podman: the same of its own API, whose short names mean what they
//! mean to `podman` (<https://docs.podman.io/en/latest/_static/api.html>).

use std::fs::File;
use std::io::{self, BufWriter, PipeReader, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use ureq::http::Method;

use crate::BlobError;
use crate::archive::Archive;
use crate::http::unix;
use crate::location::Engine;

mod error;

pub use error::DaemonError;

/// Bytes of an answer that says how a load went.
const MAX_ANSWER: u64 = 16 << 20;
/// Bytes of an error's body that are looked at.
const MAX_ERROR: u64 = 64 << 10;
/// Bytes written to the pipe at once.
const BUFFER: usize = 256 << 10;

/// Where an engine listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets {
    /// `$DOCKER_HOST` or `$CONTAINER_HOST`, if it is set: `unix:///path`.
    pub given: Option<String>,
    /// Where it listens otherwise; the first that is there counts.
    pub usual: Vec<PathBuf>,
}

/// An engine on this machine.
#[derive(Debug, Clone)]
pub struct Daemon {
    engine: Engine,
    socket: PathBuf,
}

impl Daemon {
    /// Finds the socket of an engine; nothing is sent.
    pub fn find(engine: Engine, sockets: &Sockets) -> Result<Self, DaemonError> {
        let socket = match &sockets.given {
            Some(address) => {
                let path = address.strip_prefix("unix://").filter(|path| path.starts_with('/'));
                path.map(PathBuf::from).ok_or_else(|| DaemonError::Address { engine, address: address.clone() })?
            }
            None => sockets.usual.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
                let tried: Vec<String> = sockets.usual.iter().map(|path| path.display().to_string()).collect();
                DaemonError::NotThere { engine, tried: tried.join(", ") }
            })?,
        };
        Ok(Self { engine, socket })
    }

    /// Brings an image as an archive, by way of an empty file, which may have no name. The stream goes to the disk as it
    /// comes.
    pub fn fetch(&self, image: &str, file: File) -> Result<Archive, DaemonError> {
        let target = match self.engine {
            Engine::Docker => format!("/images/{image}/get"),
            Engine::Podman => format!("/v4.0.0/libpod/images/{image}/get?format=docker-archive"),
        };
        let answer = unix::send(&self.socket, Method::GET, &target, None).map_err(|error| self.unreachable(error))?;
        match answer.status().as_u16() {
            200 => {
                let mut end = Ended::default();
                let body = Watched { inner: answer.into_body().into_reader(), end: &mut end };
                let place = format!("{}:{image}", self.engine.scheme());
                let archive = Archive::from_reader_by(body, file, &place);
                // an archive that was cut off is no archive, and why is the better message
                match end.fault {
                    Some(source) => Err(DaemonError::Broken { engine: self.engine, source }),
                    None => Ok(archive?),
                }
            }
            404 => Err(DaemonError::NoImage { engine: self.engine, image: image.to_owned() }),
            status => {
                let reason = reason(answer.into_body().into_reader());
                Err(DaemonError::Refused { engine: self.engine, action: "give an image", status, reason })
            }
        }
    }

    /// Hands an archive of Docker's kind to the engine while `write` writes it.
    pub fn load(&self, write: &(dyn Fn(&mut dyn Write) -> Result<(), BlobError> + Sync)) -> Result<(), DaemonError> {
        let target = match self.engine {
            Engine::Docker => "/images/load?quiet=1",
            Engine::Podman => "/v4.0.0/libpod/images/load",
        };
        let (reader, pipe) = io::pipe().map_err(|error| self.unreachable(error))?;
        let outcome: Mutex<Option<Result<(), BlobError>>> = Mutex::new(None);
        let note = |result| *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut out = BufWriter::with_capacity(BUFFER, pipe);
                let result = write(&mut out).and_then(|()| {
                    let fail =
                        |source| BlobError::Io { action: "write to", path: self.engine.name().to_owned(), source };
                    out.flush().map_err(fail)
                });
                // before the pipe ends: whoever reads it must know then whether that was all
                note(result);
                drop(out);
            });
            let mut body = Piped { inner: reader, outcome: &outcome };
            let answer = unix::send(&self.socket, Method::POST, target, Some(&mut body));
            // a writer that nobody reads any more must not wait for ever
            drop(body);
            answer
        });
        let written = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answer = match (answer, written) {
            (Ok(answer), Some(Ok(()))) => answer,
            // it may have said why before all was sent
            (Ok(answer), _) if answer.status().as_u16() >= 400 => answer,
            (Err(error), Some(Err(failure))) if !is_broken_pipe(&failure) => {
                tracing::debug!(%error, "the transfer was given up");
                return Err(failure.into());
            }
            (Err(error), _) => return Err(self.unreachable(error)),
            (Ok(_), Some(Err(failure))) => return Err(failure.into()),
            (Ok(_), None) => return Err(self.unreachable(io::ErrorKind::UnexpectedEof.into())),
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().into_reader();
        let refused = |reason| DaemonError::Refused { engine: self.engine, action: "take an image", status, reason };
        if status != 200 {
            return Err(refused(reason(body)));
        }
        match fault_in(body) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(refused(reason)),
            Err(source) => Err(DaemonError::Broken { engine: self.engine, source }),
        }
    }

    fn unreachable(&self, source: io::Error) -> DaemonError {
        DaemonError::Unreachable { engine: self.engine, socket: self.socket.display().to_string(), source }
    }
}

fn is_broken_pipe(failure: &BlobError) -> bool {
    matches!(failure, BlobError::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

/// Why a stream ended, unless it was whole.
#[derive(Default)]
struct Ended {
    fault: Option<io::Error>,
}

struct Watched<'a, R> {
    inner: R,
    end: &'a mut Ended,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            self.end.fault = Some(io::Error::new(error.kind(), error.to_string()));
        })
    }
}

/// The archive as a request's body. It ends well only if it was written well.
struct Piped<'a> {
    inner: PipeReader,
    outcome: &'a Mutex<Option<Result<(), BlobError>>>,
}

impl Read for Piped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*outcome, Some(Ok(()))) {
                return Err(io::Error::other("the image could not be written"));
            }
        }
        Ok(count)
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message: String,
}

/// Reads what an engine says about a refusal.
fn reason(body: impl Read) -> String {
    let mut bytes = Vec::new();
    if body.take(MAX_ERROR).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let message = serde_json::from_slice::<Message>(&bytes).map(|said| said.message).unwrap_or_default();
    shown(&message)
}

fn shown(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(500).collect()
}

#[derive(Deserialize)]
struct Progress {
    #[serde(default)]
    error: Option<String>,
}

/// Looks for a failure in the answer to a load: JSON values one after another, of which one may be an error although
/// the status said that all is well.
fn fault_in(body: impl Read) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    body.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Progress>();
    // what is no JSON is chatter
    let fault = values.map_while(Result::ok).find_map(|progress| progress.error);
    Ok(fault.map(|text| shown(&text)))
}
