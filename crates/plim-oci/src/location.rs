//! Where an image is: a name, the local store, a directory or an archive.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;

use crate::Digest;
use crate::reference::{Reference, ReferenceError};

/// Where an image is, as users write it on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A bare name: the local store or a registry, as the command says.
    Name(Reference),
    /// `store:REF`: the local store only.
    Store(Reference),
    /// `registry:REF`: the registry, even where the local store has the image.
    Registry(Reference),
    /// `rootfs:DIR`: a directory with the files of an image.
    RootFs(Utf8PathBuf),
    /// `-`: an archive on standard input, or for standard output.
    Stdio,
    /// `oci:DIR[:TAG]`: an OCI image layout directory.
    OciLayout {
        /// The directory.
        dir: Utf8PathBuf,
        /// Tag or name inside; needed where the layout holds several.
        tag: Option<String>,
    },
    /// `oci-archive:FILE[:TAG]`: an OCI image layout in a tar file.
    OciArchive {
        /// The file.
        file: Utf8PathBuf,
        /// Tag or name inside.
        tag: Option<String>,
    },
    /// `docker-daemon:REF` and `podman:REF`: the images of an engine on this machine.
    Daemon {
        /// The engine.
        engine: Engine,
        /// Name or ID of the image, as it was given: what a short name means is the engine's to say.
        image: String,
    },
    /// `docker-archive:FILE[:REF]`: what `docker save` writes.
    DockerArchive {
        /// The file.
        file: Utf8PathBuf,
        /// Name inside.
        reference: Option<Reference>,
    },
}

/// A container engine that keeps images of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Docker's daemon.
    Docker,
    /// Podman's API service.
    Podman,
}

impl Engine {
    /// Returns what it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        }
    }

    /// Returns how its images are named on the command line, without the colon.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon",
            Self::Podman => "podman",
        }
    }
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The name in it is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The path is missing.
    #[error("`{0}` names no path")]
    NoPath(String),
    /// A scheme that plim does not have.
    #[error("`{scheme}:` is not a kind of location")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
}

impl LocationError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.hint(),
            Self::NoPath(_) => Some("write the path after the colon, for example oci:out/image:latest".to_owned()),
            Self::Scheme { .. } => Some(
                "use NAME, store:NAME, registry:NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], \
                     docker-archive:FILE[:NAME], docker-daemon:NAME, podman:NAME, rootfs:DIR or -"
                    .into(),
            ),
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let path_and_tag = |rest: &str| {
            let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
            if path.is_empty() {
                return Err(LocationError::NoPath(text.to_owned()));
            }
            Ok((Utf8PathBuf::from(path), tag.filter(|tag| !tag.is_empty()).map(str::to_owned)))
        };
        match text.split_once(':') {
            None if text == "-" => Ok(Self::Stdio),
            Some(("store", rest)) => Ok(Self::Store(rest.parse()?)),
            Some(("registry", rest)) if !rest.starts_with("//") && !begins_with_port(rest) => {
                Ok(Self::Registry(rest.parse()?))
            }
            Some(("rootfs", "")) => Err(LocationError::NoPath(text.to_owned())),
            Some(("rootfs", rest)) => Ok(Self::RootFs(rest.into())),
            Some(("oci", rest)) => path_and_tag(rest).map(|(dir, tag)| Self::OciLayout { dir, tag }),
            Some(("oci-archive", rest)) => path_and_tag(rest).map(|(file, tag)| Self::OciArchive { file, tag }),
            Some(("docker-archive", rest)) => {
                let (file, tag) = path_and_tag(rest)?;
                Ok(Self::DockerArchive { file, reference: tag.map(|tag| tag.parse()).transpose()? })
            }
            Some(("docker-daemon", rest)) => daemon(Engine::Docker, rest),
            Some(("podman", rest)) => daemon(Engine::Podman, rest),
            Some((scheme @ ("docker" | "containers-storage" | "dir" | "http" | "https"), rest))
                if rest.starts_with("//") || scheme.contains('-') || scheme == "dir" =>
            {
                Err(LocationError::Scheme { scheme: scheme.to_owned() })
            }
            _ => Ok(Self::Name(text.parse()?)),
        }
    }
}

/// An image of an engine: a name, or its ID.
fn daemon(engine: Engine, image: &str) -> Result<Location, LocationError> {
    if image.parse::<Digest>().is_err() {
        image.parse::<Reference>()?;
    }
    Ok(Location::Daemon { engine, image: image.to_owned() })
}

/// `registry:5000/app` is a host called `registry`, with a port.
fn begins_with_port(text: &str) -> bool {
    let port = text.split('/').next().unwrap_or_default();
    text.contains('/') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, name) = match self {
            Self::Name(reference) => {
                // a repository that is called like a kind of location needs its long name
                let short = reference.familiar();
                let mistaken = short.parse::<Self>().ok().as_ref() != Some(self);
                return if mistaken { write!(f, "{reference}") } else { f.write_str(&short) };
            }
            Self::Store(reference) => return write!(f, "store:{}", reference.familiar()),
            Self::Registry(reference) => return write!(f, "registry:{}", reference.familiar()),
            Self::Daemon { engine, image } => return write!(f, "{}:{image}", engine.scheme()),
            Self::RootFs(dir) => return write!(f, "rootfs:{dir}"),
            Self::Stdio => return f.write_str("-"),
            Self::OciLayout { dir, tag } => ("oci", dir, tag.clone()),
            Self::OciArchive { file, tag } => ("oci-archive", file, tag.clone()),
            Self::DockerArchive { file, reference } => {
                ("docker-archive", file, reference.as_ref().map(Reference::familiar))
            }
        };
        write!(f, "{scheme}:{path}")?;
        match name {
            Some(name) => write!(f, ":{name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_parses_and_displays() {
        for text in [
            "nginx:1.29",
            "store:nginx",
            "registry:nginx:1.29",
            "registry:r.example:5000/team/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "rootfs:some/dir",
            "-",
            "oci:out/image",
            "oci:/abs/dir:v1",
            "oci-archive:a.tar:docker.io/library/x:1",
            "docker-archive:a.tar",
            "docker-archive:a.tar:localhost:5000/x:1",
            "docker-daemon:nginx:1.29",
            "podman:localhost/shop",
            "docker-daemon:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_with_a_port_is_a_name() {
        assert!(matches!("localhost:5000/x".parse(), Ok(Location::Name(_))));
        assert!(matches!("oci/x:1".parse(), Ok(Location::Name(_))));
        assert!(matches!("registry:5000/x".parse(), Ok(Location::Name(_))));
    }

    #[test]
    fn foreign_schemes_are_refused_with_the_list_of_kinds() {
        for text in ["docker://nginx", "containers-storage:nginx:1", "dir:x", "https://example/x"] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(error.hint().unwrap().contains("oci:DIR"), "{error}");
        }
        assert!(matches!("oci:".parse::<Location>(), Err(LocationError::NoPath(_))));
        for text in ["docker-daemon:", "podman:a/../b?x", "docker-daemon://nginx"] {
            assert!(matches!(text.parse::<Location>(), Err(LocationError::Reference(_))), "{text}");
        }
    }
}
