//! An image's layers in another form, for those who move it.

use plim_oci::convert::{self, Conversion, Converted};
use plim_oci::layout::Layout;
use plim_oci::{Events, LayerForm, ObserveLayers};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Failure;
use crate::place::Opened;
use crate::pull::for_one_platform;

/// How layers are to be stored at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recompression {
    /// The form.
    pub form: LayerForm,
    /// Those that have the form already are stored anew, too.
    pub force: bool,
}

/// What became of the layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recompressed {
    /// Layers that were stored anew.
    pub layers: usize,
    /// Layers that had the form already.
    pub kept: usize,
    /// Bytes of the layers that were stored anew, before.
    pub before_bytes: u64,
    /// And after.
    pub after_bytes: u64,
}

impl Recompressed {
    /// Returns what a conversion did.
    pub(crate) fn of(done: &Converted) -> Self {
        Self { layers: done.layers, kept: done.kept, before_bytes: done.before, after_bytes: done.after }
    }
}

/// Stores the layers of an image in another form, and says what is true of it no more.
pub(crate) fn convert(
    opened: &Opened,
    into: &Layout,
    wanted: Recompression,
    observe: Option<&dyn ObserveLayers>,
    referrers: bool,
    events: &dyn Events,
) -> Result<Converted, Failure> {
    let conversion = Conversion { form: wanted.form, force: wanted.force, observe };
    let done = convert::convert(&*opened.blobs, into, &opened.root, conversion, events).map_err(for_one_platform)?;
    if done.changed.is_empty() {
        return Ok(done);
    }
    let about = done.left_out.len() + if referrers { convert::about(&*opened.blobs, &done.changed)? } else { 0 };
    if about > 0 {
        let what = if about == 1 {
            "1 signature or the like stays".to_owned()
        } else {
            format!("{about} signatures and the like stay")
        };
        events.warn(&format!(
            "{what} behind: with its layers compressed anew the image has another digest ({}), and they are about the \
             old one ({})",
            done.root.digest, opened.root.digest
        ));
    }
    Ok(done)
}
