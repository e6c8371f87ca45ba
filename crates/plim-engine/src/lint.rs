//! `plim lint`: what is wrong with Dockerfiles, and mending it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use plim_diag::render::{self, TextOptions};
use plim_diag::{Applicability, Diagnostic, Fix, Subject};
use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::{Dockerfile, ParseError};

use plim_rules::Checks;
pub use plim_rules::RULES;

use crate::Failure;
use crate::workspace::write_whole;

/// The largest Dockerfile that is read, in bytes.
const SIZE_LIMIT: usize = 8 << 20;
/// Rounds of fixing: a fix may make room for one that touched the same place.
const ROUNDS: usize = 8;

/// One Dockerfile to look at.
#[derive(Debug, Clone)]
pub struct LintFile {
    /// Its name in messages.
    pub name: String,
    /// Where a mended text is written; none for standard input.
    pub path: Option<Utf8PathBuf>,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// What to do with the fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FixMode {
    /// Nothing.
    #[default]
    None,
    /// Apply those that change nothing but the finding.
    Safe,
    /// Apply those too that may change what the image does.
    Unsafe,
}

/// What was found, and what was mended.
#[derive(Debug, Default)]
pub struct LintReport {
    /// The findings that are left.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the findings point into, by name.
    pub sources: BTreeMap<String, String>,
    /// The files that fixes change: name, old text, new text.
    pub changed: Vec<Changed>,
    /// Number of fixes applied.
    pub fixed: usize,
}

/// A file that fixes change.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its name in messages.
    pub name: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// Looks at the files; with `write` the mended ones are written back.
pub fn lint(files: &[LintFile], mode: FixMode, write: bool) -> Result<LintReport, Failure> {
    let mut report = LintReport::default();
    for file in files {
        if file.text.len() > SIZE_LIMIT {
            return Err(Failure::tool(format!("{} is larger than 8 MiB: that is no Dockerfile", file.name)));
        }
        let before = String::from_utf8(file.text.clone()).map_err(|error| {
            Failure::caused(format!("{} is not UTF-8", file.name), &error).hint("save the file as UTF-8")
        })?;
        let ignore = file.path.as_deref().and_then(ignore_beside);
        let (after, fixed) = mend(&file.name, &before, ignore.as_ref(), mode);
        report.fixed += fixed;
        report.diagnostics.extend(find(&file.name, &after, ignore.as_ref()));
        report.sources.insert(file.name.clone(), after.clone());
        if after != before {
            if let (true, Some(path)) = (write, &file.path) {
                write_whole(path, after.as_bytes())?;
            }
            report.changed.push(Changed { name: file.name.clone(), before, after });
        }
    }
    plim_diag::sort(&mut report.diagnostics);
    Ok(report)
}

/// Shows a mended file as a unified diff.
pub fn patch(changed: &Changed) -> String {
    similar::TextDiff::from_lines(&changed.before, &changed.after)
        .unified_diff()
        .header(&format!("a/{}", changed.name), &format!("b/{}", changed.name))
        .to_string()
}

/// Prints the syntax tree of a Dockerfile in the notation of BuildKit's parser tests.
pub fn syntax_tree(name: &str, text: &str) -> Result<String, Failure> {
    let dockerfile = plim_dockerfile::parse(text);
    if dockerfile.errors.is_empty() {
        return Ok(plim_dockerfile::dump::dump(&dockerfile));
    }
    Err(Failure::subject(format!("{name} is malformed")).detail(frames(name, text, &dockerfile.errors)))
}

fn find(name: &str, text: &str, ignore: Option<&Patterns>) -> Vec<Diagnostic> {
    plim_rules::dockerfile(&plim_dockerfile::parse(text), &Subject::file(name), ignore)
}

/// Reads the ignore file that a build with the Dockerfile's folder as context would take. One that cannot be read is that
/// build's to complain about.
fn ignore_beside(dockerfile: &Utf8Path) -> Option<Patterns> {
    let own = Utf8PathBuf::from(format!("{dockerfile}.dockerignore"));
    let text = std::fs::read_to_string(own)
        .or_else(|_| std::fs::read_to_string(dockerfile.with_file_name(".dockerignore")))
        .ok()?;
    Patterns::parse(&text).ok()
}

/// Applies fixes until none is left or nothing changes; returns the text and the number applied.
fn mend(name: &str, text: &str, ignore: Option<&Patterns>, mode: FixMode) -> (String, usize) {
    let mut text = text.to_owned();
    let mut count = 0;
    if mode == FixMode::None {
        return (text, 0);
    }
    for _ in 0..ROUNDS {
        let findings = find(name, &text, ignore);
        let wanted: Vec<&Fix> = findings
            .iter()
            .filter_map(|finding| finding.fix.as_ref())
            .filter(|fix| match fix.applicability {
                Applicability::Safe => true,
                Applicability::Unsafe => mode == FixMode::Unsafe,
                Applicability::DisplayOnly => false,
            })
            .collect();
        let together = plim_diag::compatible(&wanted);
        match plim_diag::apply(&text, &together) {
            Ok(next) if !together.is_empty() && next != text => {
                text = next;
                count += together.len();
            }
            _ => break,
        }
    }
    (text, count)
}

/// The build argument that takes the place of `# check=`.
const CHECK_ARG: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// Fails where `# check=error=true` of a Dockerfile, or the build argument in its place, makes findings errors. As what was
/// written for BuildKit, it is about BuildKit's rules: those of plim's alone stop no build.
pub(crate) fn stop_at_findings(
    name: &str,
    text: &[u8],
    ignore: Option<&Patterns>,
    build_args: &[(String, String)],
) -> Result<(), Failure> {
    let source = String::from_utf8_lossy(text);
    let (file, checks) = read(&source, build_args);
    if let Some(word) = &checks.unknown {
        return Err(Failure::subject(format!("{name}: `{word}` is no option of `# check=` or {CHECK_ARG}"))
            .hint(plim_rules::CHECK_OPTIONS));
    }
    // what cannot be read is the builder's to say
    if !checks.error || !file.errors.is_empty() {
        return Ok(());
    }
    let mut findings = plim_rules::dockerfile_with(&file, &Subject::file(name), ignore, &checks);
    findings.retain(|finding| plim_rules::buildkit_name(finding.rule).is_some());
    if findings.is_empty() {
        return Ok(());
    }
    let mut rules: Vec<&str> = findings.iter().filter_map(|finding| plim_rules::buildkit_name(finding.rule)).collect();
    rules.dedup();
    Err(Failure::subject(format!("{name} has what `check=error=true` forbids: {}", rules.join(", ")))
        .detail(render_text(name, &source, &findings))
        .hint("`plim lint --fix` mends most of it; `# check=skip=NAME` leaves a rule out"))
}

/// The most findings that a build names.
const NAMED: usize = 5;

/// Says what a build that succeeded should tell of its Dockerfile, if anything.
pub(crate) fn remark(text: &[u8], ignore: Option<&Patterns>, build_args: &[(String, String)]) -> Option<String> {
    let source = String::from_utf8_lossy(text);
    let (file, checks) = read(&source, build_args);
    let findings = plim_rules::dockerfile_with(&file, &Subject::file(""), ignore, &checks);
    if findings.is_empty() {
        return None;
    }
    let s = if findings.len() == 1 { "" } else { "s" };
    let mut out = format!("{} warning{s} found (use --check to expand):", findings.len());
    for finding in findings.iter().take(NAMED) {
        let line = finding.span().map_or(1, |span| file.line(span.start));
        out.push_str(&format!("\n - {}: {} (line {line})", finding.rule, plim_diag::plain::one_line(&finding.message)));
    }
    if findings.len() > NAMED {
        out.push_str(&format!("\n   and {} more", findings.len() - NAMED));
    }
    Some(out)
}

/// Reads a Dockerfile with what it, or the build argument in its place, wants to be looked for.
fn read(source: &str, build_args: &[(String, String)]) -> (Dockerfile, Checks) {
    let file = plim_dockerfile::parse(source);
    let given = build_args.iter().rev().find(|(arg, _)| arg == CHECK_ARG);
    let checks = given.map_or_else(|| Checks::of(&file), |(_, value)| Checks::parse(value));
    (file, checks)
}

/// Renders a Dockerfile's syntax errors as source frames, for builds that they stop.
pub(crate) fn frames(name: &str, source: &str, errors: &[ParseError]) -> String {
    let diagnostics: Vec<Diagnostic> =
        errors.iter().map(|error| plim_rules::syntax_error(error, &Subject::file(name))).collect();
    render_text(name, source, &diagnostics)
}

fn render_text(name: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = Vec::new();
    // writing to memory cannot fail
    let _ = render::text(diagnostics, &(name, source), plim_rules::RULES, &TextOptions::default(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
