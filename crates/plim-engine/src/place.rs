//! Where an image is: a name in the store, a layout, an archive; opened for reading.

use plim_oci::archive::Archive;
use plim_oci::layout::Layout;
use plim_oci::location::Location;
use plim_oci::{Blobs, Descriptor, Image, Platform, read};

use crate::{Failure, Workspace};

/// An image's bytes and the descriptor of its manifest or index.
pub(crate) struct Opened {
    /// Where its content is.
    pub(crate) blobs: Box<dyn Blobs>,
    /// Its manifest or index.
    pub(crate) root: Descriptor,
}

impl Opened {
    /// Reads the image for this machine's platform.
    pub(crate) fn image(&self) -> Result<Image, Failure> {
        Ok(read::image(&*self.blobs, &self.root, &Platform::host())?)
    }
}

/// Parses a place as the command line takes it.
pub(crate) fn parse(text: &str) -> Result<Location, Failure> {
    text.parse::<Location>().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
}

/// Opens the image that a text names.
pub(crate) fn open(workspace: &Workspace, text: &str) -> Result<Opened, Failure> {
    let location = parse(text)?;
    match location {
        Location::Name(reference) | Location::Store(reference) => {
            let store = workspace.store.clone();
            let root = store.resolve(&reference.to_string()).map_err(|error| {
                Failure::from_error(&error).hint(match nearest(&store, &reference.to_string()) {
                    Some(name) => format!("did you mean `{name}`? `plim images` lists the store"),
                    None => "`plim images` lists the store; `plim copy` brings images into it".to_owned(),
                })
            })?;
            Ok(Opened { blobs: Box::new(store), root })
        }
        Location::OciLayout { dir, tag } => {
            let layout = Layout::open(&dir)?;
            let root = only_or_named(&layout, tag.as_deref(), dir.as_str())?;
            Ok(Opened { blobs: Box::new(layout), root })
        }
        Location::OciArchive { file, tag } => {
            let archive = Archive::open(file.as_std_path())?;
            let root = archive.resolve(tag.as_deref().unwrap_or_default())?;
            Ok(Opened { blobs: Box::new(archive), root })
        }
        Location::DockerArchive { file, reference } => {
            let archive = Archive::open(file.as_std_path())?;
            let root = archive.resolve(&reference.map(|reference| reference.to_string()).unwrap_or_default())?;
            Ok(Opened { blobs: Box::new(archive), root })
        }
    }
}

/// The image of a layout: the one of the tag, or the only one.
fn only_or_named(layout: &Layout, tag: Option<&str>, place: &str) -> Result<Descriptor, Failure> {
    if let Some(tag) = tag {
        return Ok(layout.resolve(tag)?);
    }
    let mut names = layout.names()?;
    match names.len() {
        1 => Ok(names.remove(0).1),
        0 => Err(Failure::tool(format!("there is no image in {place}"))),
        _ => {
            let tags: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
            Err(Failure::tool(format!("there are {} images in {place}", tags.len()))
                .hint(format!("choose one: oci:{place}:TAG with a tag of {}", tags.join(", "))))
        }
    }
}

/// The name in the store that a misspelt one is nearest to.
fn nearest(store: &Layout, wanted: &str) -> Option<String> {
    let names = store.names().ok()?;
    names
        .into_iter()
        .map(|(name, _)| (strsim::levenshtein(&name, wanted), name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| name)
}
