//! `plim base`: base images from Debian packages; plim-debian describes them, the sandbox configures them.

mod configure;

use std::fmt;
use std::path::PathBuf;

use plim_build::snapshot::{Chain, LayerOptions, Snapshots, View, chain_id, settled_layer_from_dir};
use plim_debian::{Archive, ArchiveOptions, DebianError, Kind as RecipeKind, Level, Recipe};
use plim_oci::compress::Compression;
use plim_oci::reference::Reference;
use plim_oci::{
    Blobs as _, BlobsMut as _, Descriptor, Digest, Events, History, Image, Layer, ObserveLayers as _, Platform, read,
    write,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bases::RECIPE_REGISTRY;
use crate::workspace::write_whole;
use crate::{Failure, Tool, Workspace};

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

/// A base image with what is known of it.
pub(crate) struct Made {
    /// The image, in the store.
    pub(crate) image: Image,
    record: Record,
}

/// What is kept about a base image that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// Digest of everything but the archive that decides the image.
    inputs: Digest,
    /// The manifest.
    manifest: Descriptor,
    /// Seconds since 1970 when the archive was asked.
    asked: i64,
    /// The lock text.
    lock: String,
    /// Number of packages.
    packages: usize,
}

/// Returns the base image of a recipe, making it where it is missing or older than a day.
pub(crate) fn ensure(
    workspace: &Workspace,
    name: &RecipeName,
    platform: &Platform,
    mirror: Option<&str>,
    freshness: Freshness,
    events: &dyn Events,
) -> Result<Made, Failure> {
    let dir = workspace.cache_dir("bases")?;
    let path = dir.join(format!("{}-{}.json", name.recipe.name, platform.architecture));
    let mirror = mirror.or(workspace.config.debian.mirror.as_deref());
    let inputs = inputs(name.recipe, platform, mirror);
    if freshness == Freshness::Cached
        && let Some(made) = recall(workspace, &path, &inputs, platform)
    {
        return Ok(made);
    }
    // recipes that stand on the same lowest one share levels; others are made side by side
    let lock = dir.join(format!("{}.lock", lowest(name.recipe).name));
    let _guard = plim_oci::lock::lock_exclusive(lock.as_std_path())
        .map_err(|error| Failure::caused(format!("failed to lock {dir}"), &error))?;
    // another process may have made it while this one waited
    if freshness == Freshness::Cached
        && let Some(made) = recall(workspace, &path, &inputs, platform)
    {
        return Ok(made);
    }
    let made = make(workspace, name, platform, mirror, inputs, events)?;
    workspace.store.tag(&name.to_string(), &made.image.descriptor)?;
    let json = serde_json::to_vec(&made.record).map_err(|error| Failure::caused("failed to keep a record", &error))?;
    write_whole(&path, &json)?;
    Ok(made)
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
fn recall(workspace: &Workspace, path: &camino::Utf8Path, inputs: &Digest, platform: &Platform) -> Option<Made> {
    let record: Record = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let age = workspace.host.now.as_second() - record.asked;
    if record.inputs != *inputs || (!(0..FRESH).contains(&age) && !workspace.host.offline) {
        return None;
    }
    let image = read::image(&workspace.store, &record.manifest, platform).ok()?;
    let whole = image.layers.iter().all(|layer| workspace.store.exists(&layer.descriptor).unwrap_or(false));
    whole.then_some(Made { image, record })
}

fn make(
    workspace: &Workspace,
    name: &RecipeName,
    platform: &Platform,
    mirror: Option<&str>,
    inputs: Digest,
    events: &dyn Events,
) -> Result<Made, Failure> {
    let what = format!("failed to make the base image {name}");
    let failed = |error: &DebianError| Failure::caused(what.clone(), error).maybe_hint(error.hint());
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
    let mut builder = LevelBuilder::open(workspace)?;
    for level in plan.levels() {
        builder.add(level, events).map_err(|failure| Failure {
            causes: [vec![failure.message], failure.causes].concat(),
            message: what.clone(),
            ..failure
        })?;
    }
    let mut config = plan.image_config().map_err(|error| failed(&error))?;
    for layer in &builder.layers {
        config.rootfs.diff_ids.push(layer.diff_id.clone());
        config.history.push(History {
            created: config.created.clone(),
            created_by: layer.created_by.clone(),
            ..History::default()
        });
    }
    let image = write::image(&workspace.store, &config, &builder.layers, &plan.annotations())?;
    let record = Record {
        inputs,
        manifest: image.descriptor.clone(),
        asked: host.now.as_second(),
        lock: plan.lock(),
        packages: plan.packages().count(),
    };
    Ok(Made { image, record })
}

/// Layers of build stages are large, made before anything else can begin, and hardly ever shipped: they are compressed
/// about as well as by gzip's own default, in three quarters of the time.
fn compression(kind: RecipeKind) -> Compression {
    match kind {
        RecipeKind::Plain => Compression::default(),
        RecipeKind::Configured => Compression::Gzip(4),
    }
}

/// Makes the levels of a plan one above the other.
struct LevelBuilder<'a> {
    workspace: &'a Workspace,
    snapshots: Snapshots,
    chain: Chain,
    layers: Vec<Layer>,
    /// Names the levels so far.
    key: Digest,
}

impl<'a> LevelBuilder<'a> {
    fn open(workspace: &'a Workspace) -> Result<Self, Failure> {
        let snapshots =
            Snapshots::open(&workspace.build_state().snapshots).map_err(|error| Failure::from_error(&error))?;
        Ok(Self { workspace, snapshots, chain: Chain::scratch(), layers: Vec::new(), key: Digest::of(b"") })
    }

    /// Adds a level: from the cache where its layer and its unpacked directory are there.
    fn add(&mut self, level: &Level, events: &dyn Events) -> Result<(), Failure> {
        let key = Digest::of(format!("{} {}", self.key, level.key()).as_bytes());
        let record = self.workspace.cache_dir("bases")?.join(format!("level-{}.json", key.hex()));
        let known: Option<(Digest, Descriptor)> =
            std::fs::read(&record).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some((diff_id, descriptor)) = known
            && self.workspace.store.exists(&descriptor)?
            && let Some(dir) = self.snapshots.get(&self.chain_id(&diff_id))
        {
            let layer = Layer { descriptor, diff_id, created_by: Some(level.created_by()) };
            self.push(key, layer, dir);
            return Ok(());
        }
        let task = events.start(&format!("base {}", level.recipe().name), None);
        let made = self.make(level, events);
        events.finish(task, "", made.is_err());
        let (layer, dir) = made?;
        let json = serde_json::to_vec(&(&layer.diff_id, &layer.descriptor))
            .map_err(|error| Failure::caused("failed to keep a record", &error))?;
        write_whole(&record, &json)?;
        self.push(key, layer, dir);
        Ok(())
    }

    fn chain_id(&self, diff_id: &Digest) -> Digest {
        chain_id((!self.layers.is_empty()).then_some(&self.chain.id), diff_id)
    }

    fn push(&mut self, key: Digest, layer: Layer, dir: PathBuf) {
        let id = self.chain_id(&layer.diff_id);
        self.chain = self.chain.push(id, dir);
        self.layers.push(layer);
        self.key = key;
    }

    fn make(&self, level: &Level, events: &dyn Events) -> Result<(Layer, PathBuf), Failure> {
        let files = |error: &plim_build::files::FilesError| Failure::from_error(error).maybe_hint(error.hint());
        let debian = |error: &DebianError| Failure::from_error(error).maybe_hint(error.hint());
        let draft = self.snapshots.begin().map_err(|error| files(&error))?;
        level.unpack(&draft.fs, &self.chain.lower, events).map_err(|error| debian(&error))?;
        self.configure_all(&level.steps().map_err(|error| debian(&error))?, &draft, events)?;
        level.finish(&draft.fs).map_err(|error| debian(&error))?;
        let options = LayerOptions {
            epoch: level.epoch().map_err(|error| debian(&error))?,
            compression: compression(level.recipe().kind),
            created_by: level.created_by(),
        };
        let observer = Some(self.workspace.indexes.observe());
        let lower = View::new(&self.chain);
        // what stands on the base must not depend on whether it was made here or unpacked
        let layer = settled_layer_from_dir(&draft.fs, &lower, &self.workspace.store, &options, observer, events)
            .map_err(|error| files(&error))?;
        let dir = self.snapshots.commit(draft, &self.chain_id(&layer.diff_id)).map_err(|error| files(&error))?;
        Ok((layer, dir))
    }
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
    let made = ensure(workspace, &name, &Platform::host(), mirror, Freshness::Asked, events)?;
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
