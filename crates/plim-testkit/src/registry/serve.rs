//! Connections, their threads, and the way of a request through the switches.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::reply::{Outcome, Reply, Way};
use super::route::{Endpoint, is_name};
use super::wire::{Body, Head, NoHead, read_head};
use super::{Request, Shared, auth, blobs, lists, manifests, uploads};

/// How one of the ports answers.
type Answer = fn(&Shared, &Head, &mut Body<'_>) -> io::Result<Outcome>;

/// Listens on a free port.
pub(super) fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = listener.local_addr().expect("a bound listener has an address").to_string();
    (listener, address)
}

/// A thread that takes connections; all of them end when it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    address: String,
    connections: Arc<Mutex<Connections>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Connections {
    ending: bool,
    counter: u64,
    open: BTreeMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn start(listener: TcpListener, shared: Arc<Shared>, answer: Answer) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let connections = Arc::new(Mutex::new(Connections::default()));
        let thread = std::thread::spawn({
            let connections = Arc::clone(&connections);
            move || {
                for stream in listener.incoming().flatten() {
                    if !accept(stream, &connections, &shared, answer) {
                        return;
                    }
                }
            }
        });
        Self { address, connections, thread: Some(thread) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        lock(&self.connections).ending = true;
        // wakes the thread that waits for a connection
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        let threads = {
            let mut connections = lock(&self.connections);
            for stream in connections.open.values() {
                drop(stream.shutdown(Shutdown::Both));
            }
            std::mem::take(&mut connections.threads)
        };
        for thread in threads {
            drop(thread.join());
        }
    }
}

fn lock(connections: &Mutex<Connections>) -> std::sync::MutexGuard<'_, Connections> {
    connections.lock().expect("nothing panics with the connections")
}

/// Starts the thread of a connection; false when it is over.
fn accept(stream: TcpStream, connections: &Arc<Mutex<Connections>>, shared: &Arc<Shared>, answer: Answer) -> bool {
    let mut open = lock(connections);
    if open.ending {
        return false;
    }
    let Ok(copy) = stream.try_clone() else { return true };
    open.counter += 1;
    let id = open.counter;
    open.open.insert(id, copy);
    open.threads.retain(|thread| !thread.is_finished());
    let (connections, shared) = (Arc::clone(connections), Arc::clone(shared));
    open.threads.push(std::thread::spawn(move || {
        // a client that goes away is part of many tests
        drop(serve(stream, &shared, answer));
        // nobody holds the connection any more, so it ends; unread bytes make that a reset
        lock(&connections).open.remove(&id);
    }));
    true
}

fn serve(stream: TcpStream, shared: &Shared, answer: Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let refuse = |status| {
        let way = Way { head_only: false, last: true, slow: None };
        Reply::error(status, "UNSUPPORTED", "this is no request").send(&out, &way)?;
        out.shutdown(Shutdown::Both)
    };
    loop {
        let head = match read_head(&mut reader) {
            Ok(head) => head,
            Err(NoHead::End) => return out.shutdown(Shutdown::Both),
            Err(NoHead::Bad(status)) => return refuse(status),
        };
        let number = record(shared, &head);
        let mut body = match Body::new(&mut reader, &head) {
            Ok(body) => body,
            Err(status) => return refuse(status),
        };
        let outcome = answer(shared, &head, &mut body);
        let goes_on = matches!(outcome, Ok(Outcome::Reply(_))) && body.drain().unwrap_or(false);
        if let Some(request) = shared.state().requests.get_mut(number) {
            request.body_length = body.read;
        }
        match outcome? {
            Outcome::Reset => return out.shutdown(Shutdown::Both),
            Outcome::Reply(reply) => {
                let asked = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                let slow = shared.switches().slow;
                let way = Way { head_only: head.method == "HEAD", last: asked || !goes_on, slow };
                if !reply.send(&out, &way)? {
                    return out.shutdown(Shutdown::Both);
                }
            }
        }
    }
}

fn record(shared: &Shared, head: &Head) -> usize {
    let mut state = shared.state();
    state.requests.push(Request {
        method: head.method.clone(),
        path: head.target.clone(),
        headers: head.headers.clone(),
        body_length: 0,
    });
    state.requests.len() - 1
}

/// Returns the answer of a registry that wants to be left alone.
fn passing_trouble(shared: &Shared) -> Option<Reply> {
    let mut switches = shared.switches();
    if switches.throttle > 0 {
        switches.throttle -= 1;
        return Some(Reply::error(429, "TOOMANYREQUESTS", "too many requests").header("Retry-After", "0"));
    }
    if switches.failing > 0 {
        switches.failing -= 1;
        return Some(Reply::error(503, "UNAVAILABLE", "service unavailable"));
    }
    None
}

/// Answers on the port of the registry.
pub(super) fn registry(shared: &Shared, head: &Head, body: &mut Body<'_>) -> io::Result<Outcome> {
    if let Some(reply) = passing_trouble(shared) {
        return Ok(reply.into());
    }
    let endpoint = Endpoint::of(&head.path);
    let switches = shared.switches().clone();
    if endpoint == Endpoint::Token {
        let reply = auth::token(&switches.auth, shared, head, body)?;
        return Ok(reply.into());
    }
    let mirrored = switches.ns_required.as_deref().is_none_or(|ns| head.parameter("ns") == Some(ns));
    if !mirrored && endpoint != Endpoint::Ping {
        return Ok(Reply::error(404, "NAME_UNKNOWN", "this is a mirror of something else").into());
    }
    if let Some(reply) = auth::check(&switches.auth, &shared.state(), head, &endpoint.needs(head), &shared.address) {
        return Ok(reply.into());
    }
    if endpoint.repository().is_some_and(|name| !is_name(name)) {
        return Ok(Reply::error(400, "NAME_INVALID", "invalid repository name").into());
    }
    let reads = matches!(head.method.as_str(), "GET" | "HEAD");
    let reply = match &endpoint {
        Endpoint::Manifest { name, reference } => manifests::answer(shared, head, body, name, reference)?,
        Endpoint::Blob { name, digest } => blobs::answer(shared, head, name, digest),
        Endpoint::Uploads { name } => uploads::begin(shared, head, name),
        Endpoint::Upload { name, id } => return Ok(uploads::answer(shared, head, body, name, id)),
        Endpoint::Unknown | Endpoint::Token => Reply::error(404, "UNSUPPORTED", "there is no such endpoint"),
        _ if !reads => Reply::error(405, "UNSUPPORTED", "GET"),
        Endpoint::Ping => Reply::new(200).json(&serde_json::json!({})),
        Endpoint::Catalog => lists::catalog(shared, head),
        Endpoint::Tags { name } => lists::tags(shared, head, name),
        Endpoint::Referrers { name, digest } => lists::referrers(shared, head, name, digest),
    };
    Ok(reply.into())
}

/// Answers on the port to which blobs are redirected.
#[expect(clippy::unnecessary_wraps, reason = "both ports have one type")]
pub(super) fn storage(shared: &Shared, head: &Head, _: &mut Body<'_>) -> io::Result<Outcome> {
    Ok(passing_trouble(shared).unwrap_or_else(|| blobs::answer_storage(shared, head)).into())
}
