//! Answers, and how they go out.

use std::io::{self, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer.
    Reply(Reply),
    /// The connection is lost.
    Reset,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    content: Arc<Vec<u8>>,
    /// The part of the content that is sent.
    range: Range<usize>,
    /// The connection ends after so many bytes of the body.
    cut: Option<u64>,
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Arc::default(), range: 0..0, cut: None }
    }

    /// An error in the form of the specification ("Error Codes").
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).json(&json!({"errors": [{"code": code, "message": message, "detail": null}]}))
    }

    pub(super) fn json(self, value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        self.header("Content-Type", "application/json").content(Arc::new(bytes))
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn content(mut self, content: Arc<Vec<u8>>) -> Self {
        self.range = 0..content.len();
        self.content = content;
        self
    }

    /// Sends a part of the content only.
    pub(super) fn part(mut self, range: Range<usize>) -> Self {
        self.range = range;
        self
    }

    pub(super) fn cut(mut self, cut: Option<u64>) -> Self {
        self.cut = cut;
        self
    }

    /// Sends the answer; false if the connection ends with it.
    pub(super) fn send(&self, mut stream: &TcpStream, way: &Way) -> io::Result<bool> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        head.push_str("Docker-Distribution-API-Version: registry/2.0\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.status, 204 | 304) {
            head.push_str(&format!("Content-Length: {}\r\n", self.range.len()));
        }
        if way.last {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        if way.head_only {
            return Ok(!way.last);
        }
        let body = &self.content[self.range.clone()];
        let sent = self.cut.map_or(body.len(), |cut| body.len().min(usize::try_from(cut).unwrap_or(usize::MAX)));
        for piece in body[..sent].chunks(PIECE) {
            if let Some(pause) = way.slow {
                std::thread::sleep(pause);
            }
            stream.write_all(piece)?;
        }
        Ok(self.cut.is_none() && !way.last)
    }
}

/// Bytes that are sent or received at once.
pub(super) const PIECE: usize = 64 << 10;

/// How an answer is sent.
#[derive(Debug)]
pub(super) struct Way {
    /// Without its body.
    pub(super) head_only: bool,
    /// And nothing after it.
    pub(super) last: bool,
    /// With a pause before each piece of the body.
    pub(super) slow: Option<Duration>,
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
