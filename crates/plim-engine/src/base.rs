//! `plim base`: base images from Debian packages; plim-debian describes them, the sandbox configures them.

mod configure;
mod growing;
mod levels;
mod pending;
mod underway;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Scope;

use camino::{Utf8Path, Utf8PathBuf};
use plim_build::snapshot::{Snapshots, chain_id};
use plim_debian::{Archive, ArchiveOptions, DebianError, Recipe};
use plim_oci::reference::Reference;
use plim_oci::{
    Blobs as _, BlobsMut as _, Descriptor, Digest, Events, History, ImageConfig, Layer, Platform, read, write,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bases::RECIPE_REGISTRY;
use crate::workspace::write_whole;
use crate::{Failure, Tool, Workspace};

use growing::{Ensured, Growing, Made};
use levels::LevelBuilder;
use pending::Pending;
use underway::MyTurn;
pub(crate) use underway::Underway;

/// How long a base image is used before the archive is asked for newer packages, in seconds.
const FRESH: i64 = 24 * 60 * 60;

/// A recipe and a suite as Dockerfiles and plim.toml write them: `python3:trixie`, `python3`.
#[derive(Debug, Clone)]
pub(crate) struct RecipeName {
    recipe: &'static Recipe,
}

impl RecipeName {
    /// Parses `NAME[:SUITE]`, with or without `plim.local/` before it; the suite must be the recipe's.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.strip_prefix(RECIPE_REGISTRY).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        let (name, suite) = text.split_once(':').unwrap_or((text, ""));
        let recipe = plim_debian::recipe(name).ok_or_else(|| {
            let names: Vec<&str> = plim_debian::recipes().iter().map(|recipe| recipe.name.as_str()).collect();
            let near = names.iter().min_by_key(|known| strsim::levenshtein(known, name));
            let hint = match near.filter(|known| strsim::levenshtein(known, name) <= 2) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the recipes are {}", names.join(", ")),
            };
            Failure::tool(format!("there is no recipe `{name}`")).hint(hint)
        })?;
        if !suite.is_empty() && suite != "latest" && suite != recipe.suite {
            return Err(Failure::tool(format!("recipe `{name}` is for {}, not for {suite}", recipe.suite))
                .hint(format!("write plim.local/{name}:{}", recipe.suite)));
        }
        Ok(Self { recipe })
    }
}

impl fmt::Display for RecipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RECIPE_REGISTRY}/{}:{}", self.recipe.name, self.recipe.suite)
    }
}

/// Whether a base image of today may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Yes.
    Cached,
    /// No: the archive is asked.
    Asked,
}

/// What is kept about a base image that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// Digest of everything but the archive that decides the image.
    inputs: Digest,
    /// The manifest.
    manifest: Descriptor,
    /// What names its files.
    files: Digest,
    /// Seconds since 1970 when the archive was asked.
    asked: i64,
    /// The lock text.
    lock: String,
    /// Number of packages.
    packages: usize,
}

/// Makes base images. What it leaves to other threads ends with their scope.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'scope, 'env> {
    pub(crate) workspace: &'env Workspace,
    pub(crate) events: &'env dyn Events,
    pub(crate) scope: &'scope Scope<'scope, 'env>,
}

impl Maker<'_, '_> {
    /// Returns the base image of a recipe, making it where it is missing or older than a day.
    pub(crate) fn ensure(
        &self,
        name: &RecipeName,
        platform: &Platform,
        mirror: Option<&str>,
        freshness: Freshness,
    ) -> Result<Ensured, Failure> {
        let workspace = self.workspace;
        let dir = workspace.cache_dir("bases")?;
        let path = dir.join(format!("{}-{}.json", name.recipe.name, platform.architecture));
        let mirror = mirror.or(workspace.config.debian.mirror.as_deref());
        let inputs = inputs(name.recipe, platform, mirror);
        let known = || recall(workspace, &path, &inputs, platform).filter(|_| freshness == Freshness::Cached);
        if let Some(made) = known() {
            return Ok(Ensured::There(Box::new(made)));
        }
        // recipes that stand on the same lowest one share levels; others are made side by side
        let lowest = &lowest(name.recipe).name;
        let turn = workspace.bases.turn(lowest);
        let turn = turn.wait(&dir.join(format!("{lowest}.lock")), lowest, self.events)?;
        // another process may have made it while this one waited
        if let Some(made) = known() {
            return Ok(Ensured::There(Box::new(made)));
        }
        let growing = self.make(name, platform, mirror, inputs, path, &turn)?;
        Ok(Ensured::Growing(Box::new(growing)))
    }

    fn make(
        &self,
        name: &RecipeName,
        platform: &Platform,
        mirror: Option<&str>,
        inputs: Digest,
        path: Utf8PathBuf,
        turn: &MyTurn<'_>,
    ) -> Result<Growing, Failure> {
        let what = format!("failed to make the base image {name}");
        let failed = |error: &DebianError| Failure::caused(what.clone(), error).maybe_hint(error.hint());
        let (workspace, events) = (self.workspace, self.events);
        let host = &workspace.host;
        let options = ArchiveOptions {
            mirror: mirror.map(str::to_owned),
            security_mirror: workspace.config.debian.security_mirror.clone(),
            apt_config_roots: host.apt.iter().map(PathBuf::from).collect(),
            offline: host.offline,
            ..ArchiveOptions::new(workspace.cache_dir("debian")?.into(), host.now)
        };
        let archive = Archive::new(options, workspace.http.clone());
        let plan = archive.plan(name.recipe, platform, events).map_err(|error| failed(&error))?;
        for note in plan.notes() {
            tracing::debug!(recipe = %name, "{note}");
        }
        plan.fetch(events).map_err(|error| failed(&error))?;
        let mut config = plan.image_config().map_err(|error| failed(&error))?;
        config.history = plan
            .levels()
            .iter()
            .map(|level| History {
                created: config.created.clone(),
                created_by: Some(level.created_by()),
                ..History::default()
            })
            .collect();
        let within = |failure: Failure| Failure {
            causes: [vec![failure.message], failure.causes].concat(),
            message: what.clone(),
            ..failure
        };
        let mut builder = LevelBuilder::open(self)?;
        builder.add(plan.levels()).map_err(within)?;
        let LevelBuilder { snapshots, chain, layers, .. } = builder;
        let (made, promise) = Pending::new();
        let finishing = Finishing {
            workspace,
            name: name.to_string(),
            path,
            annotations: plan.annotations(),
            config: config.clone(),
            layers,
            snapshots,
            inputs,
            files: chain.id.clone(),
            lock: plan.lock(),
            packages: plan.packages().count(),
        };
        let (lock, what) = (Arc::clone(&turn.lock), what.clone());
        self.scope.spawn(move || {
            promise.keep(finishing.finish().map_err(|failure| Failure {
                causes: [vec![failure.message], failure.causes].concat(),
                message: what,
                ..failure
            }));
            // other processes find the record, so they need not wait any longer
            drop(lock);
        });
        Ok(Growing { config, chain, made })
    }
}

/// What is left to do of a base image when its files are there.
struct Finishing<'env> {
    workspace: &'env Workspace,
    name: String,
    path: Utf8PathBuf,
    annotations: std::collections::BTreeMap<String, String>,
    config: ImageConfig,
    layers: Vec<(Digest, Pending<Layer>)>,
    snapshots: Snapshots,
    inputs: Digest,
    files: Digest,
    lock: String,
    packages: usize,
}

impl Finishing<'_> {
    /// Waits for the layers, then writes the image and what is kept about it.
    fn finish(self) -> Result<Made, Failure> {
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut below: Option<Digest> = None;
        for (key, layer) in self.layers {
            let layer = layer.wait()?;
            // for those who know the image and not how it was made
            let id = chain_id(below.as_ref(), &layer.diff_id);
            self.snapshots.alias(&key, &id).map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
            below = Some(id);
            layers.push(layer);
        }
        let image = write::image(&self.workspace.store, &self.config, &layers, &self.annotations)?;
        self.workspace.store.tag(&self.name, &image.descriptor)?;
        let record = Record {
            inputs: self.inputs,
            manifest: image.descriptor.clone(),
            files: self.files,
            asked: self.workspace.host.now.as_second(),
            lock: self.lock,
            packages: self.packages,
        };
        let json = serde_json::to_vec(&record).map_err(|error| Failure::caused("failed to keep a record", &error))?;
        write_whole(&self.path, &json)?;
        Ok(Made { image: Arc::new(image), record })
    }
}

/// The recipe at the bottom of a recipe's chain.
fn lowest(recipe: &'static Recipe) -> &'static Recipe {
    let mut lowest = recipe;
    while let Some(below) = lowest.extends.as_deref().and_then(plim_debian::recipe) {
        lowest = below;
    }
    lowest
}

fn inputs(recipe: &Recipe, platform: &Platform, mirror: Option<&str>) -> Digest {
    let text = format!("{}\n{recipe:?}\n{platform}\n{mirror:?}", env!("CARGO_PKG_VERSION"));
    Digest::of(text.as_bytes())
}

/// The image of an earlier run, if it is young enough and whole.
fn recall(workspace: &Workspace, path: &Utf8Path, inputs: &Digest, platform: &Platform) -> Option<Made> {
    let record: Record = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let age = workspace.host.now.as_second() - record.asked;
    if record.inputs != *inputs || (!(0..FRESH).contains(&age) && !workspace.host.offline) {
        return None;
    }
    let image = read::image(&workspace.store, &record.manifest, platform).ok()?;
    let whole = image.layers.iter().all(|layer| workspace.store.exists(&layer.descriptor).unwrap_or(false));
    whole.then(|| Made { image: Arc::new(image), record })
}

/// The recipes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BaseListReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// The recipes.
    pub recipes: Vec<RecipeRow>,
}

/// One recipe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecipeRow {
    /// As FROM names it.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// The recipe that it stands on.
    pub extends: Option<String>,
}

/// Lists the recipes that are embedded in plim.
pub fn list() -> BaseListReport {
    let recipes = plim_debian::recipes()
        .iter()
        .map(|recipe| RecipeRow {
            name: format!("{RECIPE_REGISTRY}/{}:{}", recipe.name, recipe.suite),
            summary: recipe.summary.clone(),
            extends: recipe.extends.clone(),
        })
        .collect();
    BaseListReport { schema: 1, tool: Tool::this(), recipes }
}

/// What `plim base build` made.
#[derive(Debug, Serialize)]
pub struct BaseReport {
    /// Its name in the store.
    pub name: String,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Number of packages.
    pub packages: usize,
    /// Number of layers.
    pub layers: usize,
    /// Bytes of the compressed layers.
    pub compressed_bytes: u64,
    /// Every package with its version and digest.
    pub lock: String,
}

/// Makes a base image, asking the archive for the newest packages, and names it in the store.
pub fn build(
    workspace: &Workspace,
    recipe: &str,
    tags: &[String],
    mirror: Option<&str>,
    events: &dyn Events,
) -> Result<BaseReport, Failure> {
    let name = RecipeName::parse(recipe)?;
    let tags = tags
        .iter()
        .map(|tag| tag.parse::<Reference>().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint())))
        .collect::<Result<Vec<_>, _>>()?;
    let made = std::thread::scope(|scope| {
        Maker { workspace, events, scope }.ensure(&name, &Platform::host(), mirror, Freshness::Asked)?.wait()
    })?;
    for tag in &tags {
        workspace.store.tag(&tag.to_string(), &made.image.descriptor)?;
    }
    Ok(BaseReport {
        name: name.to_string(),
        digest: made.image.descriptor.digest.clone(),
        packages: made.record.packages,
        layers: made.image.layers.len(),
        compressed_bytes: made.image.layers.iter().map(|layer| layer.descriptor.size).sum(),
        lock: made.record.lock,
    })
}
