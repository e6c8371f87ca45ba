//! What the build makes.

use camino::{Utf8Path, Utf8PathBuf};

use super::Context;
use super::artifacts::same;
use super::author::Author;
use super::sources::Sources;
use super::start::Start;
use crate::project::Artifact;

/// What the build makes, and what it makes it from.
#[derive(Debug, Clone, Default)]
pub(super) struct Outputs {
    /// Files and folders of the build stage.
    pub(super) paths: Vec<Artifact>,
    /// Files and folders of the project that the author copies beside them.
    pub(super) beside: Vec<Artifact>,
    /// Folders whose sources are not needed any more.
    pub(super) compiled: Vec<Utf8PathBuf>,
    /// The list holds all that the image needs: the author's own image has no more.
    pub(super) complete: bool,
    /// `index.html` at the top is a source of the front end.
    pub(super) front_end: bool,
    /// Installed packages go with it.
    pub(super) packages: bool,
    /// It is not known what the build makes: everything that it leaves is needed.
    pub(super) everything: bool,
}

/// Folders with the sources of a Next.js project, which are compiled into `.next`.
const NEXT_SOURCES: &[&str] = &[
    "app",
    "pages",
    "src",
    "components",
    "lib",
    "hooks",
    "styles",
    "utils",
    "types",
    "store",
    "context",
    "contexts",
    "layouts",
    "features",
];

impl Outputs {
    /// Finds them: what the author copies out of the build, what the start command names, what the tools are known for.
    pub(super) fn find(context: &Context<'_>, author: &Author, start: &Start, sources: &Sources) -> Self {
        if let Some(outputs) = Self::copied(context, author) {
            return outputs;
        }
        let mut outputs = Self::default();
        let manifest = context.manifest;
        let folder = context.folder;
        match start.program.as_deref() {
            Some("next") => {
                outputs.paths.push(same(Utf8Path::new(".next"), true));
                outputs.compiled.extend(NEXT_SOURCES.iter().map(Utf8PathBuf::from));
                return outputs;
            }
            Some("remix-serve" | "react-router-serve") => {
                outputs.paths.push(same(Utf8Path::new("build"), true));
                outputs.compiled.push("app".into());
                return outputs;
            }
            // they find their parts by the names of the source folders
            Some("strapi" | "directus" | "medusa") => {
                outputs.everything = true;
                return outputs;
            }
            _ => {}
        }
        let mut add = |path: &Utf8Path, is_folder: bool| {
            if !outputs.paths.iter().any(|known| path.starts_with(&known.path)) {
                outputs.paths.push(same(path, is_folder));
            }
        };
        let file = start.file.clone().unwrap_or_default();
        let is_source =
            folder.has(&file) || ["js", "mjs", "cjs", "ts"].iter().any(|end| folder.has(file.with_extension(end)));
        let is_made = !is_source || is_made_folder(context, &file);
        if is_made && !file.as_str().is_empty() {
            let mut parts = file.components();
            match (parts.next(), parts.next()) {
                (Some(first), Some(_)) => add(Utf8Path::new(first.as_str()), true),
                _ => add(&file, false),
            }
        }
        // compilers name their folder themselves
        if let Some(dir) = typescript_output(context) {
            add(&dir, true);
        }
        let tools: String = manifest
            .scripts
            .iter()
            .filter(|(name, _)| name.starts_with("build"))
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let made_by = [
            ("vite build", "dist"),
            ("react-scripts build", "build"),
            ("vue-cli-service build", "dist"),
            ("nuxt build", ".output"),
            ("nuxi build", ".output"),
            ("astro build", "dist"),
            ("parcel build", "dist"),
            ("ng build", "dist"),
        ];
        for (tool, dir) in made_by {
            if tools.contains(tool) {
                outputs.front_end |= matches!(tool, "vite build" | "parcel build");
                add(&vite_output(context).filter(|_| tool.starts_with("vite")).unwrap_or_else(|| dir.into()), true);
            }
        }
        // a front end inside the project is served from where it is built
        let mut inner: Vec<&str> =
            author.build.iter().map(|build| build.dir.as_str()).filter(|dir| !dir.is_empty()).collect();
        inner.dedup();
        for dir in inner {
            let text = folder.text(format!("{dir}/package.json")).unwrap_or_default();
            let name = if text.contains("react-scripts") { "build" } else { "dist" };
            let named = ["build", "dist", "out"]
                .into_iter()
                .find(|name| sources.find(|line| line.contains(&format!("{dir}/{name}"))).is_some());
            add(&Utf8Path::new(dir).join(named.unwrap_or(name)), true);
            outputs.compiled.push(dir.into());
        }
        outputs.everything = outputs.paths.is_empty();
        outputs
    }

    /// What the author's last stage copies from the others.
    fn copied(context: &Context<'_>, author: &Author) -> Option<Self> {
        let mut outputs = Self::default();
        for told in &context.declared.copies_from {
            let copy = &told.value;
            let Some(stage) = copy.stage.filter(|stage| author.stages.contains(stage)) else { continue };
            let root = author.roots.get(&stage).map_or(context.workdir.as_str(), String::as_str);
            for source in &copy.sources {
                let (Some(path), Some(dest)) = (below(root, source), below(&context.workdir, &copy.dest)) else {
                    continue;
                };
                let first = path.components().next().map(|part| part.as_str().to_owned()).unwrap_or_default();
                if first.is_empty() {
                    // the whole project: nothing is said
                    return None;
                }
                let name = path.file_name().unwrap_or_default();
                if path.as_str().contains("node_modules") {
                    outputs.packages = true;
                    continue;
                }
                if name.starts_with("package") || name.contains("lock") || name.contains('*') {
                    continue;
                }
                let is_file = context.folder.has(&path)
                    || path.extension().is_some_and(|end| matches!(end, "js" | "mjs" | "cjs" | "json"));
                let into = copy.dest.ends_with('/') || dest.as_str().is_empty();
                let dest = if is_file && into { dest.join(name) } else { dest };
                outputs.paths.push(Artifact { path, folder: !is_file, dest });
            }
        }
        if outputs.paths.is_empty() {
            return None;
        }
        // and what it copies from the project itself
        let copies = context.declared.copies.iter().filter_map(|told| {
            let pair = &told.value;
            let dest = below(&context.workdir, &pair.dest)?;
            let is_folder = context.folder.has_folder(&pair.source);
            let name = pair.source.file_name()?;
            let wanted = (is_folder || context.folder.has(&pair.source))
                && !name.starts_with("package")
                && !name.contains("lock");
            let dest = if !is_folder && (pair.dest.ends_with('/') || dest.as_str().is_empty()) {
                dest.join(name)
            } else {
                dest
            };
            wanted.then(|| Artifact { path: pair.source.clone(), folder: is_folder, dest })
        });
        outputs.beside = copies.collect();
        outputs.complete = true;
        // the last stage may install its own
        outputs.packages |= author.installs_in_image;
        Some(outputs)
    }
}

/// Whether the file that is started lies in a folder that version control does not know.
fn is_made_folder(context: &Context<'_>, file: &Utf8Path) -> bool {
    let Some(first) = file.components().next().map(|part| part.as_str().to_owned()) else { return false };
    let ignored = context.folder.text(".gitignore").unwrap_or_default();
    file.components().count() > 1
        && super::artifacts::is_output_name(&first)
        && ignored.lines().any(|line| line.trim().trim_matches('/') == first)
}

/// The `outDir` of the TypeScript compiler.
fn typescript_output(context: &Context<'_>) -> Option<Utf8PathBuf> {
    let text = ["tsconfig.build.json", "tsconfig.json"]
        .into_iter()
        .find_map(|name| context.folder.text(name).filter(|text| text.contains("\"outDir\"")))?;
    // the file may hold comments, which JSON has not
    let line = text.lines().find(|line| line.contains("\"outDir\"") && !line.trim_start().starts_with("//"))?;
    let value = line.split_once("\"outDir\"")?.1.split('"').nth(1)?;
    crate::folder::resolve(Utf8Path::new("tsconfig.json"), value)
}

/// The `outDir` of Vite.
fn vite_output(context: &Context<'_>) -> Option<Utf8PathBuf> {
    let text = ["vite.config.ts", "vite.config.js", "vite.config.mjs", "vite.config.mts"]
        .into_iter()
        .find_map(|name| context.folder.text(name))?;
    let value = text.split_once("outDir:")?.1.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
    crate::folder::resolve(Utf8Path::new("vite.config"), value[1..].split(quote).next()?)
}

/// Returns a path relative to a folder that holds it.
pub(super) fn below(root: &str, path: &str) -> Option<Utf8PathBuf> {
    let rest = path.trim_end_matches('/').strip_prefix(root.trim_end_matches('/'))?;
    if rest.is_empty() { Some(Utf8PathBuf::new()) } else { rest.strip_prefix('/').map(Utf8PathBuf::from) }
}
