//! A client that adds nothing to what a test says, and what HTTP itself asks of the registry.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use plim_testkit::registry::{Registry, Switches};
use serde_json::Value;

/// An answer; status 0 if the connection was lost before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    /// As much of it as came.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the code of the first error in the body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    /// Returns the Location without its host.
    pub(crate) fn location(&self) -> String {
        let text = self.header("location");
        let path = text.strip_prefix("http://").map_or(text, |rest| &rest[rest.find('/').unwrap()..]);
        path.to_owned()
    }
}

/// Sends bytes as they are, and reads until the connection ends.
pub(crate) fn exchange(address: &str, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // the registry may hang up before everything is sent
    drop(stream.write_all(bytes));
    let mut all = Vec::new();
    drop(stream.read_to_end(&mut all));
    parse(&all)
}

fn parse(all: &[u8]) -> Answer {
    let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") else { return Answer::default() };
    let head = std::str::from_utf8(&all[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: all[end + 4..].to_vec() }
}

/// Sends a request on a connection of its own.
pub(crate) fn send(registry: &Registry, line: &str, headers: &[&str], body: &[u8]) -> Answer {
    let address = registry.address();
    let mut bytes = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for header in headers {
        bytes.push_str(&format!("{header}\r\n"));
    }
    if !body.is_empty() {
        bytes.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    bytes.push_str("\r\n");
    exchange(&address, &[bytes.as_bytes(), body].concat())
}

/// Sends a request without a body.
pub(crate) fn ask(registry: &Registry, line: &str) -> Answer {
    send(registry, line, &[], b"")
}

#[test]
fn a_connection_is_used_again_and_a_chunked_body_is_read() {
    let registry = Registry::start();
    let address = registry.address();
    let begun = ask(&registry, "POST /v2/a/blobs/uploads/");
    let patch = format!(
        "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\nPATCH {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\nTrailer: x\r\n\r\n",
        begun.location()
    );
    let first = exchange(&address, patch.as_bytes());
    assert_eq!(first.status, 200);
    let second = parse(&first.body[2..]);
    assert_eq!((second.status, second.header("range")), (202, "0-5"));
    assert_eq!(registry.requests()[2].body_length, 6);
}

#[test]
fn a_body_is_asked_for_only_when_it_is_wanted() {
    let registry = Registry::start();
    let begun = ask(&registry, "POST /v2/a/blobs/uploads/");
    let put = |path: &str| {
        let mut stream = TcpStream::connect(registry.address()).unwrap();
        write!(stream, "PATCH {path} HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        String::from_utf8(start.to_vec()).unwrap()
    };
    assert_eq!(put(&begun.location()), "HTTP/1.1 100");
    assert_eq!(put("/v2/a/blobs/uploads/other"), "HTTP/1.1 404");
}

#[test]
fn nonsense_is_refused() {
    let registry = Registry::start();
    let status = |text: &str| exchange(&registry.address(), text.as_bytes()).status;
    assert_eq!(status("hello\r\n\r\n"), 400);
    assert_eq!(status("GET /v2/ HTTP/1.1\r\nno colon\r\n\r\n"), 400);
    assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000))), 431);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200))), 431);
    assert_eq!(status("PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_eq!(ask(&registry, "GET /v2/UPPER/tags/list").code(), "NAME_INVALID");
    assert_eq!(ask(&registry, "GET /elsewhere").status, 404);
}

#[test]
fn the_next_requests_fail_when_told_to() {
    let registry = Registry::with(Switches { throttle: 2, failing: 1, ..Switches::default() });
    let answers: Vec<Answer> = (0..4).map(|_| ask(&registry, "GET /v2/")).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [429, 429, 503, 200]);
    assert_eq!(answers[0].header("retry-after"), "0");
    assert_eq!(registry.requests().len(), 4);
}

#[test]
fn a_registry_ends_with_its_open_connections() {
    let registry = Registry::start();
    let mut idle = TcpStream::connect(registry.address()).unwrap();
    ask(&registry, "GET /v2/");
    drop(registry);
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
}
