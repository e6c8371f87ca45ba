//! Names are looked up once a minute, not once a request: four hundred packages from one mirror are four hundred requests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is used again.
const KEPT: Duration = Duration::from_mins(1);

/// The system's resolver with a short memory.
#[derive(Debug, Default)]
pub(super) struct RememberingResolver {
    inner: DefaultResolver,
    known: Mutex<HashMap<String, (Instant, ResolvedSocketAddrs)>>,
}

impl Resolver for RememberingResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return self.inner.resolve(uri, config, timeout);
        };
        let Some(key) = DefaultResolver::host_and_port(scheme, authority) else {
            return self.inner.resolve(uri, config, timeout);
        };
        let known = |key: &str| {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(key).filter(|(when, _)| when.elapsed() < KEPT).map(|(_, addresses)| addresses.clone())
        };
        if let Some(addresses) = known(&key) {
            return Ok(addresses);
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        let mut memory = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        memory.insert(key, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}
