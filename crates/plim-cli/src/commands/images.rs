//! `plim images`.

use plim_engine::Failure;
use plim_engine::images::{self, ImagesReport};

use super::Context;
use crate::Outcome;
use crate::args::images::Images;
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
