//! What lives on of the author's Dockerfile as it is: stages, commands of the build stage, copies into the image.

use std::collections::BTreeSet;

use camino::Utf8Path;
use minijinja::{Value, context};

use super::parts::{at, pair};
use super::text;
use crate::project::{Artifact, Carried, Output, Place, Project, StackProfile};

/// Where the build stage collects files that nobody names.
const COLLECTED: &str = "/carried";

/// The home of the image's user.
pub(crate) const HOME: &str = "/home/nonroot";

/// Folders in which what is new counts.
const COLLECTED_FROM: &str = "/etc /home /opt /srv /usr/local /usr/share /var/lib";

/// What the language adds where commands of the author run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Language<'a> {
    /// Variables that its programs need to find the dependencies; the values may name others.
    pub(super) env: &'a [(&'a str, String)],
    /// A folder with the programs of the dependencies.
    pub(super) programs: Option<&'a str>,
}

/// Returns the context of the templates `kept_stages`, `carried_build` and `carried_image`.
pub(super) fn context(project: &Project, profile: &StackProfile, language: Language<'_>) -> Value {
    let at_place = |place: Place| profile.carried.iter().filter(move |carried| carried.place == place);
    let sources: Vec<&Carried> = at_place(Place::Sources).collect();
    let build: Vec<&Carried> = at_place(Place::Build).collect();
    let packages: BTreeSet<&str> =
        sources.iter().chain(&build).flat_map(|carried| &carried.packages).map(String::as_str).collect();
    let stages = profile.kept_stages.iter().map(|stage| {
        context! { text => stage.text.clone(), why => format!("{}, as it is", at(project, stage.line)) }
    });
    context! {
        kept_stages => stages.collect::<Vec<Value>>(),
        carried_packages => packages.into_iter().collect::<Vec<_>>().join(" "),
        carried_sources => build_lines(project, profile, &sources, language),
        carried_build => build_lines(project, profile, &build, language),
        carried_image => image_lines(project, profile),
    }
}

/// The instructions of the build stage.
fn build_lines(project: &Project, profile: &StackProfile, build: &[&Carried], language: Language<'_>) -> Vec<Value> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let declared = &project.evidence.declared;
    let everything = build.iter().any(|carried| carried.reads_everything);
    let before =
        if build.iter().any(|carried| carried.place == Place::Sources) { "/tmp/before-build" } else { "/tmp/before" };
    let needed = |name: &str| everything || build.iter().any(|carried| mentions(&carried.command, name));
    for told in declared.args.iter().filter(|told| needed(&told.value.0)) {
        let (name, default) = &told.value;
        let line = match default {
            Some(value) => format!("ARG {}", pair(&(name.clone(), value.clone()))),
            None => format!("ARG {name}"),
        };
        lines.push((line, at(project, told.line)));
    }
    let mut env: Vec<String> =
        declared.env.iter().filter(|told| needed(&told.value.0)).map(|told| pair(&told.value)).collect();
    env.extend(of_stages(project, profile, build));
    if build.iter().any(|carried| carried.python) {
        let own = |name: &str| declared.env.iter().any(|told| told.value.0 == name);
        env.extend(language.env.iter().map(|(name, value)| {
            // the folders of the dependencies stand in front of the author's
            if own(name) { format!("{name}={value}:${name}") } else { format!("{name}={value}") }
        }));
    }
    let runs = build.iter().any(|carried| !carried.command.is_empty());
    let folders = declared.path.iter().map(|told| told.value.as_str());
    let programs = language.programs.into_iter().filter(|_| build.iter().any(|carried| carried.python));
    let path: Vec<&str> = programs.chain(folders).filter(|_| runs).collect();
    if !path.is_empty() {
        env.push(format!("PATH={}:$PATH", path.join(":")));
    }
    if build.iter().any(|carried| carried.collects) {
        env.push(format!("HOME={HOME}"));
    }
    if !env.is_empty() {
        lines.push((format!("ENV {}", env.join(" \\\n    ")), "for the commands of the previous file".to_owned()));
    }
    // where the working directory comes whole, the stage does not work in it before
    let home = profile.replaced.sources.as_str();
    let mut cwd = home;
    let mut collecting = false;
    let collects = build.iter().any(|carried| carried.collects);
    for carried in build {
        let why = at(project, carried.line);
        if !carried.instruction.is_empty() {
            lines.push((carried.instruction.clone(), why));
            continue;
        }
        if carried.cwd != cwd {
            lines.push((format!("WORKDIR {}", carried.cwd), why.clone()));
            cwd = &carried.cwd;
        }
        if collects && !collecting {
            collecting = true;
            lines.push((
                format!("RUN mkdir -p {HOME} {COLLECTED} && \\\n    {} > {before}", list(profile)),
                "what is there before, because nobody says what the next commands make".to_owned(),
            ));
        }
        lines.push((run(carried, profile, &owner(project)), why));
    }
    if collecting {
        let pack = format!("comm -13 {before} - | tar -cf - -T - | tar -xf - -C {COLLECTED}");
        lines.push((format!("RUN {} | \\\n    {pack}", list(profile)), "what is new goes into the image".to_owned()));
    }
    if cwd != home && !home.is_empty() {
        lines.push((format!("WORKDIR {home}"), "back to the sources".to_owned()));
    }
    lines.into_iter().map(|(text, why)| context! { text => text, why => super::text::reason(&why) }).collect()
}

/// Variables of the stages that the new build stage takes the place of, as far as the commands from there name them.
fn of_stages(project: &Project, profile: &StackProfile, build: &[&Carried]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (stage, variables) in &project.evidence.declared.variables {
        let here: Vec<&&Carried> = build.iter().filter(|carried| carried.stage == *stage).collect();
        if !profile.replaced.stages.contains_key(stage) || here.is_empty() {
            continue;
        }
        for variable in variables {
            let named = here.iter().any(|carried| mentions(&carried.command, variable.0));
            let pair = pair(&(variable.0.clone(), variable.1.clone()));
            if named && variable.0 != "PATH" && !found.contains(&pair) {
                found.push(pair);
            }
        }
    }
    found
}

/// The instructions of the last stage.
fn image_lines(project: &Project, profile: &StackProfile) -> Vec<Value> {
    let owner = owner(project);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let collects = profile.carried.iter().any(|carried| carried.collects);
    for carried in &profile.carried {
        let why = at(project, carried.line);
        if carried.place == Place::Image {
            lines.push((carried.instruction.clone(), why));
            continue;
        }
        // what is collected need not be copied one by one; owners are not collected
        let outside = carried.outputs.iter().filter(|output| !comes_along(output, profile));
        for output in outside.filter(|output| !collects || output.owned) {
            if seen.insert(&output.path) {
                let chown = if output.owned { format!("--chown={owner} ") } else { String::new() };
                let path = Utf8Path::new(&output.path);
                lines.push((format!("COPY --from=build {chown}{}", text::copy([path], &output.path)), why.clone()));
            }
        }
    }
    if let Some(carried) = profile.carried.iter().find(|carried| carried.collects) {
        lines.push((format!("COPY --from=build {COLLECTED} /"), at(project, carried.line)));
    }
    lines.into_iter().map(|(text, why)| context! { text => text, why => super::text::reason(&why) }).collect()
}

/// Whether the image has an output without a copy of its own.
fn comes_along(output: &Output, profile: &StackProfile) -> bool {
    let inside = in_workdir(&output.path, profile);
    if !profile.replaced.apart {
        return inside;
    }
    let below = output.path.strip_prefix(&profile.workdir).unwrap_or_default().trim_start_matches('/');
    let in_artifact = |artifact: &Artifact| {
        artifact.dest == below || (artifact.folder && Utf8Path::new(below).starts_with(&artifact.dest))
    };
    inside && !output.owned && profile.artifacts.iter().any(in_artifact)
}

/// A command that lists the files that may be new, sorted: those outside of the working directory, and those in it where it
/// does not come into the image as a whole.
fn list(profile: &StackProfile) -> String {
    let workdir = &profile.workdir;
    if profile.replaced.apart {
        let own =
            if COLLECTED_FROM.split(' ').any(|folder| Utf8Path::new(workdir).starts_with(folder)) || workdir == "/" {
                String::new()
            } else {
                format!(" {workdir}")
            };
        return format!(
            "find {COLLECTED_FROM}{own} \\( -name node_modules -o -name target -o -name __pycache__ \\) -prune -o ! -type d -print 2>/dev/null | sort"
        );
    }
    format!(
        "find {COLLECTED_FROM} -path {workdir} -prune -o ! -type d ! -path '*/__pycache__/*' -print 2>/dev/null | sort"
    )
}

/// The RUN of a command.
fn run(carried: &Carried, profile: &StackProfile, owner: &str) -> String {
    let mut command = carried.command.trim().to_owned();
    let owned: Vec<&str> = carried
        .outputs
        .iter()
        .filter(|output| output.owned && in_workdir(&output.path, profile) && !profile.replaced.apart)
        .map(|output| output.path.as_str())
        .collect();
    let is_list = command.contains([';', '\n', '|', '&', '#']);
    if !owned.is_empty() {
        command = if is_list { format!("{{ {command}\n}}") } else { command };
        command = format!("{command} && chown -R {owner} {}", owned.join(" "));
    }
    let flags = if carried.flags.is_empty() { String::new() } else { format!("{} ", carried.flags) };
    if carried.shell.is_empty() && !command.contains('\n') {
        return format!("RUN {flags}{}", command.replace(" && ", " && \\\n    "));
    }
    // line breaks, and shells that are not the usual one, need no quoting in the exec form
    let shell: Vec<String> = if carried.shell.is_empty() {
        ["/bin/sh", "-c"].map(ToOwned::to_owned).to_vec()
    } else {
        carried.shell.clone()
    };
    let words: Vec<String> = shell.into_iter().chain([command]).collect();
    format!("RUN {flags}{}", text::exec(&words))
}

/// The owner of data: the image's user.
fn owner(project: &Project) -> String {
    let user = project.evidence.declared.user.as_ref().map(|told| told.value.as_str()).unwrap_or_default();
    let numeric = !user.is_empty() && user.split(':').all(|part| part.parse::<u32>().is_ok());
    match user.split_once(':') {
        Some(("0", _)) => "65532:65532".to_owned(),
        Some(_) if numeric => user.to_owned(),
        None if numeric && user != "0" => format!("{user}:{user}"),
        _ => "65532:65532".to_owned(),
    }
}

fn in_workdir(path: &str, profile: &StackProfile) -> bool {
    path.strip_prefix(&profile.workdir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a script names a variable.
fn mentions(script: &str, name: &str) -> bool {
    script.match_indices(name).any(|(at, _)| {
        let before = &script[..at];
        let after = script[at + name.len()..].chars().next();
        let ends = after.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        (before.ends_with('$') || before.ends_with("${")) && ends
    })
}
