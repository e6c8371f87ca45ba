//! `plim copy`, `plim save` and `plim load`.

use plim_engine::copy::{self, CopyRequest};
use plim_engine::{Failure, pull::Moved};

use super::{Context, pull};
use crate::Outcome;
use crate::args::copy::{Copy, Load, Save};
use crate::numbers::bytes;

/// Copies an image.
pub(crate) fn run(context: &Context<'_>, args: &Copy) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let request = CopyRequest {
        source: args.source.clone(),
        destination: args.destination.clone(),
        platform: args.platform.as_deref().map(pull::platform).transpose()?,
        referrers: !args.no_referrers,
        dry_run: args.dry_run,
        compression: args.layers.wanted(),
    };
    let moved = copy::copy(&workspace, &request, &context.progress())?;
    if args.destination == "-" {
        return Ok(Outcome::Good);
    }
    context.write(&args.output, &moved, || text(&moved, args.dry_run))?;
    if !args.dry_run {
        context.printer.next_step(&format!("plim analyze {}", moved.name));
    }
    Ok(Outcome::Good)
}

fn text(moved: &Moved, dry_run: bool) -> String {
    if dry_run {
        let (send, all) = (moved.copied_bytes, moved.copied_bytes + moved.present_bytes);
        return format!("{}: {} of {} to send\n", moved.name, bytes(send), bytes(all));
    }
    format!("{}\n{}", moved.digest, pull::layers(moved))
}

/// Writes an image into a file for `docker load`.
pub(crate) fn save(context: &Context<'_>, args: &Save) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let moved = copy::save(&workspace, &args.image, &args.file, args.layers.wanted(), &context.progress())?;
    context.write(&[super::TEXT], &moved, || text(&moved, false))?;
    Ok(Outcome::Good)
}

/// Brings an image from a file into the store.
pub(crate) fn load(context: &Context<'_>, args: &Load) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let names = copy::load(&workspace, &args.file, args.tag.as_deref(), &context.progress())?;
    context
        .printer
        .answer(&(names.join("\n") + "\n"))
        .map_err(|error| Failure::caused("failed to write to standard output", &error))?;
    if let Some(name) = names.first() {
        context.printer.next_step(&format!("plim analyze {name}"));
    }
    Ok(Outcome::Good)
}
