//! HTTP/1.1 as a server: heads and bodies of requests, in bounded memory.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Bytes of a line of the head.
const MAX_LINE: u64 = 16 << 10;
/// Header fields of a request.
const MAX_FIELDS: usize = 100;

/// What comes before the body.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) method: String,
    /// Path and query as they came.
    pub(super) target: String,
    /// Path, still encoded.
    pub(super) path: String,
    /// Parameters of the query, decoded, in order.
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case; a repeated field's values are joined with commas.
    pub(super) headers: BTreeMap<String, String>,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the first value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no head.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The connection ended, or broke.
    End,
    /// It makes no sense, and gets this status.
    Bad(u16),
}

impl From<io::Error> for NoHead {
    fn from(_: io::Error) -> Self {
        Self::End
    }
}

pub(super) fn read_head(reader: &mut impl BufRead) -> Result<Head, NoHead> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(NoHead::Bad(400));
    };
    if !target.starts_with('/') || method.is_empty() {
        return Err(NoHead::Bad(400));
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for count in 0.. {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        if count == MAX_FIELDS {
            return Err(NoHead::Bad(431));
        }
        let (name, value) = line.split_once(':').ok_or(NoHead::Bad(400))?;
        let value = value.trim();
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Head {
        method: method.to_owned(),
        target: target.to_owned(),
        path: path.to_owned(),
        query: parse_form(query),
        headers,
    })
}

fn read_line(reader: &mut impl BufRead) -> Result<String, NoHead> {
    let mut line = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.len() as u64 == MAX_LINE {
        return Err(NoHead::Bad(431));
    }
    if line.pop() != Some(b'\n') {
        return Err(NoHead::End);
    }
    line.pop_if(|byte| *byte == b'\r');
    String::from_utf8(line).map_err(|_| NoHead::Bad(400))
}

/// Parses `a=b&c=d`, decoded.
pub(super) fn parse_form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Decodes `%41`.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encodes what a query may not hold as it is.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                encoded.push(byte.into());
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// So many bytes of the current chunk are still to come.
    Chunked(u64),
    /// Nothing more comes.
    Done,
}

/// The body of a request, read as it comes.
#[derive(Debug)]
pub(super) struct Body<'a> {
    reader: &'a mut BufReader<TcpStream>,
    framing: Framing,
    /// The length, where the head says it.
    pub(super) length: Option<u64>,
    /// The client waits to be told that the body is wanted.
    waits: bool,
    first_chunk: bool,
    /// Bytes read so far.
    pub(super) read: u64,
}

impl<'a> Body<'a> {
    /// Returns the body after a head; a status if the head contradicts itself.
    pub(super) fn new(reader: &'a mut BufReader<TcpStream>, head: &Head) -> Result<Self, u16> {
        let (framing, length) = match (head.header("transfer-encoding"), head.header("content-length")) {
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => (Framing::Chunked(0), None),
            (None, Some(length)) => {
                let length = length.parse().map_err(|_| 400_u16)?;
                (if length == 0 { Framing::Done } else { Framing::Length(length) }, Some(length))
            }
            (None, None) => (Framing::Done, Some(0)),
            _ => return Err(400),
        };
        let waits = head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            && !matches!(framing, Framing::Done);
        Ok(Self { reader, framing, length, waits, first_chunk: true, read: 0 })
    }

    /// Says whether something was announced that has not come.
    pub(super) fn is_pending(&self) -> bool {
        !matches!(self.framing, Framing::Done)
    }

    /// Reads the rest and forgets it. False if the client was not told to send it, and so the connection is of no
    /// more use.
    pub(super) fn drain(&mut self) -> io::Result<bool> {
        if self.waits {
            return Ok(false);
        }
        io::copy(self, &mut io::sink())?;
        Ok(true)
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        if !self.first_chunk && !read_line(self.reader).map_err(|_| broken())?.is_empty() {
            return Err(broken());
        }
        self.first_chunk = false;
        let line = read_line(self.reader).map_err(|_| broken())?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| broken())?;
        self.framing = Framing::Chunked(size);
        if size == 0 {
            for _ in 0..MAX_FIELDS {
                if read_line(self.reader).map_err(|_| broken())?.is_empty() {
                    self.framing = Framing::Done;
                    return Ok(());
                }
            }
            return Err(broken());
        }
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if std::mem::take(&mut self.waits) {
            self.reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if matches!(self.framing, Framing::Chunked(0)) {
            self.next_chunk()?;
        }
        let left = match self.framing {
            Framing::Done => return Ok(0),
            Framing::Length(left) | Framing::Chunked(left) => left,
        };
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read += count as u64;
        self.framing = match self.framing {
            Framing::Length(left) if left == count as u64 => Framing::Done,
            Framing::Length(left) => Framing::Length(left - count as u64),
            Framing::Chunked(left) => Framing::Chunked(left - count as u64),
            Framing::Done => Framing::Done,
        };
        Ok(count)
    }
}
