//! `plim copy`: an image from one place to another.

use plim_oci::layout::Layout;
use plim_oci::location::Location;
use plim_oci::{BlobsMut as _, Digest, Events, archive, copy as transfer};
use serde::Serialize;

use crate::build::write_file;
use crate::{Failure, Workspace, place};

/// What was copied.
#[derive(Debug, Serialize)]
pub struct CopyReport {
    /// Digest of the manifest or index at the destination.
    pub digest: Digest,
    /// The destination, as it can be given to the next command.
    pub destination: String,
}

/// Copies an image; content that is there already is not copied again.
pub fn copy(
    workspace: &Workspace,
    source: &str,
    destination: &str,
    events: &dyn Events,
) -> Result<CopyReport, Failure> {
    let target = place::parse(destination)?;
    let opened = place::open(workspace, source)?;
    let task = events.start(&format!("copy {source}"), None);
    let result = match &target {
        Location::Name(name) | Location::Store(name) => {
            transfer::copy(&*opened.blobs, &workspace.store, &opened.root, transfer::Options::default(), events)
                .and_then(|_| workspace.store.tag(&name.to_string(), &opened.root))
                .map_err(Failure::from)
        }
        Location::OciLayout { dir, tag } => Layout::create(dir)
            .and_then(|layout| {
                transfer::copy(&*opened.blobs, &layout, &opened.root, transfer::Options::default(), events)?;
                layout.tag(tag.as_deref().unwrap_or("latest"), &opened.root)
            })
            .map_err(Failure::from),
        Location::OciArchive { file, tag } => {
            write_file(file, |out| Ok(archive::write_oci(&*opened.blobs, &opened.root, tag.as_deref(), out)?))
        }
        Location::DockerArchive { file, reference } => opened.image().and_then(|image| {
            let names: Vec<_> = reference.iter().cloned().collect();
            write_file(file, |out| Ok(archive::write_docker(&*opened.blobs, &image, &names, out)?))
        }),
    };
    events.finish(task, "", result.is_err());
    result?;
    Ok(CopyReport { digest: opened.root.digest, destination: target.to_string() })
}
