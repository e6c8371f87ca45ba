//! The difference of two images for people.

use plim_engine::diff::DiffReport;

use super::{clean, difference, is_bytes, layers, percent, setting, sign, sums, totals, versions};
use crate::numbers::{Table, bytes, count};

/// Renders the report with at most so many rows in each table.
pub(super) fn render(report: &DiffReport, rows: usize) -> String {
    let (before, after) = (&report.before, &report.after);
    let mut out = format!(
        "{} -> {}\n{}, {}\n{}, {}\n\n",
        before.subject, after.subject, before.digest, before.platform, after.digest, after.platform
    );
    let mut table = Table::new(1);
    for (what, before, after) in totals(report) {
        let show = |value| if is_bytes(what) { bytes(value) } else { count(value) };
        table.row([what, &show(before), &show(after), &percent(before, after)]);
    }
    out.push_str(&table.render());
    out.push_str(&format!("  {}\n", layers(report)));

    if !report.layers.new.is_empty() {
        out.push_str("\nnew layers\n");
        let shown: Vec<_> = report.layers.new.iter().take(rows).collect();
        let mut table = Table::new(0);
        for layer in &shown {
            table.row([&layer.layer.to_string(), &bytes(layer.size_bytes), &bytes(layer.compressed_bytes)]);
        }
        for (line, layer) in table.render().lines().zip(&shown) {
            let made: String = clean(layer.created_by.as_deref().unwrap_or("")).chars().take(90).collect();
            out.push_str(format!("{line}  {made}").trim_end());
            out.push('\n');
        }
        rest(&mut out, report.layers.new.len(), rows);
    }
    if !report.config.is_empty() {
        out.push_str("\nhow a container is run\n");
        for change in &report.config {
            let name = clean(&setting(change));
            let (before, after) = (change.before.as_deref().map(clean), change.after.as_deref().map(clean));
            out.push_str(&match (before, after) {
                (Some(before), Some(after)) => format!("  ~ {name}: {before} -> {after}"),
                (None, Some(after)) => format!("  + {name}: {after}"),
                (Some(before), None) => format!("  - {name}: {before}"),
                (None, None) => format!("    {name}"),
            });
            let trimmed = out.trim_end_matches([' ', ':']).len();
            out.truncate(trimmed);
            out.push('\n');
        }
    }
    if !report.packages.is_empty() {
        out.push_str("\npackages\n");
        let mut table = Table::new(4);
        for package in report.packages.iter().take(rows) {
            let versions = clean(&versions(&package.before, &package.after));
            table.row([sign(package.change), &package.kind, &clean(&package.name), &versions]);
        }
        out.push_str(&table.render());
        rest(&mut out, report.packages.len(), rows);
    }
    out.push_str("\nfiles\n");
    let mut table = Table::new(1);
    for (what, sum) in sums(report) {
        table.row([what, &count(sum.files), &difference(sum.before, sum.after)]);
    }
    out.push_str(&table.render());
    if !report.paths.is_empty() {
        out.push_str("\npaths\n");
        let shown: Vec<_> = report.paths.iter().take(rows).collect();
        let mut table = Table::new(1);
        for path in &shown {
            table.row([sign(path.change), &difference(path.before, path.after)]);
        }
        for (line, path) in table.render().lines().zip(&shown) {
            let details = if path.details.is_empty() {
                String::new()
            } else {
                format!("  ({})", clean(&path.details.join(", ")))
            };
            out.push_str(&format!("{line}  {}{details}\n", clean(&path.path)));
        }
        rest(&mut out, report.paths.len(), rows);
    }
    if !report.owners.is_empty() {
        out.push_str("\nsize by owner\n");
        let mut table = Table::new(1);
        for owner in report.owners.iter().take(rows) {
            let (before, after) = (bytes(owner.before), bytes(owner.after));
            table.row([&clean(&owner.name), &before, &after, &difference(owner.before, owner.after)]);
        }
        out.push_str(&table.render());
        rest(&mut out, report.owners.len(), rows);
    }
    out
}

fn rest(out: &mut String, all: usize, shown: usize) {
    if all > shown {
        out.push_str(&format!("  … {} more, --rows 0 shows all\n", all - shown));
    }
}
