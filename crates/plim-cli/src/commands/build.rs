//! `plim build`.

use std::io::Read as _;

use plim_engine::Failure;
use plim_engine::build::{self, BuildRequest, DockerfileSource};

use super::{Context, build_options, parse};
use crate::Outcome;
use crate::args::build::Build;
use crate::numbers::{bytes, plural};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Build) -> Result<Outcome, Failure> {
    let dockerfile = match &args.file {
        Some(path) if path == "-" => {
            let mut text = Vec::new();
            std::io::stdin()
                .take(8 << 20)
                .read_to_end(&mut text)
                .map_err(|error| Failure::caused("failed to read the Dockerfile from standard input", &error))?;
            DockerfileSource::Text { name: "Dockerfile".to_owned(), text }
        }
        Some(path) => DockerfileSource::File(path.clone()),
        None => DockerfileSource::Default,
    };
    let pairs =
        |flag: &str, texts: &[String]| texts.iter().map(|text| parse::pair(flag, text)).collect::<Result<Vec<_>, _>>();
    let request = BuildRequest {
        context: args.context.clone(),
        dockerfile,
        tags: args.tag.clone(),
        target: args.target.clone(),
        build_args: parse::build_args(&args.build_arg)?,
        labels: pairs("label", &args.label)?,
        secrets: args.secret.iter().map(|text| parse::secret(text)).collect::<Result<_, _>>()?,
        contexts: pairs("build-context", &args.build_context)?,
        no_cache: args.no_cache,
        platforms: args.platform.clone(),
        compression: args.compression.clone(),
        outputs: args.output.iter().map(|text| parse::output(text)).collect::<Result<_, _>>()?,
        extra_hosts: args.add_host.iter().map(|text| parse::extra_host(text)).collect::<Result<_, _>>()?,
        options: build_options(&args.network, &args.bases),
    };
    let workspace = context.workshop(&args.context, &args.isolation)?;
    let report = build::build(&workspace, &request, &context.progress())?;
    if let Some(path) = &args.iidfile {
        std::fs::write(path, report.digest.as_str())
            .map_err(|error| Failure::caused(format!("failed to write {path}"), &error))?;
    }
    let cached = report.steps.iter().filter(|step| step.cached).count();
    if context.printer.verbose() > 0 {
        for step in &report.steps {
            let why = step.miss.as_ref().map_or_else(|| "cached".to_owned(), ToString::to_string);
            context.printer.log(&format!("  {:>4}: {}  {:.2} s, {why}", step.line, step.instruction, step.seconds));
        }
    }
    context.printer.log(&format!(
        "built {}, {} compressed, {cached} of {} steps cached",
        plural(report.layers, "layer"),
        bytes(report.compressed_bytes),
        report.steps.len()
    ));
    context
        .printer
        .answer(&format!("{}\n", report.digest))
        .map_err(|error| Failure::caused("failed to write to standard output", &error))?;
    if let Some(tag) = report.tags.first() {
        context.printer.next_step(&format!("plim analyze {tag}"));
    }
    Ok(Outcome::Good)
}
