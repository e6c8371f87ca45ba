//! Writing: manifests, and blobs that are there already in another repository.

use std::io::Read;

use crate::blobs::{Origin, Source};
use crate::http::Body;
use crate::verify::VerifyingReader;
use crate::{BlobError, BlobsMut, Descriptor, Digest, media_type, read};

use super::host::Ask;
use super::list::what;
use super::pull::is_manifest;
use super::{RegistryError, Repository};

impl Repository {
    pub(super) fn push_scopes(&self) -> [String; 1] {
        [self.scope("pull,push")]
    }

    /// Puts a manifest under a tag or its digest. Says whether the registry took note of its subject.
    fn put_manifest(&self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<bool, RegistryError> {
        let path = self.path(&format!("manifests/{reference}"));
        let scopes = self.push_scopes();
        let mut ask = Ask::new("PUT", &path, &scopes);
        ask.headers.push(("Content-Type", media_type.to_owned()));
        ask.body = Body::Bytes(bytes);
        let _slot = self.shared.upstream.writing.take();
        let response = self.shared.upstream.send(&ask, "write to", &self.full_name())?;
        match response.status {
            200..=202 => Ok(response.header("oci-subject").is_some()),
            _ => Err(self.refused(&format!("take the manifest {}", what(reference)), response)),
        }
    }

    fn push_manifest(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError> {
        let mut bytes = Vec::new();
        let mut content = VerifyingReader::of(content, descriptor).take(read::MAX_MANIFEST + 1);
        content.read_to_end(&mut bytes).map_err(|source| BlobError::Io {
            action: "read",
            path: format!("manifest {}", descriptor.digest),
            source,
        })?;
        let document = read::parsed(descriptor, &bytes, &self.full_name())?;
        let media_type = match (descriptor.media_type.as_str(), &document) {
            ("", read::Document::Manifest(manifest)) => {
                manifest.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST)
            }
            ("", read::Document::Index(index)) => index.media_type.as_deref().unwrap_or(media_type::OCI_INDEX),
            (declared, _) => declared,
        };
        let listed = self.put_manifest(descriptor.digest.as_str(), media_type, &bytes)?;
        if let Some(subject) = document.subject()
            && !listed
        {
            let subject = subject.digest.clone();
            let described = Descriptor { media_type: media_type.to_owned(), ..descriptor.clone() };
            self.list_as_referrer(&subject, &crate::layout::referrers::described(described, &document))?;
        }
        self.remember(&descriptor.digest, bytes);
        Ok(())
    }
}

impl BlobsMut for Repository {
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError> {
        if is_manifest(descriptor) {
            return self.push_manifest(descriptor, content);
        }
        // a transfer that breaks begins again, so the content must be there twice
        let failed =
            |source: std::io::Error| BlobError::Io { action: "keep", path: descriptor.digest.to_string(), source };
        let mut file = tempfile::tempfile().map_err(failed)?;
        std::io::copy(&mut VerifyingReader::of(content, descriptor), &mut file).map_err(failed)?;
        self.put_from(descriptor, &|from| -> Result<Box<dyn Read + Send>, BlobError> {
            let file = file.try_clone().map_err(failed)?;
            Ok(Box::new(At { file, at: from }))
        })
    }

    fn put_from(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        if is_manifest(descriptor) {
            return self.push_manifest(descriptor, &mut *source.open(0)?);
        }
        self.upload(descriptor, source)
    }

    fn adopt(&self, descriptor: &Descriptor, from: &Origin) -> Result<bool, BlobError> {
        if is_manifest(descriptor) || from.registry != self.shared.registry || from.repository == self.shared.name {
            return Ok(false);
        }
        Ok(self.mount(&descriptor.digest, &from.repository)?)
    }

    fn attach(&self, _subject: &Digest, _referrer: &Descriptor) -> Result<(), BlobError> {
        // putting the manifest has done it
        Ok(())
    }

    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        let bytes = match self.remembered(&descriptor.digest) {
            Some(bytes) => bytes,
            None => read::bytes(self, descriptor, "manifest")?,
        };
        let media_type = match descriptor.media_type.as_str() {
            "" => read::describe(self, &descriptor.digest, descriptor.size)?.media_type,
            declared => declared.to_owned(),
        };
        self.put_manifest(name, &media_type, &bytes)?;
        Ok(())
    }
}

/// Reads a file without moving a position that others share.
struct At {
    file: std::fs::File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(&self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
