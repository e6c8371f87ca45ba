//! A base image that is there, or will be: what the builder gets of it, and how it waits.

use std::sync::Arc;

use plim_build::snapshot::Chain;
use plim_build::{Base, BaseError, LateImage};
use plim_oci::{Image, ImageConfig};

use super::Record;
use super::pending::Pending;
use crate::Failure;

/// A base image with what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The image, in the store.
    pub(crate) image: Arc<Image>,
    pub(super) record: Record,
}

/// A base image that is there, or whose files are.
#[derive(Debug)]
pub(crate) enum Ensured {
    /// It is in the store.
    There(Box<Made>),
    /// Its layers are being written.
    Growing(Box<Growing>),
}

/// A base image whose layers are being written.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(super) config: ImageConfig,
    pub(super) chain: Chain,
    pub(super) made: Pending<Made>,
}

impl Ensured {
    /// Waits until the image is in the store.
    pub(crate) fn wait(self) -> Result<Made, Failure> {
        match self {
            Self::There(made) => Ok(*made),
            Self::Growing(growing) => growing.made.wait(),
        }
    }

    /// Returns it as what FROM stands on.
    pub(crate) fn into_base(self) -> Base {
        match self {
            Self::There(made) => Base::named(Arc::unwrap_or_clone(made.image), &made.record.files),
            Self::Growing(growing) => {
                let Growing { config, chain, made } = *growing;
                let files = chain.id.clone();
                Base::unpacked(config, &files, chain, Arc::new(Late(made)))
            }
        }
    }
}

/// Lets the builder wait for an image.
#[derive(Debug)]
struct Late(Pending<Made>);

impl LateImage for Late {
    fn wait(&self) -> Result<Arc<Image>, BaseError> {
        self.0.wait().map(|made| made.image).map_err(|failure| {
            BaseError::new([vec![failure.message], failure.causes].concat().join(": "), failure.hint)
        })
    }
}
