//! `plim optimize`: a project becomes a minimal image that provably still works.
//!
//! Reads top to bottom as the command works: detect, rewrite, build before, build after, prove, measure, report.

mod builds;
mod measure;
mod needs;
mod prove;
mod report;
mod savings;
mod side;

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use plim_oci::layout::Layout;
use plim_oci::reference::Reference;
use plim_oci::{BlobsMut as _, Events, Image, copy};
use plim_project::{Choices, Finding, Project, Rewrite, RewriteOptions, StackKind, StackProfile, WantedVersion};

pub use plim_project::{CarryChoice, Kept};
pub use prove::{Behaviour, Depth, Probe, Proof};
pub use report::{OptimizeReport, Outputs, ProjectSummary, Timings};
pub use savings::Saving;
pub use side::Side;

use crate::build::BuildOptions;
use crate::config::StartCommand;
use crate::workspace::{write_whole, write_whole_by};
use crate::{Failure, Kind, Workspace, aliases, housekeeping};

use builds::{Builds, Dockerfile, over, own_dockerfile};

/// What `plim optimize` is asked to do.
#[derive(Debug)]
pub struct OptimizeRequest {
    /// The project's folder.
    pub dir: Utf8PathBuf,
    /// Its Dockerfile; none looks for one in the folder.
    pub file: Option<Utf8PathBuf>,
    /// The stage of it that is the image; none is the last one.
    pub target: Option<String>,
    /// Put the new files in place.
    pub write: bool,
    /// Do not build the project's own Dockerfile.
    pub no_before: bool,
    /// The project's folder inside DIR, where there are several.
    pub project: Option<Utf8PathBuf>,
    /// The stack's name.
    pub stack: Option<String>,
    /// The start command as one would type it.
    pub start: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Path of the health check.
    pub health: Option<String>,
    /// Further paths to compare.
    pub probes: Vec<String>,
    /// `NAME=value` for both containers.
    pub probe_env: Vec<String>,
    /// How much is proved; none asks the configuration.
    pub depth: Option<Depth>,
    /// Seconds until the application must listen.
    pub start_timeout: u64,
    /// What becomes of commands that are not understood, by the lines of the author's Dockerfile.
    pub carry: Vec<(usize, CarryChoice)>,
    /// The version of Python that is wanted instead of the project's.
    pub python: Option<String>,
    /// The version of Node.js that is wanted instead of the project's.
    pub node: Option<String>,
    /// Build arguments of both builds.
    pub build_args: Vec<(String, String)>,
    /// Secrets of both builds, by id.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// How steps run and where bases come from.
    pub options: BuildOptions,
}

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(OptimizeReport).to_value()
}

/// Optimizes the project. A proof that fails is a report whose `proof.passed` is false: the files are written
/// to .plim all the same, never in place.
pub fn optimize(
    workspace: &Workspace,
    request: &OptimizeRequest,
    events: &dyn Events,
) -> Result<OptimizeReport, Failure> {
    let began = std::time::Instant::now();
    let dir = request.dir.canonicalize_utf8().map_err(|error| {
        Failure::caused(format!("failed to open {}", request.dir), &error).hint("give the project's folder")
    })?;

    // detect
    let project = detect(workspace, request, &dir)?;
    let mut profile = profile(&project)?.clone();
    for found in &profile.found {
        events.note(&format!("{} ({})", found.what, found.why));
    }
    let own = own_dockerfile(&project, events)?;

    let questions = questions(workspace, request, &project, &profile)?;

    // rewrite
    let out = out_dir(&dir)?;
    let mut rewrite = rewritten(&project, &profile, &out)?;

    // build before, build after
    let builds = Builds { workspace, request, project: &project, events };
    let mut fresh = Dockerfile::generated(&rewrite)?;
    let (old, mut new) = builds.both(own.as_ref().filter(|_| !request.no_before), &fresh)?;
    let before_inventory = old.as_ref().map(|old| side::inventory(workspace, &old.0.image, events)).transpose()?;
    let mut after_inventory = side::inventory(workspace, &new.0.image, events)?;

    // what the application's own binaries ask for and do not find comes as packages
    if need(&mut profile, &needs::missing(&after_inventory, before_inventory.as_ref()), events) {
        rewrite = rewritten(&project, &profile, &out)?;
        fresh = Dockerfile::generated(&rewrite)?;
        new = builds.run("build after, with libraries", &fresh, BTreeMap::new())?;
        after_inventory = side::inventory(workspace, &new.0.image, events)?;
    }

    // prove
    let task = events.start("prove", None);
    let proof = prove::prove(workspace, old.as_ref().map(|old| &old.0), &new.0, &questions, events);
    let verdict = match &proof {
        Ok(proof) if proof.depth == Depth::None => "skipped".to_owned(),
        Ok(proof) if proof.probes.is_empty() => "it runs".to_owned(),
        Ok(proof) if proof.passed => format!("{} answers alike", proof.probes.len()),
        _ => "failed".to_owned(),
    };
    events.finish(task, &verdict, !proof.as_ref().is_ok_and(|proof| proof.passed));
    let mut proof = proof.map_err(|failure| with_needs(failure, &project))?;

    // as process 1 a program must listen to signals itself; where the old image ended and the new one does not, something
    // in the old one passed them on
    if proof.only_does_not_stop() && !profile.system.iter().any(|package| package == plim_project::INIT) {
        let why = "the old image ends on SIGTERM, and its program does not as process 1";
        profile.found.push(Finding::new(format!("system package {}", plim_project::INIT), why));
        profile.system.push(plim_project::INIT.to_owned());
        profile.system.sort();
        events.note(why);
        rewrite = rewritten(&project, &profile, &out)?;
        fresh = Dockerfile::generated(&rewrite)?;
        new = builds.run("build after, with an init process", &fresh, BTreeMap::new())?;
        after_inventory = side::inventory(workspace, &new.0.image, events)?;
        proof = prove::prove(workspace, old.as_ref().map(|old| &old.0), &new.0, &questions, events)
            .map_err(|failure| with_needs(failure, &project))?;
    }

    // measure
    let rebuild = measure::rebuild(&builds, own.as_ref().zip(old.as_ref()), (&fresh, &new), &profile, events)?;
    let saved = before_inventory
        .as_ref()
        .zip(old.as_ref())
        .map(|(inventory, old)| savings::savings(inventory, &after_inventory, &old.0.image.config.config.working_dir))
        .unwrap_or_default();
    let before = old
        .as_ref()
        .zip(before_inventory.as_ref())
        .map(|(old, inventory)| Side::new(&old.0.image, inventory, old.1, rebuild.before));
    let after = Side::new(&new.0.image, &after_inventory, new.1, rebuild.after);

    // keep and write
    // the project that was chosen gives its name, one that was found goes by the folder that was given
    let chosen = request.project.is_some() || workspace.config.project.dir.is_some();
    let name = image_name(if chosen { &project.root } else { &dir });
    tag(workspace, &format!("{name}:optimized"), &new.0.image)?;
    if let Some((built, _)) = &old {
        tag(workspace, &format!("{name}:before"), &built.image)?;
    }
    let layout = Layout::create(out.join("image"))?;
    copy::copy(&workspace.store, &layout, &new.0.image.descriptor, copy::Options::default(), events)?;
    layout.tag("latest", &new.0.image.descriptor)?;
    let already_optimal = before.as_ref().is_some_and(|before| before.is_as_good_as(&after));
    let written = if request.write && proof.passed && !already_optimal {
        in_place(&dir, &out, &project, own.as_ref(), &rewrite)?
    } else {
        Vec::new()
    };

    housekeeping::tidy(workspace, None, events);

    let report = OptimizeReport::new(report::Parts {
        root: &dir,
        name,
        profile: &profile,
        own: own.as_ref().map(|own| own.name.clone()),
        before,
        after,
        saved,
        proof,
        notes: rewrite.notes.clone(),
        explain: rewrite.explain.clone(),
        facts: rewrite.facts.clone(),
        already_optimal,
        written,
        steps_before: old.map(|old| old.0.steps).unwrap_or_default(),
        steps_after: new.0.steps,
        seconds: began.elapsed().as_secs_f64(),
    });
    let json =
        serde_json::to_vec_pretty(&report).map_err(|error| Failure::caused("failed to write the report", &error))?;
    write_whole(&out.join("report.json"), &json)?;
    Ok(report)
}

fn detect(workspace: &Workspace, request: &OptimizeRequest, dir: &Utf8Path) -> Result<Project, Failure> {
    let config = &workspace.config.project;
    let stack = request.stack.as_ref().or(config.stack.as_ref()).map(|name| name.parse::<StackKind>());
    let start = match (&request.start, &config.start) {
        (Some(text), _) | (None, Some(StartCommand::Text(text))) => Some(plim_project::parse_command(text)),
        (None, Some(StartCommand::Words(words))) => Some(Ok(words.clone())),
        (None, None) => None,
    };
    let choices = Choices {
        stack: stack
            .transpose()
            .map_err(|error| Failure::tool(error).hint("--stack, or stack in [project] of plim.toml"))?,
        project_dir: request.project.clone().or_else(|| config.dir.clone()),
        start: start.transpose().map_err(|error| {
            Failure::caused("the start command cannot be run without a shell", &error)
                .hint("give the program and its arguments; put shell code into a script of the project")
        })?,
        start_from: None,
        port: request.port.or(config.port),
        health: request.health.clone().or_else(|| config.health.clone()),
        versions: versions(workspace, request),
        carry: carry(workspace, request)?,
        dockerfile: request.file.as_deref().map(|file| named_file(file, dir)).transpose()?,
        target: request.target.clone().or_else(|| config.target.clone()),
    };
    plim_project::detect(dir, &choices)
        .map_err(|error| Failure { kind: Kind::Subject, ..Failure::from_error(&error) }.maybe_hint(error.hint()))
}

/// What becomes of commands that are not understood: the flags, then plim.toml.
fn carry(workspace: &Workspace, request: &OptimizeRequest) -> Result<BTreeMap<usize, CarryChoice>, Failure> {
    let mut all = BTreeMap::new();
    for (line, choice) in &workspace.config.project.carry {
        let line = line.parse().map_err(|_| {
            Failure::tool(format!("`{line}` is no line of a Dockerfile"))
                .hint("carry in [project] of plim.toml is written { \"12\" = \"drop\" }")
        })?;
        all.insert(line, *choice);
    }
    all.extend(request.carry.iter().copied());
    Ok(all)
}

/// Writes the new Dockerfile and .dockerignore into .plim.
fn rewritten(project: &Project, profile: &StackProfile, out: &Utf8Path) -> Result<Rewrite, Failure> {
    let rewrite = plim_project::rewrite(project, profile, &RewriteOptions::default())
        .map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
    write_whole(&out.join("Dockerfile"), rewrite.dockerfile.as_bytes())?;
    write_whole(&out.join(".dockerignore"), rewrite.dockerignore.as_bytes())?;
    Ok(rewrite)
}

/// Adds the packages of missing libraries to what the program needs; says whether there was one that it did not have yet.
fn need(profile: &mut StackProfile, missing: &[needs::Missing], events: &dyn Events) -> bool {
    let mut grown = false;
    for needs::Missing { soname, wanted_by, package } in missing {
        if profile.system.contains(package) {
            continue;
        }
        let found = Finding::new(format!("system package {package}"), format!("/{wanted_by} needs {soname}"));
        events.note(&format!("{} ({})", found.what, found.why));
        profile.found.push(found);
        profile.system.push(package.clone());
        grown = true;
    }
    profile.system.sort();
    grown
}

/// The versions of languages that flags ask for, or that plim's recipes have.
fn versions(workspace: &Workspace, request: &OptimizeRequest) -> Vec<WantedVersion> {
    let recipes = request.options.stand_ins(&workspace.config);
    [
        (StackKind::Python, "--python", &request.python, aliases::PYTHON),
        (StackKind::Node, "--node", &request.node, aliases::NODE),
    ]
    .into_iter()
    .filter_map(|(kind, flag, asked, recipe)| match asked {
        Some(version) => Some(WantedVersion { kind, version: version.clone(), why: flag.to_owned() }),
        None if recipes => {
            Some(WantedVersion { kind, version: recipe.to_owned(), why: "the version of --bases plim".to_owned() })
        }
        None => None,
    })
    .collect()
}

fn profile(project: &Project) -> Result<&StackProfile, Failure> {
    project.stacks.first().ok_or_else(|| Failure::subject("no stack was detected"))
}

/// The file of `-f`, named from where the command runs: relative to the project's folder if it is in it, else absolute. A
/// link stays one, because its ignore file lies beside it.
fn named_file(file: &Utf8Path, dir: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let parent = file.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let parent = parent
        .canonicalize_utf8()
        .map_err(|error| Failure::caused(format!("failed to open {file}"), &error).hint("-f names the Dockerfile"))?;
    let path = parent.join(file.file_name().unwrap_or_default());
    Ok(path.strip_prefix(dir).map(Utf8Path::to_owned).unwrap_or(path))
}

fn questions(
    workspace: &Workspace,
    request: &OptimizeRequest,
    project: &Project,
    profile: &StackProfile,
) -> Result<prove::Questions, Failure> {
    let depth = request.depth.or(workspace.config.prove.depth).unwrap_or_default();
    let port = match (profile.port, depth) {
        (Some(port), _) => port,
        (None, Depth::None | Depth::Start) => 0,
        (None, Depth::Port | Depth::Http) => {
            return Err(Failure::subject("the port on which the application listens is unknown").hint(
                "--port, or port in [project] of plim.toml; a program that listens nowhere is proved with `--prove start`",
            ));
        }
    };
    let mut paths = vec![profile.health.clone().unwrap_or_else(|| "/".to_owned())];
    for path in workspace.config.prove.probes.iter().chain(&request.probes) {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    // what the project's compose file sets, then plim.toml, then the flags: the later wins
    let compose = project.compose.as_ref().map_or(&[][..], |compose| &compose.environment.0);
    let configured = workspace.config.prove.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    // a platform's choice, which the old image waits for
    let platform = project.evidence.declared.asks_for_port().then(|| ("PORT".to_owned(), port.to_string()));
    let defaults = over(compose, configured.collect());
    let defaults = over(platform.as_slice(), defaults).into_iter().map(|(name, value)| format!("{name}={value}"));
    let given = |name: &str| request.probe_env.iter().any(|pair| pair.split('=').next() == Some(name));
    let defaults = defaults.filter(|pair| pair.split('=').next().is_none_or(|name| !given(name)));
    let env = defaults.chain(request.probe_env.iter().cloned()).collect();
    Ok(prove::Questions { depth, port, paths, env, start_limit: Duration::from_secs(request.start_timeout) })
}

/// Says with a failed proof what the project may have missed: services beside it are not started.
fn with_needs(failure: Failure, project: &Project) -> Failure {
    let Some(compose) = project.compose.as_ref().filter(|compose| !compose.needs.is_empty()) else { return failure };
    let needs: Vec<String> = compose.needs.iter().map(ToString::to_string).collect();
    let may =
        format!("the application may need {}, which {} starts and the proof does not", needs.join(", "), compose.file);
    let hint = match &failure.hint {
        Some(hint) => format!("{may}; {hint}"),
        None => format!("{may}; --probe-env can name other places"),
    };
    Failure { hint: Some(hint), ..failure }
}

/// DIR/.plim, which keeps itself out of version control.
fn out_dir(root: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let out = root.join(".plim");
    std::fs::create_dir_all(&out).map_err(|error| Failure::caused(format!("failed to create {out}"), &error))?;
    housekeeping::sweep_begun(&out, housekeeping::Depth::One);
    write_whole(&out.join(".gitignore"), b"*\n")?;
    Ok(out)
}

/// Names an image in the store as every other command will look for it.
fn tag(workspace: &Workspace, name: &str, image: &Image) -> Result<(), Failure> {
    let reference: Reference =
        name.parse().map_err(|error| Failure::caused(format!("failed to name {name}"), &error))?;
    Ok(workspace.store.tag(&reference.to_string(), &image.descriptor)?)
}

/// Puts the new files in place and keeps the old ones as `*.before`; returns what was written. `out` is .plim.
fn in_place(
    dir: &Utf8Path,
    out: &Utf8Path,
    project: &Project,
    own: Option<&Dockerfile>,
    rewrite: &Rewrite,
) -> Result<Vec<Utf8PathBuf>, Failure> {
    let dockerfile = own.map_or_else(|| project.context.join("Dockerfile"), |own| own.path.clone());
    if !dockerfile.starts_with(dir) {
        return Err(Failure::tool(format!("{dockerfile} lies outside of the project and is not overwritten"))
            .hint("copy .plim/Dockerfile and .plim/.dockerignore to their places by hand"));
    }
    // NAME.dockerignore beside the Dockerfile wins over .dockerignore, so that is where the new patterns must go
    let special = Utf8PathBuf::from(format!("{dockerfile}.dockerignore"));
    let ignore = if special.exists() { special } else { project.context.join(".dockerignore") };
    let mut written = Vec::new();
    for (path, text) in [(dockerfile, &rewrite.dockerfile), (ignore, &rewrite.dockerignore)] {
        let kept = Utf8PathBuf::from(format!("{path}.before"));
        if path.exists() && !kept.exists() {
            let old = std::fs::read(&path)
                .map_err(|error| Failure::caused(format!("failed to keep {path} as {kept}"), &error))?;
            replace(out, &kept, &old)?;
        }
        replace(out, &path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Writes a file of the project at once. What a kill leaves lies in .plim, unless that is on another file system.
fn replace(out: &Utf8Path, path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
    write_whole_by(out, path, bytes).or_else(|_| write_whole(path, bytes))
}

/// The image's name in the store: the folder's, in the characters that references allow.
fn image_name(root: &Utf8Path) -> String {
    let folder = root.file_name().unwrap_or("app").to_lowercase();
    let name: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::image_name;

    #[test]
    fn image_names_are_legal_references() {
        assert_eq!(image_name("/x/My App_2".into()), "my-app-2");
        assert_eq!(image_name("/".into()), "app");
        assert_eq!(image_name("/x/__".into()), "app");
    }
}
