//! `plim build`.

use std::io::Read as _;
use std::sync::Arc;

use camino::Utf8Path;
use plim_engine::Failure;
use plim_engine::build::{self, BuildReport, BuildRequest, DockerfileSource, ImageOutput, Terminal};

use super::{Context, build_options, parse};
use crate::args::build::{Build, OnError};
use crate::args::lint::Lint;
use crate::args::{Format, Output};
use crate::numbers::{bytes, plural};
use crate::{Outcome, env, show};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Build) -> Result<Outcome, Failure> {
    if args.check {
        return check(context, args);
    }
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
    let mut outputs = Vec::new();
    let mut tags = args.tag.clone();
    for text in &args.output {
        let (output, name) = parse::output(text)?;
        outputs.push(output);
        tags.extend(name);
    }
    if args.push {
        outputs.push(ImageOutput::Registry(Vec::new()));
    }
    if args.context == "-" && args.file.as_ref().is_some_and(|file| file == "-") {
        return Err(Failure::tool("the context and the Dockerfile cannot both come from standard input"));
    }
    let to_stdout = outputs.iter().any(ImageOutput::takes_stdout);
    let request = BuildRequest {
        context: args.context.clone(),
        dockerfile,
        tags,
        target: args.target.clone(),
        build_args: parse::build_args(&args.build_arg)?,
        labels: pairs("label", &args.label)?,
        annotations: pairs("annotation", &args.annotation)?,
        secrets: args.secret.iter().map(|text| parse::secret(text)).collect::<Result<_, _>>()?,
        ssh: args.ssh.iter().map(|text| parse::ssh(text)).collect::<Result<_, _>>()?,
        contexts: pairs("build-context", &args.build_context)?,
        no_cache: args.no_cache,
        no_cache_stages: args.no_cache_filter.clone(),
        squash: args.squash,
        platforms: args.platform.clone(),
        compression: args.compression.clone(),
        outputs,
        caches: super::caches::caches(args)?,
        cap_gb: args.cap_gb,
        shell_on_error: args.on_error.map(terminal).transpose()?,
        extra_hosts: args.add_host.iter().map(|text| parse::extra_host(text)).collect::<Result<_, _>>()?,
        runtime: args.runtime.as_deref().map(env::program).transpose()?,
        options: build_options(&args.network, &args.bases),
    };
    // the configuration is that of the project, which an address has none of
    let project = Utf8Path::new(&args.context);
    let project = if project.is_dir() { project } else { Utf8Path::new(".") };
    let workspace = context.workshop(project, &args.isolation)?;
    let report = build::build(&workspace, &request, &context.build_progress())?;
    if let Some(path) = &args.iidfile {
        std::fs::write(path, report.digest.as_str())
            .map_err(|error| Failure::caused(format!("failed to write {path}"), &error))?;
    }
    if let Some(path) = &args.metadata_file {
        std::fs::write(path, metadata(&report, args.explain))
            .map_err(|error| Failure::caused(format!("failed to write {path}"), &error))?;
    }
    let cached = report.steps.iter().filter(|step| step.cached).count();
    if args.explain {
        context.printer.log(show::steps::explain(&report.steps).trim_end());
    } else if context.printer.verbose() > 0 {
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
    if to_stdout {
        context.printer.log(report.digest.as_str());
    } else {
        context
            .printer
            .answer(&format!("{}\n", report.digest))
            .map_err(|error| Failure::caused("failed to write to standard output", &error))?;
    }
    if let Some(tag) = report.tags.first() {
        context.printer.next_step(&format!("plim analyze {tag}"));
    }
    Ok(Outcome::Good)
}

/// The terminal for a shell.
fn terminal(on_error: OnError) -> Result<Arc<Terminal>, Failure> {
    let OnError::Shell = on_error;
    let terminal = Terminal::new(std::io::stdin(), std::io::stderr(), env::terminal_kind());
    terminal.map(Arc::new).map_err(|_| {
        Failure::tool("--on-error=shell needs a terminal on standard input and standard error")
            .hint("leave the flag out where nobody can type, such as in CI: the error has the last lines of the step")
    })
}

/// Looks at the Dockerfile in the place of building it.
fn check(context: &Context<'_>, args: &Build) -> Result<Outcome, Failure> {
    let folder = Utf8Path::new(&args.context);
    let path = match &args.file {
        Some(file) => file.clone(),
        None if folder.is_dir() => folder.to_owned(),
        None => {
            return Err(Failure::tool("--check looks at a Dockerfile of this machine")
                .hint("name it with -f, or `-f -` for standard input"));
        }
    };
    let output = Output { format: Format::Text, path: None };
    let lint = Lint { paths: vec![path], fix: false, unsafe_fixes: false, diff: false, output: vec![output] };
    super::lint::run(context, &lint)
}

/// The file that CI systems read, with buildx's keys, and what became of the steps if that is asked for.
fn metadata(report: &BuildReport, explain: bool) -> String {
    let mut fields = serde_json::Map::new();
    fields.insert("containerimage.digest".to_owned(), report.digest.as_str().into());
    if let Some(digest) = &report.config_digest {
        fields.insert("containerimage.config.digest".to_owned(), digest.as_str().into());
    }
    let descriptor = serde_json::json!({
        "mediaType": report.descriptor.media_type,
        "digest": report.descriptor.digest,
        "size": report.descriptor.size,
    });
    fields.insert("containerimage.descriptor".to_owned(), descriptor);
    if !report.tags.is_empty() {
        fields.insert("image.name".to_owned(), report.tags.join(",").into());
    }
    if explain {
        fields.insert("plimsoll.build.steps".to_owned(), serde_json::to_value(&report.steps).unwrap_or_default());
    }
    let mut text = serde_json::to_string_pretty(&fields).unwrap_or_default();
    text.push('\n');
    text
}
