//! The images that a plan names, each fetched once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use plim_oci::{Events, Platform};

use crate::base::{Base, BaseError, BaseSource};

/// An image as a Dockerfile names it, and the platform it is wanted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ImageKey {
    /// The name, as written or as a named context gives it.
    pub(crate) name: String,
    /// The platform.
    pub(crate) platform: Platform,
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The images that were fetched.
#[derive(Debug, Default)]
pub(crate) struct Images {
    found: BTreeMap<ImageKey, Arc<Base>>,
}

impl Images {
    /// Returns an image that was fetched.
    pub(crate) fn get(&self, key: &ImageKey) -> Option<&Arc<Base>> {
        self.found.get(key)
    }

    /// Returns all images that were fetched, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ImageKey, &Arc<Base>)> {
        self.found.iter()
    }

    /// Fetches those of the images that are not there yet, at the same time: each costs round trips to a
    /// registry. Returns the first failure with its image.
    pub(crate) fn fetch(
        &mut self,
        keys: BTreeSet<ImageKey>,
        bases: &dyn BaseSource,
        events: &dyn Events,
    ) -> Result<(), Box<(ImageKey, BaseError)>> {
        let missing: Vec<ImageKey> = keys.into_iter().filter(|key| !self.found.contains_key(key)).collect();
        let fetch = |key: &ImageKey| match bases.base(&key.name, &key.platform, events) {
            Ok(Some(image)) => Ok(image),
            Ok(None) => Err(unknown(key)),
            Err(error) => Err(error),
        };
        let results: Vec<Result<Base, BaseError>> = match &missing[..] {
            [only] => vec![fetch(only)],
            all => std::thread::scope(|scope| {
                let running: Vec<_> = all.iter().map(|key| scope.spawn(|| fetch(key))).collect();
                running
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect()
            }),
        };
        for (key, result) in missing.into_iter().zip(results) {
            match result {
                Ok(image) => self.found.insert(key, Arc::new(image)),
                Err(error) => return Err(Box::new((key, error))),
            };
        }
        Ok(())
    }
}

fn unknown(key: &ImageKey) -> BaseError {
    BaseError::new(
        format!("no image {} for {} is known", key.name, key.platform),
        Some("pull or build it first, or check the name".to_owned()),
    )
}
