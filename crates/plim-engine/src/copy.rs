//! `plim copy`: an image from one place to another.

use camino::Utf8Path;
use plim_oci::archive::Archive;
use plim_oci::convert::Overlay;
use plim_oci::copy::{self as transfer, CopyReport, Options};
use plim_oci::layout::Layout;
use plim_oci::location::Location;
use plim_oci::{Blobs, BlobsMut as _, Descriptor, Events, ObserveLayers, Platform, Reference, archive, read};

use crate::build::write_file;
use crate::place::Opened;
use crate::pull::{IndexingStore, Moved};
use crate::recompress::{self, Recompressed, Recompression};
use crate::scratch::Scratch;
use crate::{Failure, Workspace, place, pull};

/// What `plim copy` is asked to do.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// From where.
    pub source: String,
    /// To where.
    pub destination: String,
    /// Of an index only the image for this platform.
    pub platform: Option<Platform>,
    /// What is about the images, too: signatures, attestations, SBOMs.
    pub referrers: bool,
    /// Nothing is written; the report says what would be.
    pub dry_run: bool,
    /// The layers in another form.
    pub compression: Option<Recompression>,
}

/// Copies an image; content that is there already is not copied again.
pub fn copy(workspace: &Workspace, request: &CopyRequest, events: &dyn Events) -> Result<Moved, Failure> {
    let target = place::parse(&request.destination)?;
    refuse(&target, request)?;
    let opened = place::open(workspace, &request.source, events)?.for_platform(request.platform.as_ref())?;
    let options = Options { referrers: request.referrers, dry_run: request.dry_run, platform: None };
    let task = events.start(&format!("copy {}", request.source), None);
    let result = match request.compression {
        None => send(workspace, &Cargo::of(&opened), &target, options, events),
        Some(recompression) => recompressed(workspace, &opened, recompression, &target, options, events),
    };
    workspace.tell_warnings(events);
    events.finish(task, "", result.is_err());
    result
}

/// Refuses what cannot be, before anything is read.
fn refuse(target: &Location, request: &CopyRequest) -> Result<(), Failure> {
    match target {
        Location::RootFs(_) => Err(Failure::tool("an image cannot be copied to rootfs:")
            .hint("`plim build --output type=local` writes a directory")),
        // an archive has no list of what is about an image
        Location::OciArchive { .. } | Location::DockerArchive { .. } | Location::Stdio | Location::Daemon { .. }
            if request.dry_run =>
        {
            Err(Failure::tool(format!("--dry-run knows nothing of {target}: the image is always written whole")))
        }
        Location::DockerArchive { .. } if request.compression.is_some() => {
            Err(Failure::tool(format!("the layers in {target} are never compressed"))
                .hint("oci-archive:FILE takes any compression; Docker from version 25 on and Podman load it"))
        }
        Location::Daemon { engine, .. } if request.compression.is_some() => {
            Err(Failure::tool(format!("{} keeps layers in its own form", engine.name()))
                .hint("leave out --compression: the image is handed over uncompressed"))
        }
        _ if request.dry_run && request.compression.is_some() => {
            Err(Failure::tool("--dry-run cannot tell how large layers would be that are compressed anew"))
        }
        _ => Ok(()),
    }
}

/// An image as it is sent: its bytes and the descriptor of its manifest or index.
pub(crate) struct Cargo<'a> {
    pub(crate) blobs: &'a dyn Blobs,
    pub(crate) root: &'a Descriptor,
}

impl<'a> Cargo<'a> {
    /// Returns an image as it was opened.
    pub(crate) fn of(opened: &'a Opened) -> Self {
        Self { blobs: &*opened.blobs, root: &opened.root }
    }
}

/// Writes an image to a place.
fn send(
    workspace: &Workspace,
    cargo: &Cargo<'_>,
    target: &Location,
    options: Options<'_>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let name = target.to_string();
    let Cargo { blobs, root } = *cargo;
    match target {
        Location::Name(reference) | Location::Store(reference) => {
            let store = IndexingStore::new(workspace, reference, events);
            let report = transfer::copy(blobs, &store, root, options, events)?;
            if !options.dry_run {
                workspace.store.tag(&reference.to_string(), root)?;
            }
            Ok(Moved::new(name, root, report))
        }
        Location::Registry(reference) => {
            pull::to_registry(workspace, cargo, reference, options, events).map(|moved| Moved { name, ..moved })
        }
        Location::OciLayout { dir, tag } => {
            let tag = tag.as_deref().unwrap_or("latest");
            let layout = Layout::create(dir)?;
            let report = transfer::copy(blobs, &layout, root, options, events)?;
            if !options.dry_run {
                layout.tag(tag, root)?;
            }
            Ok(Moved::new(name, root, report))
        }
        Location::OciArchive { file, tag } => {
            write_file(file, |out| Ok(archive::write_oci(blobs, root, tag.as_deref(), out)?))?;
            Ok(Moved::new(name, root, CopyReport::default()))
        }
        Location::DockerArchive { file, reference } => {
            let image = read::image(blobs, root, &Platform::host())?;
            let names: Vec<_> = reference.iter().cloned().collect();
            write_file(file, |out| Ok(archive::write_docker(blobs, &image, &names, out)?))?;
            Ok(Moved::new(name, root, CopyReport::default()))
        }
        Location::Stdio => {
            archive::write_oci(blobs, root, None, &mut std::io::stdout().lock())?;
            Ok(Moved::new(name, root, CopyReport::default()))
        }
        Location::Daemon { engine, image } => {
            let reference = pull::reference(image)?;
            if reference.digest().is_some() {
                return Err(Failure::tool(format!("{} takes no digest as a name", engine.name()))
                    .hint(format!("give a name and a tag, such as {}:shop:1", engine.scheme())));
            }
            let image = read::image(blobs, root, &Platform::host())?;
            let reference =
                reference.with_tag(reference.tag().unwrap_or("latest")).map_err(|error| Failure::from_error(&error))?;
            let daemon = place::daemon(workspace, *engine)?;
            daemon
                .load(&|out| archive::write_docker(blobs, &image, std::slice::from_ref(&reference), out))
                .map_err(place::daemon_failure)?;
            Ok(Moved::new(name, root, CopyReport::default()))
        }
        Location::RootFs(_) => Err(Failure::tool("an image cannot be copied to rootfs:")),
    }
}

/// Writes an image to a place with its layers in another form.
fn recompressed(
    workspace: &Workspace,
    opened: &Opened,
    recompression: Recompression,
    target: &Location,
    options: Options<'_>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    // where the new blobs go anyway they are written at once
    let scratch;
    let layout;
    let (into, observe): (&Layout, Option<&dyn ObserveLayers>) = match target {
        Location::Name(_) | Location::Store(_) => (&workspace.store, Some(&workspace.indexes)),
        Location::OciLayout { dir, .. } => {
            layout = Layout::create(dir)?;
            (&layout, None)
        }
        _ => {
            scratch = Scratch::new(workspace)?;
            (scratch.layout(), None)
        }
    };
    let done = recompress::convert(opened, into, recompression, observe, options.referrers, events)?;
    let overlay = Overlay::new(into, &*opened.blobs);
    let mut moved = send(workspace, &Cargo { blobs: &overlay, root: &done.root }, target, options, events)?;
    if matches!(target, Location::Name(_) | Location::Store(_) | Location::OciLayout { .. }) {
        // they were there only because they had just been made
        let bytes = done.written.iter().map(|blob| blob.size).sum::<u64>();
        moved.copied += done.written.len();
        moved.copied_bytes += bytes;
        moved.present_bytes = moved.present_bytes.saturating_sub(bytes);
    }
    moved.recompressed = Some(Recompressed::of(&done));
    Ok(moved)
}

/// Writes an image into a file that `docker load` takes: one of Docker's kind, or of OCI's where the layers are to be
/// compressed.
pub fn save(
    workspace: &Workspace,
    image: &str,
    file: &Utf8Path,
    compression: Option<Recompression>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let name = match place::parse(image)? {
        Location::Name(reference) | Location::Store(reference) | Location::Registry(reference) => {
            format!(":{reference}")
        }
        _ => String::new(),
    };
    let kind = if compression.is_some() { "oci-archive" } else { "docker-archive" };
    let destination = format!("{kind}:{file}{name}");
    let platform = compression.is_some().then(Platform::host);
    let source = image.to_owned();
    copy(workspace, &CopyRequest { source, destination, platform, compression, ..CopyRequest::default() }, events)
}

/// Brings the images of an archive into the store, under the names that they have there or under one that is given.
pub fn load(workspace: &Workspace, file: &str, tag: Option<&str>, events: &dyn Events) -> Result<Vec<String>, Failure> {
    if let Ok(Location::Daemon { image, .. }) = file.parse() {
        let reference = pull::reference(tag.unwrap_or(&image))
            .map_err(|failure| if tag.is_none() { failure.hint("give it a name with --tag NAME") } else { failure })?;
        let request = CopyRequest {
            source: file.to_owned(),
            destination: format!("store:{reference}"),
            ..CopyRequest::default()
        };
        copy(workspace, &request, events)?;
        return Ok(vec![reference.familiar()]);
    }
    let archive = if file == "-" {
        place::archive_from_stdin(workspace)?
    } else {
        Archive::open(Utf8Path::new(file).as_std_path())?
    };
    let images: Vec<(Reference, Descriptor)> = match tag {
        Some(tag) => vec![(pull::reference(tag)?, archive.resolve("")?)],
        None => archive
            .names()
            .into_iter()
            .map(|(name, root)| Ok((pull::reference(&name)?, root)))
            .collect::<Result<_, Failure>>()?,
    };
    if images.is_empty() {
        return Err(Failure::tool(format!("the image in {file} has no name")).hint("give it one with --tag NAME"));
    }
    let mut names = Vec::new();
    for (reference, root) in images {
        let store = IndexingStore::new(workspace, &reference, events);
        transfer::copy(&archive, &store, &root, Options { referrers: true, ..Options::default() }, events)?;
        workspace.store.tag(&reference.to_string(), &root)?;
        names.push(reference.familiar());
    }
    Ok(names)
}
