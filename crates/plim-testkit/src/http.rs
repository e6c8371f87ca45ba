//! A loopback HTTP server that serves a map of paths, and misbehaves on demand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// What a path does to the next request, once each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Answers with a status, no body, and `Retry-After: 0`.
    Status(u16),
    /// Sends so many bytes of the body and closes the connection.
    Cut(usize),
    /// Sends other bytes than usual, of the same length.
    Garble,
    /// Answers a range request with the whole body.
    IgnoreRange,
    /// Redirects to another address.
    Redirect(String),
}

/// One request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What the request line says: the path, or the whole address where a proxy is asked.
    pub target: String,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Site {
    pages: BTreeMap<String, Vec<u8>>,
    troubles: BTreeMap<String, Vec<Trouble>>,
    requests: Vec<Request>,
}

/// A server on a free port of 127.0.0.1; ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: String,
    site: Arc<Mutex<Site>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server without pages.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let site = Arc::new(Mutex::new(Site::default()));
        let ending = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (site, ending) = (Arc::clone(&site), Arc::clone(&ending));
            move || {
                for stream in listener.incoming().flatten() {
                    if ending.load(Ordering::Relaxed) {
                        return;
                    }
                    let site = Arc::clone(&site);
                    // a client that goes away is part of many tests
                    std::thread::spawn(move || drop(serve(&stream, &site)));
                }
            }
        });
        Self { address, site, ending, thread: Some(thread) }
    }

    /// Serves content at a path such as `/a/b`.
    pub fn page(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.site).pages.insert(path.to_owned(), content.into());
    }

    /// Adds trouble for the next request of a path; several come one after the other.
    pub fn trouble(&self, path: &str, trouble: Trouble) {
        lock(&self.site).troubles.entry(path.to_owned()).or_default().push(trouble);
    }

    /// Returns the address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns all requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.site).requests.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // wakes the thread that waits for a connection
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(site: &Mutex<Site>) -> MutexGuard<'_, Site> {
    site.lock().expect("no test panics while it serves")
}

fn serve(stream: &TcpStream, site: &Mutex<Site>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read_request(&mut reader)? {
        let (page, trouble) = {
            let mut site = lock(site);
            site.requests.push(request.clone());
            let trouble = site.troubles.get_mut(&request.path).filter(|queue| !queue.is_empty());
            let trouble = trouble.map(|queue| queue.remove(0));
            (site.pages.get(&request.path).cloned(), trouble)
        };
        if !answer(stream, &request, page, trouble.as_ref())? {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // a proxy is asked for whole addresses
    let after_host = target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
    let path = after_host.unwrap_or(&target).to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, target, headers, body }))
}

/// Answers one request; false if the connection is of no more use.
fn answer(
    mut stream: &TcpStream,
    request: &Request,
    page: Option<Vec<u8>>,
    trouble: Option<&Trouble>,
) -> std::io::Result<bool> {
    match trouble {
        Some(Trouble::Status(status)) => {
            write!(stream, "HTTP/1.1 {status} Trouble\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        }
        Some(Trouble::Redirect(target)) => {
            write!(stream, "HTTP/1.1 307 Elsewhere\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        }
        _ => {}
    }
    let Some(mut page) = page else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found")?;
        return Ok(true);
    };
    if trouble == Some(&Trouble::Garble) {
        for byte in &mut page {
            *byte ^= 0xff;
        }
    }
    let whole = page.len();
    let range = request.headers.get("range").filter(|_| trouble != Some(&Trouble::IgnoreRange));
    let from = range.and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let body = match from {
        Some(from) if from >= whole => {
            write!(stream, "HTTP/1.1 416 Range\r\nContent-Range: bytes */{whole}\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        }
        Some(from) => {
            let length = whole - from;
            write!(
                stream,
                "HTTP/1.1 206 Partial\r\nContent-Range: bytes {from}-{}/{whole}\r\nContent-Length: {length}\r\n\r\n",
                whole - 1
            )?;
            &page[from..]
        }
        None => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {whole}\r\n\r\n")?;
            &page[..]
        }
    };
    if request.method == "HEAD" {
        return Ok(true);
    }
    match trouble {
        Some(Trouble::Cut(count)) => {
            stream.write_all(&body[..body.len().min(*count)])?;
            Ok(false)
        }
        _ => stream.write_all(body).map(|()| true),
    }
}
