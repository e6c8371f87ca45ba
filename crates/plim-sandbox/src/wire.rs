//! What parent and helper say to each other.
//!
//! One socket pair carries everything. Parent to helper: the request as length-prefixed JSON, the secrets' bytes in the
//! order of the mounts, then one byte per signal to send; end of file means kill. Helper to parent: [`Report`]s, one
//! JSON value a line. The end of file doubles as lifeline: a parent killed with SIGKILL closes it too.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Fault;
use crate::probe::Support;
use crate::secret::Secret;
use crate::spec::{Exit, MountSource, Spec};
use crate::stubs::Trace;

/// No spec comes near this; a longer one is a mistake.
const REQUEST_LIMIT: usize = 64 << 20;

/// What the helper is asked to do: sent with a borrowed spec, received with an owned one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<S> {
    Run(S),
    Probe,
}

/// What the helper tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The root file system was touched for a mount: what to undo.
    Trace(Trace),
    /// The command is about to be executed.
    Executing,
    /// The command runs, with this process id outside.
    Started { pid: i32 },
    /// The command cannot be run.
    Failed(Fault),
    /// The command has ended and the root file system is clean.
    Ended(Exit),
    /// The answer to [`Request::Probe`].
    Support(Support),
}

impl Report {
    /// The report as a line.
    pub(crate) fn line(&self) -> Vec<u8> {
        // a report holds only strings, numbers and byte strings, which JSON can always hold
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Cuts a stream of bytes into reports.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    rest: Vec<u8>,
}

impl Reports {
    /// Adds bytes and returns the reports that are complete now; lines that are none are dropped.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Report> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let complete: Vec<u8> = self.rest.drain(..=end).collect();
        complete.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

/// Writes a request and its secrets.
pub(crate) fn send(request: &Request<&Spec>, to: &mut impl Write) -> io::Result<()> {
    // the environment in it may hold secrets
    let json = Zeroizing::new(serde_json::to_vec(request)?);
    let length = u32::try_from(json.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&json)?;
    if let Request::Run(spec) = request {
        for mount in &spec.mounts {
            if let MountSource::Content { bytes, .. } = &mount.source {
                to.write_all(bytes.expose())?;
            }
        }
    }
    Ok(())
}

/// Reads a request and its secrets.
pub(crate) fn receive(from: &mut impl Read) -> io::Result<Request<Box<Spec>>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > REQUEST_LIMIT {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut json = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut json)?;
    let mut request: Request<Box<Spec>> = serde_json::from_slice(&json)?;
    if let Request::Run(spec) = &mut request {
        for mount in &mut spec.mounts {
            if let MountSource::Content { bytes, .. } = &mut mount.source {
                from.read_exact(bytes.expose_mut())?;
            }
        }
    }
    Ok(request)
}

/// Secrets are serialised as their length; [`send`] and [`receive`] carry the bytes.
pub(crate) mod secret {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{REQUEST_LIMIT, Secret};

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(secret.len() as u64)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        match usize::deserialize(deserializer)? {
            len if len <= REQUEST_LIMIT => Ok(Secret::room(len)),
            _ => Err(D::Error::custom("content is too large")),
        }
    }
}

/// Paths are bytes, which serde's own form of a path is not.
pub(crate) mod path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(PathBuf::from(OsString::from_vec(Vec::deserialize(deserializer)?)))
    }
}

/// Lists of [`path`].
pub(crate) mod paths {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| path.as_os_str().as_bytes()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        let paths = Vec::<Vec<u8>>::deserialize(deserializer)?;
        Ok(paths.into_iter().map(|path| PathBuf::from(OsString::from_vec(path))).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use super::{Report, Reports, Request, receive, send};
    use crate::secret::Secret;
    use crate::spec::{Mount, MountSource, RootFs, Spec};

    fn spec() -> Spec {
        let odd = PathBuf::from(OsStr::from_bytes(b"/odd/\xff"));
        let mut spec = Spec::new(RootFs::ReadOnly { lower: vec![odd.clone(), PathBuf::from("/b")] });
        let bytes = Secret::new(b"hunter2".to_vec());
        spec.mounts = vec![
            Mount { target: "/s".into(), source: MountSource::Content { bytes, mode: 0o400, uid: 1, gid: 2 } },
            Mount { target: "/b".into(), source: MountSource::Bind { path: odd, read_only: true } },
        ];
        spec
    }

    #[test]
    fn requests_arrive_whole() {
        let mut bytes = Vec::new();
        send(&Request::Run(&spec()), &mut bytes).unwrap();
        let Request::Run(read) = receive(&mut bytes.as_slice()).unwrap() else { panic!("another request") };
        assert_eq!(format!("{read:?}"), format!("{:?}", spec()));
        let MountSource::Content { bytes, .. } = &read.mounts[0].source else { panic!("another mount") };
        assert_eq!(bytes.expose(), b"hunter2");
    }

    #[test]
    fn json_holds_no_secret_of_a_mount() {
        let json = serde_json::to_string(&spec()).unwrap();
        assert!(!json.contains("hunter2") && !json.contains("104,117,110"), "{json}");
    }

    #[test]
    fn a_truncated_request_is_an_error() {
        let mut bytes = Vec::new();
        send(&Request::Run(&spec()), &mut bytes).unwrap();
        for end in 0..bytes.len() {
            assert!(receive(&mut &bytes[..end]).is_err());
        }
    }

    #[test]
    fn reports_are_cut_at_newlines() {
        let line = Report::Started { pid: 7 }.line();
        let mut reports = Reports::default();
        assert!(reports.feed(&line[..3]).is_empty());
        let found = reports.feed(&[&line[3..], &Report::Executing.line()[..]].concat());
        assert!(matches!(found.as_slice(), [Report::Started { pid: 7 }, Report::Executing]));
    }
}
