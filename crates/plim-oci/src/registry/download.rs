//! A blob on its way from a registry, asked for again where a connection breaks.

use std::io::{self, Read};
use std::sync::Arc;

use crate::Descriptor;

use super::host::Host;
use super::slots::Slot;
use super::{RegistryError, Repository};

/// Reads a blob. As long as bytes come there is no reason to give up.
pub(super) struct Download {
    pub(super) repository: Repository,
    pub(super) host: Arc<Host>,
    pub(super) descriptor: Descriptor,
    /// Bytes so far, those before the beginning included.
    pub(super) at: u64,
    pub(super) body: Option<Box<dyn Read + Send>>,
    pub(super) failures: u32,
    pub(super) _slot: Slot,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let failure = match &mut self.body {
                Some(body) => match body.read(buffer) {
                    Ok(0) if self.at >= self.descriptor.size => return Ok(0),
                    Ok(0) => io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended early"),
                    Ok(count) => {
                        self.at += count as u64;
                        self.failures = 0;
                        return Ok(count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => error,
                },
                None => match self.repository.blob_at(&self.host, &self.descriptor.digest, self.at) {
                    Ok(body) => {
                        self.body = Some(body);
                        continue;
                    }
                    Err(RegistryError::Http { source, .. }) => io::Error::other(source),
                    Err(error) => return Err(io::Error::other(error)),
                },
            };
            self.body = None;
            self.failures += 1;
            let retry = self.host.retry();
            if self.failures >= retry.attempts {
                return Err(failure);
            }
            tracing::debug!(digest = %self.descriptor.digest, at = self.at, error = %failure, "asking for the rest");
            std::thread::sleep(retry.pause(self.failures, None));
        }
    }
}
