//! `file://` addresses: the disk answers like a server.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use ureq::http::HeaderMap;

use super::{HttpError, Request, Response, url};

pub(super) fn serve(request: &Request<'_>, path: &Path) -> Result<Response, HttpError> {
    let answer = |status, size: u64, body: Box<dyn io::Read + Send>| {
        Ok(Response { status, url: request.url.to_owned(), size: Some(size), body, headers: HeaderMap::new() })
    };
    if !matches!(request.method, "GET" | "HEAD") {
        return answer(405, 0, Box::new(io::empty()));
    }
    let fail = |source| HttpError::Io { action: "read", path: path.display().to_string(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return answer(404, 0, Box::new(io::empty())),
        Err(error) => return Err(fail(error)),
    };
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(HttpError::Url { url: url::shown(request.url), reason: "it is no file".to_owned() });
    }
    let range = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("range"));
    let from = range.and_then(|(_, value)| value.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<u64>().ok());
    match from {
        Some(from) if from >= metadata.len() => answer(416, 0, Box::new(io::empty())),
        Some(from) => {
            file.seek(SeekFrom::Start(from)).map_err(fail)?;
            answer(206, metadata.len() - from, Box::new(file))
        }
        None => answer(200, metadata.len(), Box::new(file)),
    }
}
