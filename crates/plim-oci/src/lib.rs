//! Images as data and moving them: digests, references, manifests, the store, archives, layer tars.
//!
//! This is the lowest floor: everything above speaks in its types. Values are plain data; bytes are
//! reached only through [`Blobs`].

pub mod archive;
pub mod blobs;
pub mod compress;
pub mod config;
pub mod convert;
pub mod copy;
pub mod daemon;
pub mod descriptor;
pub mod digest;
pub mod entry;
pub mod events;
pub mod http;
pub mod image;
pub mod layout;
pub mod location;
pub mod lock;
pub mod manifest;
pub mod probe;
pub mod read;
pub mod reference;
pub mod registry;
pub mod tar;
pub mod verify;
pub mod write;

pub use blobs::{BlobError, Blobs, BlobsMut, Origin, Source};
pub use compress::{Compression, LayerForm, LayerWriter, form_name};
pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::{Descriptor, Platform, media_type};
pub use digest::{Digest, DigestError, Hasher};
pub use entry::{EntryHead, EntryKind, LayerObserver, ObserveLayers};
pub use events::{CACHED, Events, Silent, TaskId};
pub use image::{Image, Layer};
pub use layout::Layout;
pub use location::{Location, LocationError};
pub use manifest::{Index, Manifest};
pub use reference::{Reference, ReferenceError};
