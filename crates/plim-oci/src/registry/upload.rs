//! Blobs on their way to a registry (distribution specification, "Pushing blobs"): whole in one request where the
//! registry takes that, in chunks where it does not, from where it got to after a broken connection.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use crate::blobs::Source;
use crate::http::{self, Body, OpenBody, Response};
use crate::verify::VerifyingReader;
use crate::{BlobError, Descriptor, Digest};

use super::error::reason;
use super::host::Ask;
use super::{RegistryError, Repository};

/// Bytes of a chunk, unless the registry wants more.
const CHUNK: u64 = 16 << 20;
/// A registry that wants larger chunks wants too much memory; bytes.
const MAX_CHUNK: u64 = 512 << 20;

/// Times that an upload is taken up again, however far it gets each time: a registry that forgets what it took would
/// keep us for ever.
const MAX_BREAKS: u32 = 100;

/// An upload that was begun.
struct Session {
    /// Where it goes on; each answer may change it.
    location: String,
    /// Bytes that the registry has.
    at: u64,
}

/// What became of one attempt.
enum Outcome {
    Done,
    /// It takes chunks only.
    WantsChunks,
    /// The connection broke, or the registry asks for patience.
    Broken(RegistryError),
}

impl Repository {
    /// Takes a blob over from another repository of the registry; false where the registry does not do that.
    pub(super) fn mount(&self, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        let mut scopes = vec![self.scope("pull,push"), format!("repository:{from}:pull")];
        scopes[1..].sort();
        let path = self.path(&format!("blobs/uploads/?mount={digest}&from={}", super::auth::escape(from)));
        let mut ask = Ask::new("POST", &path, &scopes);
        ask.body = Body::Bytes(b"");
        let response = match self.shared.upstream.send(&ask, "write to", &self.full_name()) {
            Ok(response) => response,
            // whoever may not read there sends the bytes
            Err(RegistryError::Denied { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        match response.status {
            201 => Ok(true),
            202 => {
                // it began an upload, which nobody needs
                if let Ok(session) = self.session(&response, 0) {
                    let scopes = self.push_scopes();
                    let ask = Ask { once: true, ..Ask::new("DELETE", &session.location, &scopes) };
                    let _ = self.shared.upstream.send(&ask, "write to", &self.full_name());
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Sends a blob.
    pub(super) fn upload(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        let host = &self.shared.upstream;
        let _slot = host.writing.take();
        let retry = host.retry();
        let mut session = self.begin()?;
        let (mut failures, mut breaks) = (0, 0);
        loop {
            let before = session.at;
            let whole = session.at == 0 && !host.wants_chunks();
            let outcome = if whole {
                self.send_whole(&session, descriptor, source)?
            } else {
                self.send_chunks(&mut session, descriptor, source)?
            };
            let error = match outcome {
                Outcome::Done => return Ok(()),
                Outcome::WantsChunks => {
                    if !whole {
                        let reason = "it takes blobs neither whole nor in chunks".to_owned();
                        return Err(RegistryError::Malformed { place: self.full_name(), reason }.into());
                    }
                    host.learn_chunks();
                    session = self.begin()?;
                    continue;
                }
                Outcome::Broken(error) => error,
            };
            tracing::debug!(digest = %descriptor.digest, %error, "the upload broke");
            session = match self.status(&session) {
                Some(session) => session,
                None => self.begin()?,
            };
            failures = if session.at > before { 1 } else { failures + 1 };
            breaks += 1;
            if failures >= retry.attempts || breaks >= MAX_BREAKS {
                return Err(error.into());
            }
            std::thread::sleep(retry.pause(failures, None));
        }
    }

    fn begin(&self) -> Result<Session, RegistryError> {
        let scopes = self.push_scopes();
        let path = self.path("blobs/uploads/");
        let mut ask = Ask::new("POST", &path, &scopes);
        ask.body = Body::Bytes(b"");
        let response = self.shared.upstream.send(&ask, "write to", &self.full_name())?;
        if response.status != 202 {
            return Err(self.refused("begin an upload", response));
        }
        if let Some(minimum) = response.header("oci-chunk-min-length").and_then(|bytes| bytes.parse().ok()) {
            self.shared.upstream.learn_chunk_minimum(minimum);
        }
        self.session(&response, 0)
    }

    fn session(&self, response: &Response, at: u64) -> Result<Session, RegistryError> {
        let location = response.header("location").and_then(|location| http::join(&response.url, location));
        match location {
            Some(location) => Ok(Session { location, at }),
            None => Err(RegistryError::Malformed {
                place: self.full_name(),
                reason: "it does not say where an upload goes on".to_owned(),
            }),
        }
    }

    /// Asks how far an upload got; `None` where it is lost.
    fn status(&self, session: &Session) -> Option<Session> {
        let scopes = self.push_scopes();
        let ask = Ask::new("GET", &session.location, &scopes);
        let response = self.shared.upstream.send(&ask, "write to", &self.full_name()).ok()?;
        if response.status != 204 {
            return None;
        }
        // `0-0` is what some say of nothing at all
        let at = last_received(&response).map_or(0, |last| if last == 0 { 0 } else { last + 1 });
        let location = match response.header("location") {
            Some(_) => self.session(&response, at).ok()?.location,
            None => session.location.clone(),
        };
        Some(Session { location, at })
    }

    /// Sends all in one request.
    fn send_whole(
        &self,
        session: &Session,
        descriptor: &Descriptor,
        source: &dyn Source,
    ) -> Result<Outcome, BlobError> {
        let target = with_digest(&session.location, &descriptor.digest);
        let fault = Fault::default();
        let whole = Whole { source, descriptor, fault: &fault };
        let body = Body::Stream { open: &whole, size: descriptor.size };
        let scopes = self.push_scopes();
        let headers = vec![("Content-Type", "application/octet-stream".to_owned())];
        let ask = Ask { headers, body, once: true, ..Ask::new("PUT", &target, &scopes) };
        let result = self.shared.upstream.send(&ask, "write to", &self.full_name());
        // a source that fails looks like a connection that does
        let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(source) = fault {
            return Err(BlobError::Io { action: "read", path: descriptor.digest.to_string(), source });
        }
        self.outcome(result, descriptor, says_chunks)
    }

    /// Sends what is missing, chunk by chunk.
    fn send_chunks(
        &self,
        session: &mut Session,
        descriptor: &Descriptor,
        source: &dyn Source,
    ) -> Result<Outcome, BlobError> {
        let minimum = self.shared.upstream.chunk_minimum().unwrap_or(0);
        if minimum > MAX_CHUNK {
            let reason = format!("it wants chunks of {minimum} bytes");
            return Err(RegistryError::Malformed { place: self.full_name(), reason }.into());
        }
        let size = CHUNK.max(minimum);
        let scopes = self.push_scopes();
        let failed = |source| BlobError::Io { action: "read", path: descriptor.digest.to_string(), source };
        let mut content = source.open(session.at)?;
        while session.at < descriptor.size {
            let mut chunk = Vec::new();
            (&mut content).take(size).read_to_end(&mut chunk).map_err(failed)?;
            if chunk.is_empty() {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            let (first, last) = (session.at, session.at + chunk.len() as u64 - 1);
            let headers = vec![
                ("Content-Type", "application/octet-stream".to_owned()),
                // without the unit: the specification has it so
                ("Content-Range", format!("{first}-{last}")),
            ];
            let body = Body::Bytes(&chunk);
            let ask = Ask { headers, body, once: true, ..Ask::new("PATCH", &session.location, &scopes) };
            let response = match self.shared.upstream.send(&ask, "write to", &self.full_name()) {
                Ok(response) => response,
                Err(error @ RegistryError::Http { .. }) => return Ok(Outcome::Broken(error)),
                Err(error) => return Err(error.into()),
            };
            match response.status {
                202 => {
                    let at = last_received(&response).unwrap_or(last) + 1;
                    if at != last + 1 {
                        return Ok(Outcome::Broken(self.refused("take a chunk whole", response)));
                    }
                    *session = self.session(&response, at)?;
                }
                405 | 501 => return Ok(Outcome::WantsChunks),
                404 | 416 | 429 | 500.. => return Ok(Outcome::Broken(self.refused("take a chunk", response))),
                _ => return Err(self.refused("take a chunk", response).into()),
            }
        }
        let target = with_digest(&session.location, &descriptor.digest);
        let ask = Ask { body: Body::Bytes(b""), once: true, ..Ask::new("PUT", &target, &scopes) };
        let result = self.shared.upstream.send(&ask, "write to", &self.full_name());
        self.outcome(result, descriptor, |_, _| false)
    }

    fn outcome(
        &self,
        result: Result<Response, RegistryError>,
        descriptor: &Descriptor,
        wants_chunks: impl Fn(u16, &str) -> bool,
    ) -> Result<Outcome, BlobError> {
        let response = match result {
            Ok(response) => response,
            Err(error @ RegistryError::Http { .. }) => return Ok(Outcome::Broken(error)),
            Err(error) => return Err(error.into()),
        };
        let action = format!("take {}", descriptor.digest);
        match response.status {
            200..=204 => Ok(Outcome::Done),
            404 | 408 | 416 | 425 | 429 | 500 | 502..=504 => Ok(Outcome::Broken(self.refused(&action, response))),
            status => {
                let reason = reason(response);
                if wants_chunks(status, &reason) {
                    tracing::debug!(status, reason, "trying chunks");
                    return Ok(Outcome::WantsChunks);
                }
                Err(RegistryError::Refused { action, place: self.full_name(), status, reason }.into())
            }
        }
    }
}

/// Whether a refusal of a whole blob means that chunks may do. Other refusals are about the blob or about us (a digest, a
/// quota, a policy), and sending it again in parts would only hide why.
fn says_chunks(status: u16, reason: &str) -> bool {
    match status {
        405 | 411 | 413 | 501 => true,
        // distribution specification, "Error Codes"
        400 | 415 | 422 => reason.contains("(SIZE_INVALID)") || reason.contains("(UNSUPPORTED)"),
        _ => false,
    }
}

/// The last byte that a registry says it has: `Range: 0-N`.
fn last_received(response: &Response) -> Option<u64> {
    let range = response.header("range")?;
    range.trim().trim_start_matches("bytes=").split_once('-')?.1.trim().parse().ok().filter(|last| *last < u64::MAX)
}

fn with_digest(location: &str, digest: &Digest) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={}", super::auth::escape(digest.as_str()))
}

/// Why reading failed.
type Fault = Mutex<Option<io::Error>>;

/// All of a blob as a request's body.
struct Whole<'a> {
    source: &'a dyn Source,
    descriptor: &'a Descriptor,
    fault: &'a Fault,
}

impl OpenBody for Whole<'_> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let content = self.source.open(0).map_err(io::Error::other)?;
        Ok(Box::new(Noted { inner: VerifyingReader::of(content, self.descriptor), fault: self.fault }))
    }
}

/// Remembers why reading failed.
struct Noted<'a, R> {
    inner: R,
    fault: &'a Fault,
}

impl<R: Read> Read for Noted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            let copy = io::Error::new(error.kind(), error.to_string());
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_the_form_mean_chunks() {
        for (status, reason) in [(413, ""), (501, ""), (400, "too large (SIZE_INVALID)"), (400, "no (UNSUPPORTED)")] {
            assert!(says_chunks(status, reason), "{status} {reason}");
        }
        for (status, reason) in [(400, ""), (400, "it differs (DIGEST_INVALID)"), (403, "no (UNSUPPORTED)"), (409, "")]
        {
            assert!(!says_chunks(status, reason), "{status} {reason}");
        }
    }
}
