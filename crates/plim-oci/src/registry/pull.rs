//! Reading: manifests and blobs, from mirrors first.

use std::io::{self, Read};
use std::sync::{Arc, PoisonError};

use crate::blobs::Origin;
use crate::http::Response;
use crate::read::MAX_MANIFEST;
use crate::{BlobError, Blobs, Descriptor, Digest, media_type};

use super::download::Download;
use super::error::reason;
use super::host::{Ask, Host};
use super::list::{malformed, what};
use super::{RegistryError, Repository};

/// The kinds of manifests that are understood; registries convert or refuse what is not listed.
const ACCEPT: [&str; 4] =
    [media_type::OCI_INDEX, media_type::OCI_MANIFEST, media_type::DOCKER_LIST, media_type::DOCKER_MANIFEST];

impl Repository {
    /// Finds what a tag or a digest stands for.
    pub fn resolve(&self, reference: &str) -> Result<Descriptor, RegistryError> {
        self.anywhere(|host| self.resolve_at(host, reference))
    }

    fn resolve_at(&self, host: &Host, reference: &str) -> Result<Descriptor, RegistryError> {
        let response = self.manifest_request(host, "HEAD", reference)?;
        let known = reference.parse::<Digest>().ok();
        let digest = match &known {
            Some(digest) => Some(digest.clone()),
            None => response.header("docker-content-digest").and_then(|digest| digest.parse().ok()),
        };
        let size = response.header("content-length").and_then(|size| size.parse().ok());
        if response.status == 200
            && let (Some(digest), Some(size)) = (digest, size)
        {
            return Ok(Descriptor::new(&kind(&response), digest, size));
        }
        // some registries say less in answer to HEAD
        let (descriptor, bytes) = self.manifest_at(host, reference)?;
        if let Some(known) = known.filter(|known| *known != descriptor.digest) {
            let reason = format!("asked for {known} it gave {}", descriptor.digest);
            return Err(malformed(&self.full_name(), &reason));
        }
        self.remember(&descriptor.digest, bytes);
        Ok(descriptor)
    }

    /// Reads a manifest of which the tag or digest is known.
    pub(super) fn manifest_at(&self, host: &Host, reference: &str) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        let response = self.manifest_request(host, "GET", reference)?;
        if response.status != 200 {
            return Err(self.refused(&format!("give {}", what(reference)), response));
        }
        let media_type = kind(&response);
        let bytes = self.small(response)?;
        Ok((Descriptor::new(&media_type, Digest::of(&bytes), bytes.len() as u64), bytes))
    }

    fn manifest_request(&self, host: &Host, method: &str, reference: &str) -> Result<Response, RegistryError> {
        let path = self.path(&format!("manifests/{reference}"));
        let scopes = [self.scope("pull")];
        let mut ask = Ask::new(method, &path, &scopes);
        ask.headers.push(("Accept", ACCEPT.join(", ")));
        let response = host.send(&ask, "read", &self.full_name())?;
        match response.status {
            404 => Err(RegistryError::Missing { what: what(reference), place: self.full_name() }),
            status if status >= 500 || status == 429 => {
                Err(self.refused(&format!("give {}", what(reference)), response))
            }
            _ => Ok(response),
        }
    }

    fn small(&self, response: Response) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        let place = self.full_name();
        response
            .body
            .take(MAX_MANIFEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| malformed(&place, &format!("its manifest breaks off: {error}")))?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(malformed(&place, &format!("its manifest has more than {MAX_MANIFEST} bytes")));
        }
        Ok(bytes)
    }

    /// Asks for a blob from a byte on; the reader begins there.
    pub(super) fn blob_at(
        &self,
        host: &Host,
        digest: &Digest,
        from: u64,
    ) -> Result<Box<dyn Read + Send>, RegistryError> {
        let path = self.path(&format!("blobs/{digest}"));
        let scopes = [self.scope("pull")];
        let mut ask = Ask::new("GET", &path, &scopes);
        if from > 0 {
            ask.headers.push(("Range", format!("bytes={from}-")));
        }
        let mut response = host.send(&ask, "read", &self.full_name())?;
        match response.status {
            206 if from > 0 && begin(&response) == Some(from) => Ok(response.body),
            200 => {
                // it does not know ranges
                let failed = |error: io::Error| malformed(&self.full_name(), &error.to_string());
                io::copy(&mut (&mut response.body).take(from), &mut io::sink()).map_err(failed)?;
                Ok(response.body)
            }
            404 => Err(RegistryError::Missing { what: digest.to_string(), place: self.full_name() }),
            _ => Err(self.refused(&format!("give {digest}"), response)),
        }
    }

    /// Asks mirrors, then the registry itself. A mirror that has not got something, or nothing to say, is passed by.
    pub(super) fn anywhere<T>(
        &self,
        mut ask: impl FnMut(&Arc<Host>) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        for mirror in &self.shared.mirrors {
            match ask(mirror) {
                Ok(found) => return Ok(found),
                Err(error) if error.is_missing() => tracing::debug!(mirror = mirror.name, %error, "not in the mirror"),
                Err(error) => mirror.warn(format!("the mirror {} was of no use: {error}", mirror.name)),
            }
        }
        ask(&self.shared.upstream)
    }

    pub(super) fn refused(&self, action: &str, response: Response) -> RegistryError {
        RegistryError::Refused {
            action: action.to_owned(),
            place: self.full_name(),
            status: response.status,
            reason: reason(response),
        }
    }

    pub(super) fn remember(&self, digest: &Digest, bytes: Vec<u8>) {
        let mut put = self.shared.put.lock().unwrap_or_else(PoisonError::into_inner);
        put.insert(digest.clone(), bytes);
    }

    pub(super) fn remembered(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.shared.put.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }
}

impl Blobs for Repository {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        let kind = if is_manifest(descriptor) { "manifests" } else { "blobs" };
        let path = self.path(&format!("{kind}/{}", descriptor.digest));
        let scopes = [self.scope("pull")];
        let mut ask = Ask::new("HEAD", &path, &scopes);
        if is_manifest(descriptor) {
            ask.headers.push(("Accept", ACCEPT.join(", ")));
        }
        let response = self.shared.upstream.send(&ask, "read", &self.full_name())?;
        match response.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refused(&format!("look for {}", descriptor.digest), response).into()),
        }
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        if is_manifest(descriptor) {
            let bytes = if let Some(bytes) = self.remembered(&descriptor.digest) {
                bytes
            } else {
                let reference = descriptor.digest.to_string();
                self.anywhere(|host| self.manifest_at(host, &reference))?.1
            };
            let mut bytes = io::Cursor::new(bytes);
            bytes.set_position(from);
            return Ok(Box::new(bytes));
        }
        Ok(self.anywhere(|host| {
            let slot = host.reading.take();
            let body = self.blob_at(host, &descriptor.digest, from)?;
            Ok(Box::new(Download {
                repository: self.clone(),
                host: Arc::clone(host),
                descriptor: descriptor.clone(),
                at: from,
                body: Some(body),
                failures: 0,
                _slot: slot,
            }))
        })?)
    }

    fn place(&self) -> String {
        self.full_name()
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        Ok(self.list_referrers(subject)?)
    }

    fn companion(&self, tag: &str) -> Result<Option<Descriptor>, BlobError> {
        match self.resolve(tag) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn origin(&self) -> Option<Origin> {
        Some(Origin { registry: self.shared.registry.clone(), repository: self.shared.name.clone() })
    }
}

/// Whether content is kept among the manifests. A descriptor without a type stands for a manifest.
pub(super) fn is_manifest(descriptor: &Descriptor) -> bool {
    descriptor.media_type.is_empty() || ACCEPT.contains(&descriptor.media_type.as_str())
}

/// The media type that an answer names, without parameters.
fn kind(response: &Response) -> String {
    let declared = response.header("content-type").unwrap_or_default();
    let declared = declared.split(';').next().unwrap_or_default().trim();
    // registries that store files say so of everything
    if ACCEPT.contains(&declared) { declared.to_owned() } else { String::new() }
}

/// The byte with which a part begins.
fn begin(response: &Response) -> Option<u64> {
    response.header("content-range")?.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
