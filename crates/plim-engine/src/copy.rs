//! `plim copy`: an image from one place to another.

use camino::Utf8Path;
use plim_oci::archive::Archive;
use plim_oci::copy::{self as transfer, CopyReport, Options};
use plim_oci::layout::Layout;
use plim_oci::location::Location;
use plim_oci::{BlobsMut as _, Descriptor, Events, Platform, Reference, archive};

use crate::build::write_file;
use crate::pull::{IndexingStore, Moved};
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
}

/// Copies an image; content that is there already is not copied again.
pub fn copy(workspace: &Workspace, request: &CopyRequest, events: &dyn Events) -> Result<Moved, Failure> {
    let target = place::parse(&request.destination)?;
    let opened = place::open(workspace, &request.source, events)?.for_platform(request.platform.as_ref())?;
    let options = Options { referrers: request.referrers, dry_run: request.dry_run, platform: None };
    let task = events.start(&format!("copy {}", request.source), None);
    let name = target.to_string();
    let (blobs, root) = (&*opened.blobs, &opened.root);
    let result = match &target {
        Location::Name(reference) | Location::Store(reference) => {
            let store = IndexingStore::new(workspace, reference, events);
            transfer::copy(blobs, &store, root, options, events).map_err(Failure::from).and_then(|report| {
                if !options.dry_run {
                    workspace.store.tag(&reference.to_string(), root)?;
                }
                Ok(Moved::new(name, root, report))
            })
        }
        Location::Registry(reference) => {
            pull::to_registry(workspace, &opened, reference, options, events).map(|moved| Moved { name, ..moved })
        }
        Location::OciLayout { dir, tag } => {
            let tag = tag.as_deref().unwrap_or("latest");
            Layout::create(dir).map_err(Failure::from).and_then(|layout| {
                let report = transfer::copy(blobs, &layout, root, options, events)?;
                if !options.dry_run {
                    layout.tag(tag, root)?;
                }
                Ok(Moved::new(name, root, report))
            })
        }
        // an archive has no list of what is about an image
        Location::OciArchive { .. } | Location::DockerArchive { .. } | Location::Stdio if options.dry_run => {
            Err(Failure::tool(format!("--dry-run knows nothing of {target}: an archive is always written whole")))
        }
        Location::OciArchive { file, tag } => {
            write_file(file, |out| Ok(archive::write_oci(blobs, root, tag.as_deref(), out)?))
                .map(|()| Moved::new(name, root, CopyReport::default()))
        }
        Location::DockerArchive { file, reference } => opened.image().and_then(|image| {
            let names: Vec<_> = reference.iter().cloned().collect();
            write_file(file, |out| Ok(archive::write_docker(blobs, &image, &names, out)?))?;
            Ok(Moved::new(name, root, CopyReport::default()))
        }),
        Location::Stdio => archive::write_oci(blobs, root, None, &mut std::io::stdout().lock())
            .map_err(Failure::from)
            .map(|()| Moved::new(name, root, CopyReport::default())),
        Location::RootFs(_) => Err(Failure::tool("an image cannot be copied to rootfs:")
            .hint("`plim build --output type=local` writes a directory")),
    };
    workspace.tell_warnings(events);
    events.finish(task, "", result.is_err());
    result
}

/// Writes an image into a file that `docker load` takes.
pub fn save(workspace: &Workspace, image: &str, file: &Utf8Path, events: &dyn Events) -> Result<Moved, Failure> {
    let name = match place::parse(image)? {
        Location::Name(reference) | Location::Store(reference) | Location::Registry(reference) => {
            format!(":{reference}")
        }
        _ => String::new(),
    };
    let destination = format!("docker-archive:{file}{name}");
    copy(workspace, &CopyRequest { source: image.to_owned(), destination, ..CopyRequest::default() }, events)
}

/// Brings the images of an archive into the store, under the names that they have there or under one that is given.
pub fn load(workspace: &Workspace, file: &str, tag: Option<&str>, events: &dyn Events) -> Result<Vec<String>, Failure> {
    let archive =
        if file == "-" { place::archive_from_stdin()? } else { Archive::open(Utf8Path::new(file).as_std_path())? };
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
