//! `plim optimize`.

use camino::Utf8Path;
use plim_engine::Failure;
use plim_engine::optimize::{self, CarryChoice, Kept, OptimizeReport, OptimizeRequest, Proof, Side};

use super::{Context, build_options, parse};
use crate::args::optimize::{Depth, Optimize};
use crate::numbers::{Table, bytes, change, count, seconds};
use crate::{Outcome, env};

/// Rows of "what saved most" on the terminal; report.json has all.
const SAVINGS_SHOWN: usize = 6;

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Optimize) -> Result<Outcome, Failure> {
    let request = OptimizeRequest {
        dir: args.dir.clone(),
        file: args.file.clone(),
        target: args.target.clone(),
        write: args.write,
        no_before: args.no_before,
        project: args.project.clone(),
        stack: args.stack.clone(),
        start: args.start.clone(),
        port: args.port,
        health: args.health.clone(),
        probes: args.probe.clone(),
        probe_env: args.probe_env.clone(),
        depth: args.prove.map(|depth| match depth {
            Depth::Http => optimize::Depth::Http,
            Depth::Port => optimize::Depth::Port,
            Depth::Start => optimize::Depth::Start,
            Depth::None => optimize::Depth::None,
        }),
        start_timeout: args.start_timeout,
        carry: args.carry.iter().map(|text| carry(text)).collect::<Result<_, _>>()?,
        python: args.python.clone(),
        node: args.node.clone(),
        build_args: parse::build_args(&args.build_arg)?,
        secrets: args.secret.iter().map(|text| parse::secret(text)).collect::<Result<_, _>>()?,
        options: build_options(&args.network, &args.bases),
    };
    let workspace = context.workshop(&args.dir, &args.isolation)?;
    let progress = context.progress();
    let report = optimize::optimize(&workspace, &request, &progress)?;
    context.write(&args.output, &report, || text(&report, args.explain))?;
    if !report.proof.passed {
        return Err(Failure::subject("the new image does not behave like the old one")
            .detail(report.proof.failures.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"))
            .hint(format!("the new Dockerfile is {}; nothing was put in place", report.outputs.dockerfile)));
    }
    if report.already_optimal {
        context.printer.next_step(&format!("plim analyze {}", report.outputs.name));
    } else if report.outputs.written.is_empty() {
        context.printer.next_step(&format!("plim optimize --write {}", args.dir));
    } else {
        context.printer.next_step(&format!("plim analyze {}", report.outputs.name));
    }
    Ok(Outcome::Good)
}

/// `--carry LINE=drop|build`.
fn carry(text: &str) -> Result<(usize, CarryChoice), Failure> {
    let wrong = |reason: String| Failure::tool(reason).hint("write --carry 12=drop or --carry 12=build");
    let (line, choice) = text.split_once('=').ok_or_else(|| wrong(format!("`{text}` names no choice")))?;
    let line = line.parse().map_err(|_| wrong(format!("`{line}` is no line of a Dockerfile")))?;
    Ok((line, choice.parse().map_err(wrong)?))
}

/// The report as a person reads it.
fn text(report: &OptimizeReport, explain: bool) -> String {
    let mut out = String::from("\n");
    out.push_str(&table(report.before.as_ref(), &report.after));
    if !report.saved.is_empty() {
        out.push_str("\n  what saved most\n");
        let sizes: Vec<String> = report.saved.iter().take(SAVINGS_SHOWN).map(|saving| bytes(saving.bytes)).collect();
        for (size, saving) in sizes.iter().zip(&report.saved) {
            out.push_str(&format!("  {size:>10}  {}  ({})\n", saving.what, saving.step));
        }
        let rest = report.saved.len().saturating_sub(SAVINGS_SHOWN);
        if rest > 0 {
            out.push_str(&format!("      … {rest} more in report.json\n"));
        }
    }
    out.push('\n');
    out.push_str(&proof(&report.proof));
    for note in &report.notes {
        out.push_str(&format!("  note: {note}\n"));
    }
    if report.already_optimal {
        out.push_str("\nthe project's own Dockerfile is as good already: nothing needs to change, and nothing was put in place\n");
    }
    if explain {
        out.push_str(&explanation(report));
    } else {
        let dropped = report.facts.iter().filter(|fact| matches!(fact.kept, Kept::Dropped(_))).count();
        if dropped > 0 {
            out.push_str(&format!("  {dropped} lines of the previous Dockerfile are dropped, --explain says why\n"));
        }
    }
    let folder = Utf8Path::new(&report.outputs.dockerfile).parent().unwrap_or(Utf8Path::new(".plim"));
    let folder = env::from_here(folder);
    out.push_str(&format!("\nwrote {folder}/{{Dockerfile,.dockerignore,report.json,image/}}\n"));
    for path in &report.outputs.written {
        out.push_str(&format!("wrote {}\n", env::from_here(Utf8Path::new(path))));
    }
    out
}

/// Each line of the new Dockerfile with where it comes from.
fn explanation(report: &OptimizeReport) -> String {
    let mut out = String::from("\n  where each line of the new Dockerfile comes from\n");
    for row in &report.explain {
        let instruction: String = row.instruction.trim_end_matches([' ', '\\']).chars().take(72).collect();
        out.push_str(&format!("  {:>6}  {instruction}\n          {}\n", row.line, row.why));
    }
    if !report.facts.is_empty() {
        out.push_str("\n  what became of each line of the previous Dockerfile\n");
    }
    for fact in &report.facts {
        let what: String = fact.what.chars().take(72).collect();
        let became = match &fact.kept {
            Kept::Kept => "kept".to_owned(),
            Kept::Dropped(reason) => format!("dropped: {reason}"),
            Kept::Unknown => "not carried over: look at it".to_owned(),
        };
        out.push_str(&format!("  {:>6}  {what}\n          {became}\n", fact.line));
    }
    out
}

fn table(before: Option<&Side>, after: &Side) -> String {
    let mut table = Table::new(1);
    table.row(["", "before", "after", "change"]);
    let mut row = |name: &str, value: &dyn Fn(&Side) -> String, number: Option<&dyn Fn(&Side) -> f64>| {
        let old = before.map_or_else(|| "-".to_owned(), value);
        let change = match (before, number) {
            (Some(before), Some(number)) => change(number(before), number(after)),
            _ => String::new(),
        };
        table.row([name, &old, &value(after), &change]);
    };
    let yes_no = |found: &Option<String>| if found.is_some() { "yes" } else { "no" }.to_owned();
    row("image size", &|side| bytes(side.size_bytes), Some(&|side| side.size_bytes as f64));
    row("download", &|side| bytes(side.compressed_bytes), Some(&|side| side.compressed_bytes as f64));
    row("  at 100 MB/s", &|side| seconds(side.download_seconds), None);
    row("layers", &|side| side.layers.to_string(), None);
    row("files", &|side| count(side.files), Some(&|side| side.files as f64));
    row("packages", &|side| side.packages.to_string(), Some(&|side| side.packages as f64));
    row(
        "rebuild after a one-line change",
        &|side| side.rebuild_seconds.map_or_else(|| "-".to_owned(), seconds),
        Some(&|side| side.rebuild_seconds.unwrap_or(0.0)),
    );
    row("runs as", &|side| side.user.clone(), None);
    row("shell in the image", &|side| yes_no(&side.shell), None);
    row("package manager in the image", &|side| yes_no(&side.package_manager), None);
    table.render()
}

fn proof(proof: &Proof) -> String {
    let mut out = String::new();
    for probe in &proof.probes {
        let line = match (probe.before, probe.same) {
            (Some(before), true) if probe.volatile => {
                format!(
                    "GET {} {before} = {}, same status and shape (the body changes by itself)",
                    probe.path, probe.after
                )
            }
            (Some(before), true) => format!("GET {} {before} = {}, same body", probe.path, probe.after),
            (Some(before), false) => format!("GET {} {before}, then {}: they differ", probe.path, probe.after),
            (None, _) => format!("GET {} {}", probe.path, probe.after),
        };
        out.push_str(&format!("  proof: {line}\n"));
    }
    let Some(after) = &proof.after else {
        out.push_str("  proof: none was asked for (--prove none)\n");
        return out;
    };
    if proof.probes.is_empty() {
        let what = match proof.depth {
            optimize::Depth::Start => format!("it starts and runs for {} s", after.start_ms / 1000),
            _ => format!("it listens on port {} after {} ms", proof.port, after.start_ms),
        };
        out.push_str(&format!("  proof: {what}; its answers were not compared\n"));
    }
    let stop = if after.stopped { "stops" } else { "does not stop" };
    let was = match &proof.before {
        Some(before) => format!(" (before: {})", stop_time(before.stopped, before.stop_ms)),
        None => String::new(),
    };
    let root = if proof.read_only_root { " on a read-only root" } else { "" };
    let missing = match proof.not_enforced.join(" and ") {
        missing if missing.is_empty() => missing,
        missing => format!("; {missing} not enforced here"),
    };
    out.push_str(&format!(
        "  proof: {stop} on SIGTERM in {} ms{was}; runs as {}{root}{missing}\n",
        after.stop_ms, after.user
    ));
    out
}

fn stop_time(stopped: bool, ms: u64) -> String {
    if stopped { format!("{ms} ms") } else { format!("ignored, killed after {} s", ms / 1000) }
}
