//! Where the images come from that a Dockerfile names.

use std::fmt;
use std::sync::Arc;

use plim_oci::{Digest, Events, Image, ImageConfig, Platform};

use crate::cache::Op;
use crate::snapshot::Chain;

/// Why a base image could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct BaseError {
    /// What went wrong.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl BaseError {
    /// Returns an error with a message and a hint.
    pub fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint }
    }
}

/// An image whose layers another thread is writing.
pub trait LateImage: Send + Sync + fmt::Debug {
    /// Waits for the image to be in the store. Asked again, it answers the same.
    fn wait(&self) -> Result<Arc<Image>, BaseError>;
}

/// An image that a Dockerfile names. Its configuration is known and its files can be had; its layers and its manifest may
/// still be on their way.
#[derive(Debug, Clone)]
pub struct Base {
    config: Arc<ImageConfig>,
    /// Names the files; none where there are none.
    id: Option<Digest>,
    /// The directories of the files, where it is known that they are unpacked.
    chain: Option<Chain>,
    image: Slot,
}

#[derive(Debug, Clone)]
enum Slot {
    There(Arc<Image>),
    Late(Arc<dyn LateImage>),
}

impl From<Image> for Base {
    /// Returns an image of the store as a base. The identity of its files is that of its layers: the same layers under
    /// another configuration are the same files.
    fn from(image: Image) -> Self {
        let id = (!image.layers.is_empty()).then(|| {
            let mut op = Op::new("base");
            op.list("layers", image.layers.iter().map(|layer| layer.diff_id.as_str()));
            op.finish()
        });
        Self { config: Arc::new(image.config.clone()), id, chain: None, image: Slot::There(Arc::new(image)) }
    }
}

impl Base {
    /// Returns a base that is unpacked while its layers are being written. `name` names its files: equal names mean equal
    /// files, and the results of steps are kept under it. So [`Base::named`] has to get the same one for the image later.
    pub fn unpacked(config: ImageConfig, name: &Digest, chain: Chain, image: Arc<dyn LateImage>) -> Self {
        Self { config: Arc::new(config), id: Some(id_of(name)), chain: Some(chain), image: Slot::Late(image) }
    }

    /// Returns an image of the store as a base whose files go by the name that they had before their layers were written.
    pub fn named(image: Image, name: &Digest) -> Self {
        Self { id: Some(id_of(name)), ..Self::from(image) }
    }

    /// Returns the configuration. The list of layers in it says nothing.
    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// Changes the configuration that stages begin with, not that of the image.
    #[must_use]
    pub fn with_config(mut self, change: impl FnOnce(&mut ImageConfig)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// Returns the image, as soon as it is in the store.
    pub fn image(&self) -> Result<Arc<Image>, BaseError> {
        match &self.image {
            Slot::There(image) => Ok(Arc::clone(image)),
            Slot::Late(image) => image.wait(),
        }
    }

    /// Returns what names the files in keys of steps; nothing where there are none.
    pub(crate) fn id(&self) -> Option<&Digest> {
        self.id.as_ref()
    }

    /// Returns the directories of the files, where it is known that they are unpacked.
    pub(crate) fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }
}

fn id_of(name: &Digest) -> Digest {
    let mut op = Op::new("base");
    op.field("name", name.as_str());
    op.finish()
}

/// Finds the images that FROM, `COPY --from` and `RUN --mount=from` name: in the store, in a registry, by
/// a recipe. The engine implements it.
pub trait BaseSource: Sync {
    /// Returns the image of that name for the platform, its blobs in the store or on their way there; `None` when nobody
    /// knows the name. It is called once for each name of a build, from several threads.
    fn base(&self, name: &str, platform: &Platform, events: &dyn Events) -> Result<Option<Base>, BaseError>;
}

/// Knows no image: for Dockerfiles that start from scratch.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBases;

impl BaseSource for NoBases {
    fn base(&self, _name: &str, _platform: &Platform, _events: &dyn Events) -> Result<Option<Base>, BaseError> {
        Ok(None)
    }
}
