//! What tests of all crates share: layers and images in a few lines, tars that no writer would write, a temporary layout,
//! a recorder of events, a loopback HTTP server with bad manners, a registry with switches, a container engine on a
//! socket, what says that a tool is missing, and the way to the fixtures.
//!
//! Everything here panics with a message when something goes wrong: that is what a test wants.

pub mod chunked;
pub mod engine;
pub mod events;
pub mod http;
pub mod image;
pub mod layer;
pub mod layout;
pub mod observe;
pub mod paths;
pub mod raw;
pub mod registry;
pub mod tls;
pub mod tools;

pub use events::Recorder;
pub use image::ImageBuilder;
pub use layer::LayerBuilder;
pub use layout::TempLayout;
pub use observe::Seen;
pub use paths::{repo_root, shared, shared_dir};
pub use raw::RawTar;
