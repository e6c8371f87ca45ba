//! Where an image is: a name in the store, a registry, a layout, an archive; opened for reading.

use std::sync::Arc;

use camino::Utf8Path;
use plim_build::snapshot::{Chain, LayerOptions, View, layer_from_dir};
use plim_index::{Inventory, LayerIndex};
use plim_oci::ObserveLayers as _;
use plim_oci::archive::Archive;
use plim_oci::daemon::{Daemon, DaemonError};
use plim_oci::layout::{Layout, LayoutRepository};
use plim_oci::location::{Engine, Location};
use plim_oci::registry::{RegistryError, Repository};
use plim_oci::{
    BlobError, Blobs, Compression, Descriptor, Events, Image, ImageConfig, Platform, Reference, read, write,
};

use crate::{Failure, Workspace, scratch};

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

    /// Goes on with the image for a platform alone, if one was asked for.
    pub(crate) fn for_platform(self, platform: Option<&Platform>) -> Result<Self, Failure> {
        let root = match platform {
            Some(platform) => read::select(&*self.blobs, &self.root, platform)?,
            None => self.root,
        };
        Ok(Self { blobs: self.blobs, root })
    }
}

/// Parses a place as the command line takes it.
pub(crate) fn parse(text: &str) -> Result<Location, Failure> {
    text.parse::<Location>().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
}

/// Opens the image that a text names.
pub(crate) fn open(workspace: &Workspace, text: &str, events: &dyn Events) -> Result<Opened, Failure> {
    let opened = match parse(text)? {
        Location::Name(reference) => match in_store(workspace, &reference)? {
            Some(opened) => Ok(opened),
            None => open_registry(workspace, &reference).map_err(|failure| {
                // a misspelt name of an image that is here is the likelier fault
                match nearest(&workspace.store, &reference.to_string()) {
                    Some(name) => failure.hint(format!("did you mean `{name}`? `plim images` lists the store")),
                    None => failure,
                }
            }),
        },
        Location::Store(reference) => in_store(workspace, &reference)?.ok_or_else(|| {
            Failure::tool(format!("{reference} is not in {}", workspace.store.place())).hint(
                match nearest(&workspace.store, &reference.to_string()) {
                    Some(name) => format!("did you mean `{name}`? `plim images` lists the store"),
                    None => {
                        "`plim images` lists the store; `plim pull` and `plim copy` bring images into it".to_owned()
                    }
                },
            )
        }),
        Location::Registry(reference) => open_registry(workspace, &reference),
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
        Location::Daemon { engine, image } => from_daemon(workspace, engine, &image, events),
        Location::RootFs(dir) => root_fs(workspace, &dir, events),
        Location::Stdio => {
            let archive = archive_from_stdin(workspace)?;
            let root = archive.resolve("")?;
            Ok(Opened { blobs: Box::new(archive), root })
        }
    };
    workspace.tell_warnings(events);
    opened
}

/// An image, and what is in it.
pub(crate) struct Known {
    /// The image for this machine's platform.
    pub(crate) image: Image,
    /// The indexes of its layers, lowest first.
    pub(crate) layers: Vec<Arc<LayerIndex>>,
    /// What they come to.
    pub(crate) inventory: Inventory,
}

/// Opens the image that a text names and reads its indexes, making those that are missing.
pub(crate) fn look_into(workspace: &Workspace, name: &str, events: &dyn Events) -> Result<Known, Failure> {
    let opened = open(workspace, name, events)?;
    let image = opened.image()?;
    known(workspace, name, &opened, image, events)
}

/// Reads the indexes of an image that was opened by a name, making those that are missing.
pub(crate) fn known(
    workspace: &Workspace,
    name: &str,
    opened: &Opened,
    image: Image,
    events: &dyn Events,
) -> Result<Known, Failure> {
    let layers = workspace
        .indexes
        .ensure_all(&image, &*opened.blobs, events)
        .map_err(|error| Failure::caused(format!("failed to read {name}"), &error))?;
    let inventory = plim_index::fold(&image.config, &layers);
    Ok(Known { image, layers, inventory })
}

/// Finds an image in the local store.
pub(crate) fn in_store(workspace: &Workspace, reference: &Reference) -> Result<Option<Opened>, Failure> {
    match workspace.store.resolve(&reference.to_string()) {
        Ok(root) => {
            workspace.store.mark_used(&reference.to_string());
            Ok(Some(Opened { blobs: Box::new(LayoutRepository::new(workspace.store.clone(), reference)), root }))
        }
        Err(BlobError::NoSuchName { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Finds an image in its registry.
pub(crate) fn open_registry(workspace: &Workspace, reference: &Reference) -> Result<Opened, Failure> {
    let (repository, root) = resolve(workspace, reference)?;
    Ok(Opened { blobs: Box::new(repository), root })
}

/// Asks a registry what a name stands for.
pub(crate) fn resolve(workspace: &Workspace, reference: &Reference) -> Result<(Repository, Descriptor), Failure> {
    let repository = repository(workspace, reference)?;
    let wanted = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    };
    let root = repository.resolve(&wanted).map_err(registry_failure)?;
    Ok((repository, root))
}

/// The repository of a name, if the network may be used.
pub(crate) fn repository(workspace: &Workspace, reference: &Reference) -> Result<Repository, Failure> {
    if workspace.host.offline {
        return Err(Failure::tool(format!("{} is not in the local store", reference.familiar()))
            .hint("without --offline its registry would be asked"));
    }
    workspace.registries.repository(reference).map_err(registry_failure)
}

/// Turns a registry's error into a failure.
pub(crate) fn registry_failure(error: RegistryError) -> Failure {
    Failure::from(BlobError::from(error))
}

/// Brings an image from an engine on this machine, by way of a file that is gone with the process.
fn from_daemon(workspace: &Workspace, engine: Engine, image: &str, events: &dyn Events) -> Result<Opened, Failure> {
    let task = events.start(&format!("fetch {image} from {}", engine.name()), None);
    let fetch = || -> Result<Opened, Failure> {
        let archive = daemon(workspace, engine)?.fetch(image, scratch::file(workspace)?).map_err(daemon_failure)?;
        // it holds the one image that was asked for, under whatever name
        let root = archive.resolve("")?;
        Ok(Opened { blobs: Box::new(archive), root })
    };
    let result = fetch();
    events.finish(task, "", result.is_err());
    result
}

/// Finds an engine on this machine.
pub(crate) fn daemon(workspace: &Workspace, engine: Engine) -> Result<Daemon, Failure> {
    let sockets = match engine {
        Engine::Docker => &workspace.host.docker,
        Engine::Podman => &workspace.host.podman,
    };
    Daemon::find(engine, sockets).map_err(daemon_failure)
}

/// Turns an engine's error into a failure.
pub(crate) fn daemon_failure(error: DaemonError) -> Failure {
    match error {
        DaemonError::Blob(error) => error.into(),
        error => Failure::from_error(&error).maybe_hint(error.hint()),
    }
}

/// Makes an image of a directory: one layer, and nothing to run.
fn root_fs(workspace: &Workspace, dir: &Utf8Path, events: &dyn Events) -> Result<Opened, Failure> {
    if !dir.is_dir() {
        return Err(Failure::tool(format!("{dir} is no directory")));
    }
    let options = LayerOptions {
        epoch: workspace.host.now.as_second(),
        compression: Compression::Gzip(1),
        created_by: format!("rootfs:{dir}"),
        frames: None,
    };
    let observer = Some(workspace.indexes.observe());
    let lower = View::new(&Chain::scratch());
    let layer = layer_from_dir(dir.as_std_path(), &lower, &workspace.store, &options, observer, events)
        .map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
    let config = ImageConfig::new(&Platform::host());
    let image = write::image(&workspace.store, &config, &[layer], &std::collections::BTreeMap::new())?;
    Ok(Opened { blobs: Box::new(workspace.store.clone()), root: image.descriptor })
}

/// Reads an archive from standard input, by way of a file: archives are read in no fixed order.
pub(crate) fn archive_from_stdin(workspace: &Workspace) -> Result<Archive, Failure> {
    let stdin = std::io::stdin();
    Ok(Archive::from_reader_by(stdin, scratch::file(workspace)?, "standard input")?)
}

/// The image of a layout: the one of the tag, or the only one.
fn only_or_named(layout: &Layout, tag: Option<&str>, place: &str) -> Result<Descriptor, Failure> {
    if let Some(tag) = tag {
        return Ok(layout.resolve(tag)?);
    }
    let mut names = layout.names()?;
    match names.len() {
        1 => Ok(names.remove(0).1),
        // a name is optional
        0 => match layout.index()?.manifests.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Failure::tool(format!("there is no image in {place}"))),
            several => {
                let digests: Vec<_> = several.iter().map(|manifest| manifest.digest.to_string()).collect();
                Err(Failure::tool(format!("there are {} images without a name in {place}", digests.len()))
                    .hint(format!("choose one: oci:{place}:DIGEST with a digest of {}", digests.join(", "))))
            }
        },
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
