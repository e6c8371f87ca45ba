//! The report of `plim optimize`: the comparison of both images and the proof, in the words that all its formats use.

pub(crate) mod html;
pub(crate) mod markdown;

#[cfg(test)]
mod sample;

use plim_engine::optimize::{Depth, OptimizeReport, Proof, Side};

use crate::numbers::{bytes, change, count, seconds};

/// A figure of both images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Its name; indented where it explains the one above.
    pub(crate) name: &'static str,
    /// The old image's; `-` where that was not built.
    pub(crate) before: String,
    /// The new image's.
    pub(crate) after: String,
    /// The change, in percent, where it is one of numbers.
    pub(crate) change: String,
}

/// Returns the figures, the weightiest first.
pub(crate) fn compare(before: Option<&Side>, after: &Side) -> Vec<Compared> {
    let mut rows = Vec::new();
    let mut row = |name: &'static str, value: &dyn Fn(&Side) -> String, number: Option<&dyn Fn(&Side) -> f64>| {
        rows.push(Compared {
            name,
            before: before.map_or_else(|| "-".to_owned(), value),
            after: value(after),
            change: match (before, number) {
                (Some(before), Some(number)) => change(number(before), number(after)),
                _ => String::new(),
            },
        });
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
    rows
}

/// Returns the outcome in a sentence, which claims no more than was proved.
fn verdict(report: &OptimizeReport) -> &'static str {
    let proof = &report.proof;
    match (proof.passed, &proof.after) {
        (false, _) => "The new image does not behave like the old one.",
        (true, _) if report.already_optimal => "The project's own Dockerfile is as good already.",
        (true, None) => "Nothing was to be proved.",
        (true, Some(_)) if proof.before.is_none() => "The new image runs.",
        (true, Some(_)) if proof.probes.is_empty() => "Both images run; their answers were not compared.",
        (true, Some(_)) => "The new image behaves like the old one.",
    }
}

/// Returns what was proved, a line each.
pub(crate) fn proof_lines(proof: &Proof) -> Vec<String> {
    let mut lines = Vec::new();
    for probe in &proof.probes {
        lines.push(match (probe.before, probe.same) {
            (Some(before), true) if probe.volatile => {
                format!(
                    "GET {} {before} = {}, same status and shape (the body changes by itself)",
                    probe.path, probe.after
                )
            }
            (Some(before), true) => format!("GET {} {before} = {}, same body", probe.path, probe.after),
            (Some(before), false) => format!("GET {} {before}, then {}: they differ", probe.path, probe.after),
            (None, _) => format!("GET {} {}", probe.path, probe.after),
        });
    }
    let Some(after) = &proof.after else {
        lines.push("none was asked for (--prove none)".to_owned());
        return lines;
    };
    if proof.probes.is_empty() {
        let what = match proof.depth {
            Depth::Start => format!("it starts and runs for {} s", after.start_ms / 1000),
            _ => format!("it listens on port {} after {} ms", proof.port, after.start_ms),
        };
        lines.push(format!("{what}; its answers were not compared"));
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
    lines.push(format!("{stop} on SIGTERM in {} ms{was}; runs as {}{root}{missing}", after.stop_ms, after.user));
    lines
}

fn stop_time(stopped: bool, ms: u64) -> String {
    if stopped { format!("{ms} ms") } else { format!("ignored, killed after {} s", ms / 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_claims_no_more_than_was_proved() {
        let mut report = sample::report();
        assert_eq!(verdict(&report), "The new image behaves like the old one.");
        report.proof.probes.clear();
        assert_eq!(verdict(&report), "Both images run; their answers were not compared.");
        report.proof.before = None;
        assert_eq!(verdict(&report), "The new image runs.");
        report.proof.after = None;
        assert_eq!(verdict(&report), "Nothing was to be proved.");
        report.proof.passed = false;
        assert_eq!(verdict(&report), "The new image does not behave like the old one.");
    }
}
