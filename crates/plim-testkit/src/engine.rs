//! A container engine on a socket, for tests: the two requests by which images go out and come in, with troubles on
//! demand. Docker's and Podman's paths are both understood.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// Bytes of a chunk that is sent.
const CHUNK: usize = 10_000;

/// What the next request meets, once each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hitch {
    /// It is answered with a status and a message.
    Status(u16, String),
    /// The answer ends after so many bytes of its body, without the last chunk.
    Cut(usize),
    /// A load is answered with 200 and an error in the body, as Docker does when it fails late.
    LateError(String),
    /// So many bytes of a load are read, then the connection ends without an answer.
    HangUp(usize),
}

#[derive(Debug, Default)]
struct State {
    images: BTreeMap<String, Vec<u8>>,
    hitches: VecDeque<Hitch>,
    loaded: Vec<Vec<u8>>,
    broken_loads: usize,
    requests: Vec<String>,
    ending: bool,
}

/// An engine; ends when dropped.
#[derive(Debug)]
pub struct ContainerEngine {
    dir: TempDir,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl ContainerEngine {
    /// Starts an engine without images.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = UnixListener::bind(dir.path().join("engine.sock")).expect("a socket can be made");
        let state = Arc::new(Mutex::new(State::default()));
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for stream in listener.incoming().flatten() {
                    if lock(&state).ending {
                        return;
                    }
                    // a client that goes away is part of many tests
                    drop(serve(&stream, &state));
                }
            }
        });
        Self { dir, state, thread: Some(thread) }
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("engine.sock")
    }

    /// Returns the address as `DOCKER_HOST` has it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Gives the engine an image: what `docker save` would write.
    pub fn image(&self, name: &str, archive: impl Into<Vec<u8>>) {
        lock(&self.state).images.insert(name.to_owned(), archive.into());
    }

    /// Adds a hitch for the next request; several come one after the other.
    pub fn hitch(&self, hitch: Hitch) {
        lock(&self.state).hitches.push_back(hitch);
    }

    /// Returns the archives that were loaded whole.
    pub fn loaded(&self) -> Vec<Vec<u8>> {
        lock(&self.state).loaded.clone()
    }

    /// Returns how many loads ended before their end.
    pub fn broken_loads(&self) -> usize {
        lock(&self.state).broken_loads
    }

    /// Returns method and target of all requests.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

impl Drop for ContainerEngine {
    fn drop(&mut self) {
        lock(&self.state).ending = true;
        // wakes the thread that waits for a connection
        drop(UnixStream::connect(self.socket()));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test panics while it serves")
}

fn serve(mut stream: &UnixStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (request, chunked) = head(&mut reader)?;
    let hitch = {
        let mut state = lock(state);
        state.requests.push(request.clone());
        state.hitches.pop_front()
    };
    if let Some(Hitch::Status(status, message)) = &hitch {
        return answer(stream, *status, &serde_json::json!({ "message": message }).to_string());
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v4.0.0/libpod").unwrap_or(path);
    if let Some(name) = path.strip_prefix("/images/").and_then(|rest| rest.strip_suffix("/get")) {
        let Some(archive) = lock(state).images.get(name).cloned() else {
            return answer(stream, 404, &serde_json::json!({ "message": "No such image" }).to_string());
        };
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let cut = if let Some(Hitch::Cut(cut)) = hitch { Some(cut) } else { None };
        for chunk in archive[..cut.unwrap_or(archive.len()).min(archive.len())].chunks(CHUNK) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        return if cut.is_none() { stream.write_all(b"0\r\n\r\n") } else { Ok(()) };
    }
    if path == "/images/load" && chunked {
        let limit = if let Some(Hitch::HangUp(limit)) = hitch { limit } else { usize::MAX };
        return match body(&mut reader, limit) {
            Ok(_) if limit < usize::MAX => Ok(()),
            Ok(archive) => {
                lock(state).loaded.push(archive);
                let said = if let Some(Hitch::LateError(text)) = hitch {
                    serde_json::json!({ "errorDetail": { "message": text }, "error": text })
                } else {
                    serde_json::json!({ "stream": "Loaded image\n" })
                };
                answer(stream, 200, &format!("{{\"status\":\"loading\"}}\r\n{said}\r\n"))
            }
            Err(error) => {
                lock(state).broken_loads += 1;
                Err(error)
            }
        };
    }
    answer(stream, 400, "{\"message\":\"page not found\"}")
}

/// Reads a request's head: method and target, and whether its body comes in chunks.
fn head(reader: &mut impl BufRead) -> io::Result<(String, bool)> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut chunked = false;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        chunked |= line.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
    }
    let mut words = first.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok((format!("{method} {target}"), chunked))
}

/// Reads a body in chunks to its last one, or so many bytes of it.
fn body(reader: &mut impl BufRead, limit: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 || body.len() >= limit {
            return Ok(body);
        }
    }
}

fn answer(mut stream: &UnixStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Makes a socket on which nobody listens any more.
pub fn dead_socket(dir: &Path) -> PathBuf {
    let path = dir.join("dead.sock");
    // the file stays when the listener goes
    drop(UnixListener::bind(&path).expect("a socket can be made"));
    path
}
