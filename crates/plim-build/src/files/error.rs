//! Why files could not be copied, unpacked or made a layer.

use std::io;
use std::path::Path;

use plim_oci::BlobError;
use plim_oci::tar::TarError;

/// Why files could not be copied, unpacked or made a layer.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A source that is not there.
    #[error("{path} is not in {place}{}", excluded_by(*excluded, pattern.as_deref()))]
    Missing {
        /// The source as written in the Dockerfile.
        path: String,
        /// `the build context`, `the image or stage it is copied from`.
        place: &'static str,
        /// It is on disk, but the ignore patterns hide it.
        excluded: bool,
        /// The ignore pattern that hides it.
        pattern: Option<String>,
        /// A name beside it that was probably meant.
        similar: Option<String>,
    },
    /// A user or group that the image does not have.
    #[error("there is no {kind} `{name}` in {file} of the image")]
    UnknownOwner {
        /// `user` or `group`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// `/etc/passwd` or `/etc/group`.
        file: &'static str,
    },
    /// Another fault of the Dockerfile, the context or the image.
    #[error("{0}")]
    Subject(String),
    /// An owner that this process may not give to files.
    #[error("failed to give {path} to {uid}:{gid}")]
    Owner {
        /// The path inside the image.
        path: String,
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An archive or layer that is no well-formed tar.
    #[error("failed to read {what}")]
    Archive {
        /// `layer sha256:…`, `a.tar`.
        what: String,
        /// Why.
        #[source]
        source: TarError,
    },
    /// The image store failed.
    #[error("failed to use the image store")]
    Blob(#[from] BlobError),
    /// The system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// `read`, `create`, …
        action: &'static str,
        /// The file, inside the image or on the machine.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file that was written to between the look that its step's key comes from and the copy.
    #[error("{path} changed while the build read it")]
    Changed {
        /// The file, on the machine.
        path: String,
    },
    /// The user stopped the work.
    #[error("the work was stopped")]
    Cancelled,
}

impl FilesError {
    /// Says whether the Dockerfile, the context or the image is at fault rather than the machine.
    pub fn is_subject(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::UnknownOwner { .. } | Self::Subject(_) => true,
            Self::Archive { source, .. } => !matches!(source, TarError::Io(_)),
            // symbolic links that lead in a circle, paths that are too long
            Self::Io { source, .. } => {
                source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
                    || source.kind() == io::ErrorKind::InvalidFilename
            }
            _ => false,
        }
    }

    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { excluded: true, pattern: Some(pattern), path, .. } => Some(format!(
                "the pattern `{pattern}` of the ignore file hides it; add `!{}` after that line to let it in",
                path.trim_start_matches(['/', '.'])
            )),
            Self::Missing { similar: Some(similar), .. } => Some(format!("did you mean `{similar}`?")),
            Self::UnknownOwner { kind, .. } => Some(format!(
                "create the {kind} in an earlier RUN of the same stage, or write its number instead of its name"
            )),
            Self::Owner { .. } => Some(
                "this process may use few user ids: give your user a range in /etc/subuid and /etc/subgid and \
                 install newuidmap and newgidmap, or run as root"
                    .to_owned(),
            ),
            Self::Changed { .. } => Some(
                "build again when nothing writes to the context; what programs write there while it is built, such as logs, \
                 belongs into .dockerignore"
                    .to_owned(),
            ),
            Self::Blob(error) => error.hint(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("the disk is full: free some space".to_owned())
            }
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::at(action, path.as_ref().display().to_string(), source)
    }

    /// For use in `map_err` on paths inside a tree.
    pub(crate) fn inside(action: &'static str, path: &bstr::BStr) -> impl Fn(io::Error) -> Self {
        move |source| Self::at(action, format!("/{path}"), source)
    }

    /// Returns an error about a path inside the image, which begins with a slash, or on the machine.
    pub(crate) fn at(action: &'static str, path: String, source: io::Error) -> Self {
        match super::checked::changed_file(&source) {
            Some(file) => Self::Changed { path: file.display().to_string() },
            None => Self::Io { action, path, source },
        }
    }
}

fn excluded_by(excluded: bool, pattern: Option<&str>) -> String {
    match (excluded, pattern) {
        (false, _) => String::new(),
        (true, None) => ": the ignore file excludes it".to_owned(),
        (true, Some(pattern)) => format!(": `{pattern}` in the ignore file excludes it"),
    }
}

impl From<TarError> for FilesError {
    fn from(source: TarError) -> Self {
        Self::Archive { what: "the archive".to_owned(), source }
    }
}
