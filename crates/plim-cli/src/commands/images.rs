//! `plim images`, `plim inspect`, `plim tag`, `plim rm` and `plim prune`.

use plim_engine::Failure;
use plim_engine::images::{self, ImagesReport};
use plim_engine::{inspect, store};

use super::{Context, pull};
use crate::Outcome;
use crate::args::images::{Images, Inspect, Prune, Rm, Tag};
use crate::numbers::{Table, bytes};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Images) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let report = images::images(&workspace, &context.progress())?;
    context.write(&args.output, &report, || text(&report))?;
    if report.images.is_empty() {
        context.printer.next_step("plim build -t NAME .");
    }
    Ok(Outcome::Good)
}

fn text(report: &ImagesReport) -> String {
    if report.images.is_empty() {
        return "there are no images in the store\n".to_owned();
    }
    let mut table = Table::new(3);
    table.row(["name", "digest", "platform", "layers", "download"]);
    for image in &report.images {
        table.row([
            image.name.as_str(),
            image.digest.short(),
            &image.platform,
            &image.layers.to_string(),
            &bytes(image.compressed_bytes),
        ]);
    }
    table.render()
}

/// Shows a manifest and a configuration.
pub(crate) fn inspect(context: &Context<'_>, args: &Inspect) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let platform = args.platform.as_deref().map(pull::platform).transpose()?;
    let what = match (args.raw, args.image_config) {
        (true, _) => inspect::What::Raw,
        (_, true) => inspect::What::Config,
        _ => inspect::What::Both,
    };
    let text = inspect::inspect(&workspace, &args.image, platform.as_ref(), what, &context.progress())?;
    answer(context, &text)
}

/// Gives an image another name.
pub(crate) fn tag(context: &Context<'_>, args: &Tag) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let digest = store::tag(&workspace, &args.name, &args.new_name)?;
    answer(context, &format!("{digest}\n"))
}

/// Takes names away.
pub(crate) fn rm(context: &Context<'_>, args: &Rm) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let removed = store::remove(&workspace, &args.names)?;
    answer(context, &freed(&removed))
}

/// Removes what nothing needs.
pub(crate) fn prune(context: &Context<'_>, args: &Prune) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let request = store::PruneRequest { keep_gb: args.keep_gb, older_than: args.older_than, dry_run: args.dry_run };
    let pruned = store::prune(&workspace, &request)?;
    let mut text = String::new();
    for (name, days) in &pruned.names {
        let ago = if *days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        text.push_str(&format!("{name}  not used for {ago}\n"));
    }
    let (blobs, unpacked, cache) = (bytes(pruned.blobs_bytes), bytes(pruned.unpacked_bytes), bytes(pruned.cache_bytes));
    let parts = format!("{blobs} of images, {unpacked} of unpacked layers, {cache} of caches");
    if args.dry_run {
        text.push_str(&format!("{} would be freed: {parts}\n", bytes(pruned.bytes())));
    } else {
        text.push_str(&freed(&store::Removed { freed_bytes: pruned.bytes(), busy: pruned.busy }));
        if args.older_than.is_some() {
            text.push_str(&format!("{parts}\n"));
        }
    }
    answer(context, &text)
}

fn freed(removed: &store::Removed) -> String {
    let busy = if removed.busy { "; another plim uses the store, so its blobs stay until the next time" } else { "" };
    format!("{} freed{busy}\n", bytes(removed.freed_bytes))
}

fn answer(context: &Context<'_>, text: &str) -> Result<Outcome, Failure> {
    let failed = |error: std::io::Error| Failure::caused("failed to write to standard output", &error);
    context.printer.answer(text).map_err(failed)?;
    Ok(Outcome::Good)
}
