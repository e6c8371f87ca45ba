//! The two builds of `plim optimize`: the project's own Dockerfile and the new one.

use std::collections::BTreeMap;

use bstr::BString;
use camino::Utf8PathBuf;
use plim_build::{Built, Request};
use plim_dockerfile::ignore::Patterns;
use plim_oci::Events;
use plim_project::{Project, Rewrite, StackKind};

use super::OptimizeRequest;
use crate::build::{self, DockerfileSource};
use crate::priority::give_way;
use crate::{Failure, Kind, Workspace, aliases};

/// A Dockerfile with the ignore patterns that belong to it.
pub(super) struct Dockerfile {
    pub(super) name: String,
    pub(super) path: Utf8PathBuf,
    pub(super) text: Vec<u8>,
    pub(super) ignore: Option<Patterns>,
    /// The stage to build; none is the last one.
    pub(super) target: Option<String>,
    /// Build arguments below those of the request.
    pub(super) build_args: Vec<(String, String)>,
}

impl Dockerfile {
    pub(super) fn generated(rewrite: &Rewrite) -> Result<Self, Failure> {
        let ignore = Patterns::parse(&rewrite.dockerignore)
            .map_err(|error| Failure::caused("the generated .dockerignore is malformed", &error))?;
        Ok(Self {
            name: ".plim/Dockerfile".to_owned(),
            path: ".plim/Dockerfile".into(),
            text: rewrite.dockerfile.clone().into_bytes(),
            ignore: Some(ignore),
            target: None,
            build_args: Vec::new(),
        })
    }
}

/// The project's own Dockerfile, if it has one.
pub(super) fn own_dockerfile(project: &Project, events: &dyn Events) -> Result<Option<Dockerfile>, Failure> {
    let Some(path) = &project.dockerfile else {
        events.note("there is no Dockerfile: only the new image is shown");
        return Ok(None);
    };
    let context = &project.context;
    let path = context.join(path);
    let own = build::read_dockerfile(context, &DockerfileSource::File(path.clone()))?;
    let (ignore, place) = own.ignore.unwrap_or_else(|| (String::new(), context.join(".dockerignore")));
    // plim's own output must neither change the old image nor miss its cache
    let ignore = build::parse_ignore(&format!("{ignore}\n/.plim\n"), &place)?;
    let target = project.target.clone();
    let build_args = project.compose.as_ref().map(|compose| compose.build_args.0.clone()).unwrap_or_default();
    Ok(Some(Dockerfile { name: own.name, path, text: own.text, ignore: Some(ignore), target, build_args }))
}

/// What to do where dependencies do not build with the version of the language that `--bases plim` has.
fn other_version(kind: StackKind) -> Option<String> {
    let (name, version, image) = match kind {
        StackKind::Python => ("Python", aliases::PYTHON, "python"),
        StackKind::Node => ("Node.js", aliases::NODE, "node"),
        _ => return None,
    };
    Some(format!(
        "--bases plim has {name} {version}; a dependency that is pinned for another version may not build with it: without that \
         flag the images of the project's own version come from their registry (or [[registry]] mirrors, or [[alias]] image in \
         plim.toml names one for `{image}:VERSION`)"
    ))
}

/// Adds that to a failed step of the project; what fails otherwise has nothing to do with versions.
fn with_version(failure: Failure, versions: Option<&str>) -> Failure {
    match versions {
        Some(versions) if failure.kind == Kind::Subject && failure.hint.is_none() => failure.hint(versions),
        _ => failure,
    }
}

/// A finished build and the seconds that it took.
pub(super) type Timed = (Built, f64);

/// Builds of one project.
pub(super) struct Builds<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) request: &'a OptimizeRequest,
    pub(super) project: &'a Project,
    pub(super) events: &'a dyn Events,
}

impl Builds<'_> {
    /// Builds both Dockerfiles at the same time: one waits for the network, or for programs that run one after the other, while
    /// the other uses the processors. The new one gives way, since the bases of the old one take longer.
    pub(super) fn both(&self, own: Option<&Dockerfile>, fresh: &Dockerfile) -> Result<(Option<Timed>, Timed), Failure> {
        let (old, new) = std::thread::scope(|scope| {
            let alone = own.is_none();
            let old = own.map(|own| scope.spawn(|| self.run("build before", own, BTreeMap::new())));
            let new = scope.spawn(move || {
                if !alone {
                    give_way();
                }
                self.run("build after", fresh, BTreeMap::new())
            });
            let ended = |which: &str| Failure::tool(format!("the build of the {which} image ended unexpectedly"));
            let new = new.join().unwrap_or_else(|_| Err(ended("new")));
            (old.map(|thread| thread.join().unwrap_or_else(|_| Err(ended("old")))), new)
        });
        let stand_ins = self.request.options.stand_ins(&self.workspace.config);
        let versions =
            stand_ins.then(|| self.project.stacks.first().and_then(|stack| other_version(stack.kind))).flatten();
        let old = old.transpose().map_err(|failure| {
            let without = "--no-before optimizes without building the project's own Dockerfile";
            let failure = with_version(failure, versions.as_deref());
            let hint = match &failure.hint {
                Some(hint) => format!("{hint}\n\nor {without}"),
                None => without.to_owned(),
            };
            failure.hint(hint)
        })?;
        Ok((old, new.map_err(|failure| with_version(failure, versions.as_deref()))?))
    }

    /// Builds a Dockerfile over the project, with some files replaced; returns the time it took in seconds.
    pub(super) fn run(
        &self,
        title: &str,
        dockerfile: &Dockerfile,
        overrides: BTreeMap<BString, Vec<u8>>,
    ) -> Result<Timed, Failure> {
        let mut build = Request::new(self.project.context.clone().into(), dockerfile.text.clone());
        build.dockerfile_name.clone_from(&dockerfile.name);
        build.ignore.clone_from(&dockerfile.ignore);
        build.target.clone_from(&dockerfile.target);
        build.context.overrides = overrides;
        build.build_args = over(&dockerfile.build_args, self.request.build_args.clone());
        build.secrets = self
            .request
            .secrets
            .iter()
            .map(|(id, value)| plim_build::SecretSpec { id: id.clone(), value: plim_build::Secret::new(value.clone()) })
            .collect();
        build::configure(self.workspace, &mut build, &self.request.options)?;
        let task = self.events.start(title, None);
        let result = build::execute(self.workspace, &build, &self.request.options, self.events);
        let detail = match &result {
            Ok((built, _)) => {
                let all = built.steps.len();
                let cached = built.steps.iter().filter(|step| step.cached).count();
                if cached == all && all > 0 { "cached".to_owned() } else { format!("{cached} of {all} steps cached") }
            }
            Err(_) => "failed".to_owned(),
        };
        self.events.finish(task, &detail, result.is_err());
        result
    }
}

/// Values with defaults for the names that they lack.
pub(super) fn over(defaults: &[(String, String)], values: Vec<(String, String)>) -> Vec<(String, String)> {
    let missing = defaults.iter().filter(|(name, _)| !values.iter().any(|(known, _)| known == name));
    missing.cloned().collect::<Vec<_>>().into_iter().chain(values).collect()
}

#[cfg(test)]
mod tests {
    use super::{StackKind, other_version, with_version};
    use crate::Failure;

    #[test]
    fn a_failed_step_says_that_the_version_may_be_another() {
        let versions = other_version(StackKind::Python);
        let hint = |failure: Failure| with_version(failure, versions.as_deref()).hint;
        assert!(hint(Failure::subject("RUN pip install failed")).unwrap().contains("Python 3."));
        assert_eq!(hint(Failure::subject("RUN failed").hint("its own")), Some("its own".to_owned()));
        assert_eq!(hint(Failure::tool("no network")), None);
        assert_eq!(other_version(StackKind::Rust), None);
    }
}
