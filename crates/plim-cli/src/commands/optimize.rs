//! `plim optimize`.

use camino::Utf8Path;
use plim_engine::Failure;
use plim_engine::optimize::{self, CarryChoice, Kept, OptimizeReport, OptimizeRequest, Side};

use super::{Context, build_options, check_formats, parse};
use crate::args::Format;
use crate::args::optimize::{Depth, Optimize};
use crate::numbers::{Table, bytes};
use crate::show::optimize::{self as show, compare, proof_lines};
use crate::{Outcome, env};

/// Rows of "what saved most" on the terminal; report.json has all.
const SAVINGS_SHOWN: usize = 6;

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Optimize) -> Result<Outcome, Failure> {
    check_formats(&args.output, &[Format::Text, Format::Json, Format::Markdown, Format::Html])?;
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
    context.write_rendered(&args.output, &report, |format| match format {
        Format::Markdown => Ok(show::markdown::render(&report)),
        Format::Html => show::html::render(&report),
        _ => Ok(text(&report, args.explain)),
    })?;
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
    for line in proof_lines(&report.proof) {
        out.push_str(&format!("  proof: {line}\n"));
    }
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
    for row in compare(before, after) {
        table.row([row.name, &row.before, &row.after, &row.change]);
    }
    table.render()
}
