//! Installing the project itself, where running from its sources is not the same.

use camino::Utf8PathBuf;

use super::super::sources::Sources;
use super::super::start::Start;
use super::super::{Context, DEPS, Layout, Pyproject};
use super::Plan;
use crate::project::{Artifact, Step};

impl Plan {
    /// Returns the step that installs the project itself, and why it is needed. Running from the sources is simpler and is
    /// preferred wherever it gives the same.
    pub(in crate::stack::python) fn package_step(
        &self,
        context: &Context<'_>,
        layout: &Layout,
        start: &Start,
        sources: &Sources,
    ) -> Option<(Step, String)> {
        let installable = context.pyproject.is_some_and(|p| p.installable) || context.folder.has("setup.py");
        if !installable {
            return None;
        }
        let why = if self.with_package {
            self.manifests.first().map_or_else(|| "setup.py".to_owned(), ToString::to_string)
        } else if let Some(told) = &context.declared.project_installed {
            context.at(told.line)
        } else if context.pyproject.is_some_and(|pyproject| pyproject.entry_points) {
            "its entry points are looked up in the metadata of the installed package".to_owned()
        } else if let Some(place) = &sources.reads_own_metadata {
            place.clone()
        } else if layout.is_src() && start.search_path.is_some() && context.declared.base.is_none() {
            "src layout with a build system".to_owned()
        } else {
            return None;
        };
        // the version would come from the history, which is not in the build context
        let scm = context.pyproject.is_some_and(|pyproject| pyproject.version_from_vcs);
        let version = if scm { "SETUPTOOLS_SCM_PRETEND_VERSION=0 " } else { "" };
        let no_deps = if self.with_package && self.install.steps.is_empty() { "" } else { " --no-deps" };
        let step = Step {
            command: format!("{version}python3 -m pip install --no-compile{no_deps} --target={DEPS} ."),
            caches: vec!["/root/.cache/pip".to_owned()],
            comment: "the project itself".to_owned(),
            why: why.clone(),
        };
        Some((step, why))
    }

    /// What building the package reads beside the manifests that are there already.
    pub(in crate::stack::python) fn package_inputs(&self, context: &Context<'_>, layout: &Layout) -> Vec<Artifact> {
        let metadata = [Pyproject::FILE, "setup.py", "setup.cfg", "MANIFEST.in"].map(Utf8PathBuf::from);
        let named = context.pyproject.into_iter().flat_map(|pyproject| pyproject.build_files.iter().cloned());
        let mut files: Vec<Utf8PathBuf> = metadata
            .into_iter()
            .filter(|name| context.folder.has(name))
            .chain(named)
            .filter(|file| !self.manifests.contains(file))
            .collect();
        files.dedup();
        let files = files.into_iter().map(|path| Artifact { dest: path.clone(), path, folder: false });
        let packages = layout.packages(context.folder).into_iter();
        files.chain(packages.map(|path| Artifact { dest: path.clone(), path, folder: true })).collect()
    }
}
