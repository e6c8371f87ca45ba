//! Where `plim build` writes what it built, besides the store.

use std::io::{Read as _, Write};

use camino::{Utf8Path, Utf8PathBuf};
use plim_build::snapshot::Ownership;
use plim_build::{Built, Root};
use plim_oci::compress::Compression;
use plim_oci::layout::{Layout, LayoutRepository};
use plim_oci::{
    Blobs as _, BlobsMut as _, Descriptor, Events, ObserveLayers as _, Origin, Platform, Reference, archive, copy,
};

use super::write_file;
use crate::copy::Cargo;
use crate::{Failure, Workspace, pull};

/// What to write, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageOutput {
    /// The store alone, which every build writes.
    Store,
    /// An OCI layout in one tar.
    OciArchive(Sink),
    /// An OCI layout.
    OciLayout(Utf8PathBuf),
    /// What `docker load` reads.
    DockerArchive(Sink),
    /// The files of the image, in a directory.
    Local(Utf8PathBuf),
    /// The files of the image, in one tar.
    Tar(Sink),
    /// Registries, under these names; without any, under those that the image gets in the store.
    Registry(Vec<String>),
}

/// A file or standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// A file, which appears when it is whole.
    File(Utf8PathBuf),
    /// Standard output.
    Stdout,
}

impl ImageOutput {
    /// Says whether standard output carries it.
    pub fn takes_stdout(&self) -> bool {
        matches!(self, Self::OciArchive(Sink::Stdout) | Self::DockerArchive(Sink::Stdout) | Self::Tar(Sink::Stdout))
    }
}

/// What was built: a manifest or index, and the image for each platform.
pub(super) struct Product<'a> {
    pub(super) root: &'a Descriptor,
    pub(super) images: &'a [(Platform, Built)],
    pub(super) tags: &'a [Reference],
}

/// Checks, before anything is built, that an output can be written.
pub(super) fn check(outputs: &[ImageOutput], tags: &[Reference], platforms: usize) -> Result<(), Failure> {
    if outputs.iter().filter(|output| output.takes_stdout()).count() > 1 {
        return Err(Failure::tool("two outputs want standard output").hint("give one of them a dest=FILE"));
    }
    for output in outputs {
        match output {
            ImageOutput::Registry(names) if names.is_empty() && tags.is_empty() => {
                return Err(
                    Failure::tool("the image has no name to be pushed under").hint("name it with -t REGISTRY/NAME:TAG")
                );
            }
            ImageOutput::DockerArchive(_) if platforms > 1 => {
                return Err(
                    Failure::tool("a docker archive holds one platform").hint("--output type=oci holds several")
                );
            }
            ImageOutput::Registry(names) => {
                names.iter().try_for_each(|name| pull::reference(name).map(drop))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes one output.
pub(super) fn write(
    workspace: &Workspace,
    product: &Product<'_>,
    output: &ImageOutput,
    events: &dyn Events,
) -> Result<(), Failure> {
    let store = &workspace.store;
    let name = product.tags.first();
    match output {
        ImageOutput::Store => {}
        ImageOutput::OciLayout(dir) => {
            let layout = Layout::create(dir)?;
            copy::copy(store, &layout, product.root, copy::Options::default(), events)?;
            layout.tag(name.and_then(Reference::tag).unwrap_or("latest"), product.root)?;
        }
        ImageOutput::OciArchive(sink) => {
            let tag = name.and_then(Reference::tag);
            sink.write(|out| Ok(archive::write_oci(store, product.root, tag, out)?))?;
        }
        ImageOutput::DockerArchive(sink) => {
            let [(_, built)] = product.images else { return Err(Failure::tool("a docker archive holds one platform")) };
            let names: Vec<Reference> = product.tags.to_vec();
            sink.write(|out| Ok(archive::write_docker(store, &built.image, &names, out)?))?;
        }
        ImageOutput::Local(dir) => {
            for (platform, built) in product.images {
                let into = if product.images.len() == 1 { dir.clone() } else { dir.join(folder(platform)) };
                local(workspace, &built.root, &into, events)?;
            }
        }
        ImageOutput::Tar(sink) => {
            let [(_, built)] = product.images else {
                return Err(Failure::tool("type=tar holds the files of one platform")
                    .hint("type=local writes a folder for each platform"));
            };
            tar(workspace, &built.root, sink, events)?;
        }
        ImageOutput::Registry(names) => {
            let given = names.iter().map(|name| pull::reference(name)).collect::<Result<Vec<_>, _>>()?;
            for target in if given.is_empty() { product.tags } else { &given } {
                let blobs = LayoutRepository::new(store.clone(), target);
                let cargo = Cargo { blobs: &blobs, root: product.root };
                let task = events.start(&format!("push {}", target.familiar()), None);
                let moved = pull::to_registry(workspace, &cargo, target, copy::Options::default(), events);
                events.finish(task, "", moved.is_err());
                moved?;
            }
        }
    }
    Ok(())
}

/// Returns the repositories to which outputs push.
pub(super) fn pushed(outputs: &[ImageOutput], tags: &[Reference]) -> Vec<Origin> {
    let given = outputs.iter().filter_map(|output| match output {
        ImageOutput::Registry(names) if names.is_empty() => Some(tags.to_vec()),
        ImageOutput::Registry(names) => Some(names.iter().filter_map(|name| name.parse().ok()).collect()),
        _ => None,
    });
    let origin = |reference: Reference| Origin {
        registry: reference.registry().to_owned(),
        repository: reference.repository().to_owned(),
    };
    given.flatten().map(origin).collect()
}

/// Says whether this process is the system's root, and no user in a namespace of their own.
fn is_superuser() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let owner = std::fs::metadata("/proc/self").map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata));
    all && owner.is_ok_and(|uid| uid == 0)
}

/// `linux/arm/v7` as a folder's name.
fn folder(platform: &Platform) -> String {
    platform.to_string().replace('/', "_")
}

fn local(workspace: &Workspace, root: &Root, dir: &Utf8Path, events: &dyn Events) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|error| Failure::caused(format!("failed to create {dir}"), &error))?;
    // in a user namespace that is not the system's, root is the user
    let ownership = if is_superuser() { Ownership::Kept } else { Ownership::Writer };
    let task = events.start(&format!("write {dir}"), None);
    let result = root.export(&workspace.build_state(), dir.as_std_path(), ownership, events);
    events.finish(task, "", result.is_err());
    result.map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
}

/// Writes all files as one tar: the layer that they would be.
fn tar(workspace: &Workspace, root: &Root, sink: &Sink, events: &dyn Events) -> Result<(), Failure> {
    let layer = root
        .flat_layer(&workspace.build_state(), Compression::None, None, events)
        .map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
    sink.write(|out| {
        let mut content = workspace.store.open(&layer.descriptor)?.take(layer.descriptor.size);
        std::io::copy(&mut content, out).map_err(|error| Failure::caused("failed to write the tar", &error))?;
        Ok(())
    })
}

/// Puts one layer in the place of those that the steps made. The history keeps the rows of instructions that change no
/// file.
pub(super) fn squash(
    workspace: &Workspace,
    built: &mut Built,
    compression: Compression,
    events: &dyn Events,
) -> Result<(), Failure> {
    let task = events.start("squash the layers", None);
    let observer = Some(workspace.indexes.observe());
    let layer = built.root.squashed_layer(&workspace.build_state(), compression, observer, events);
    events.finish(task, "", layer.is_err());
    let Some(layer) = layer.map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))? else {
        return Ok(());
    };
    let image = &built.image;
    let base = image.layers.len().saturating_sub(built.root.own_layers());
    let mut layers = image.layers[..base].to_vec();
    layers.push(layer.clone());
    let mut config = image.config.clone();
    let mut seen = 0;
    config.history.retain(|row| {
        seen += usize::from(!row.empty_layer);
        row.empty_layer || seen <= base
    });
    config.history.push(plim_oci::History {
        created: config.created.clone(),
        created_by: layer.created_by.clone(),
        ..plim_oci::History::default()
    });
    built.image = plim_oci::write::image(&workspace.store, &config, &layers, &image.manifest.annotations)?;
    Ok(())
}

impl Sink {
    fn write(&self, content: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
        match self {
            Self::File(path) => write_file(path, content),
            Self::Stdout => {
                let mut out = std::io::BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
                content(&mut out)?;
                out.flush().map_err(|error| Failure::caused("failed to write to standard output", &error))
            }
        }
    }
}
