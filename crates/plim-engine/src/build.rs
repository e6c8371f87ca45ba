//! `plim build`: a Dockerfile and a context become an image in the store.

mod cache;
mod context;
mod failed;
mod mounts;
mod output;
mod room;
#[cfg(test)]
mod tests;
mod weight;
mod whole;

use std::sync::Arc;

pub use cache::{CACHE_TYPE, CachePlace, CacheTo, Caches};
use camino::{Utf8Path, Utf8PathBuf};
pub use mounts::{MOUNTS_TYPE, MountsTo};
pub use output::{ImageOutput, Sink};
use plim_build::{Built, NamedContext, Request, Secret, SecretSpec, SshAgent};
pub use plim_build::{CacheMode, Network, StepReport, Terminal};
use plim_dockerfile::ignore::Patterns;
use plim_oci::compress::Compression;
use plim_oci::reference::Reference;
use plim_oci::{BlobsMut as _, Descriptor, Digest, Events, Index, Platform, media_type};
use serde::Serialize;
pub(crate) use whole::write_file;

use crate::base::Maker;
use crate::bases::Bases;
use crate::{Config, Failure, Kind, Workspace, housekeeping, lint};

/// What `plim build` is asked to do.
#[derive(Debug)]
pub struct BuildRequest {
    /// The context: a folder, the address of a repository or archive, or `-` for an archive on standard input.
    pub context: String,
    /// The Dockerfile.
    pub dockerfile: DockerfileSource,
    /// Names of the image in the store.
    pub tags: Vec<String>,
    /// The stage to build.
    pub target: Option<String>,
    /// Values of ARGs.
    pub build_args: Vec<(String, String)>,
    /// Labels over those of the Dockerfile.
    pub labels: Vec<(String, String)>,
    /// Annotations of the manifests.
    pub annotations: Vec<(String, String)>,
    /// Secrets by id.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// SSH agents by id: the socket of one, or files of private keys.
    pub ssh: Vec<(String, Vec<Utf8PathBuf>)>,
    /// Further contexts by name: a folder, `store:REF`, `docker-image://REF`, `oci:DIR`.
    pub contexts: Vec<(String, String)>,
    /// Do every step again.
    pub no_cache: bool,
    /// Do the steps of these stages again.
    pub no_cache_stages: Vec<String>,
    /// One layer in the place of all that the steps made.
    pub squash: bool,
    /// `os/arch[/variant]` each; none is this machine's, several make an index.
    pub platforms: Vec<String>,
    /// How layers are compressed: `gzip[:N]`, `zstd[:N]`, `none`.
    pub compression: String,
    /// Where to write the image besides the store.
    pub outputs: Vec<ImageOutput>,
    /// Caches that travel.
    pub caches: Caches,
    /// Gigabytes that unpacked layers, and that blobs, may take afterwards; none asks the configuration.
    pub cap_gb: Option<u64>,
    /// Where a RUN fails, a shell is opened in it on this terminal.
    pub shell_on_error: Option<Arc<Terminal>>,
    /// Lines of /etc/hosts in RUN steps.
    pub extra_hosts: Vec<(String, String)>,
    /// The OCI runtime that starts the commands of RUN steps; none is plim itself.
    pub runtime: Option<Utf8PathBuf>,
    /// How steps run and where bases come from.
    pub options: BuildOptions,
}

/// What `build` and `optimize` share.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// RUN steps have loopback only; none asks the configuration.
    pub network: Option<Network>,
    /// CA bundle of RUN steps: file, `auto`, `none`; none asks the configuration.
    pub ca_bundle: Option<String>,
    /// Map well-known base names to plim's recipes.
    pub well_known_bases: bool,
    /// Debian mirror.
    pub mirror: Option<String>,
    /// `SOURCE_DATE_EPOCH`, when the caller's environment has it.
    pub epoch: Option<i64>,
}

impl BuildOptions {
    /// Says whether plim's recipes stand in for well-known names: by the flag, else by the configuration.
    pub(crate) fn stand_ins(&self, config: &Config) -> bool {
        self.well_known_bases || config.build.bases.as_deref() == Some("plim")
    }
}

/// Where the Dockerfile is.
#[derive(Debug, Clone)]
pub enum DockerfileSource {
    /// `Dockerfile` in the context, or `dockerfile`.
    Default,
    /// A file.
    File(Utf8PathBuf),
    /// Text from elsewhere, with a name for messages.
    Text {
        /// The name.
        name: String,
        /// The text.
        text: Vec<u8>,
    },
}

/// What `plim build` did.
#[derive(Debug, Serialize)]
pub struct BuildReport {
    /// Digest of the image's manifest.
    pub digest: Digest,
    /// Names that it has in the store.
    pub tags: Vec<String>,
    /// Compressed bytes of its layers.
    pub compressed_bytes: u64,
    /// Number of its layers.
    pub layers: usize,
    /// The manifest's, or index', descriptor.
    pub descriptor: Descriptor,
    /// Digest of the configuration; none for several platforms.
    pub config_digest: Option<Digest>,
    /// The steps that touched files.
    pub steps: Vec<StepReport>,
}

/// Builds the image, names it and writes it where it was asked for.
pub fn build(workspace: &Workspace, request: &BuildRequest, events: &dyn Events) -> Result<BuildReport, Failure> {
    let tags = request
        .tags
        .iter()
        .map(|tag| tag.parse::<Reference>().map_err(|error| Failure::from_error(&error)))
        .collect::<Result<Vec<_>, _>>()?;
    let platforms = request
        .platforms
        .iter()
        .map(|text| {
            text.parse::<Platform>()
                .map_err(|error| Failure::tool(error).hint("--platform takes os/architecture, such as linux/arm64"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let platforms = if platforms.is_empty() { vec![Platform::host()] } else { platforms };
    output::check(&request.outputs, &tags, platforms.len())?;
    request.caches.check(request.squash)?;
    let context = context::open(workspace, &request.context, events)?;
    let (mut images, mut steps) = (Vec::new(), Vec::new());
    let (mut found, mut tables) = (Vec::new(), Vec::new());
    let (mut large, mut findings) = (None, None);
    let found_mounts = mounts::open(workspace, &request.caches, events);
    for platform in platforms {
        let mut build = prepare(workspace, request, &context)?;
        build.platform = platform.clone();
        let sources = cache::open(workspace, &request.caches, &platform, events);
        build.cache_from = sources.iter().map(|found| found.source.clone()).collect();
        build.cache_mounts_from = found_mounts.iter().map(|found| found.source.clone()).collect();
        found.extend(sources);
        let compression = build.compression;
        let (mut built, _) = execute(workspace, &build, &request.options, events)?;
        findings = lint::remark(&build.dockerfile, build.ignore.as_ref(), &request.build_args);
        // nobody waits for a walk through everything when nothing was to be done
        if images.is_empty() && built.steps.iter().any(|step| !step.cached) {
            large = Some((build.ignore, build.dockerfile));
        }
        if request.squash {
            output::squash(workspace, &mut built, compression, events)?;
        }
        steps.append(&mut built.steps);
        tables.push(std::mem::take(&mut built.caches));
        images.push((platform, built));
    }
    let root = root(workspace, &images)?;
    for tag in &tags {
        workspace.store.tag(&tag.to_string(), &root)?;
    }
    let product = output::Product { root: &root, images: &images, tags: &tags };
    for output in &request.outputs {
        output::write(workspace, &product, output, events)?;
    }
    let pushed = output::pushed(&request.outputs, &tags);
    let open = found.iter().filter_map(|found| found.layout.clone());
    let layouts: Vec<_> = open.chain(found_mounts.iter().filter_map(|found| found.layout.clone())).collect();
    let results = cache::Results { tables, found: &found, layouts: &layouts, pushed };
    cache::write(workspace, &request.caches, &results, events)?;
    let named = mounts::named(images.iter().map(|(_, built)| built));
    mounts::write(workspace, &request.caches, &named, &layouts, events)?;
    // a build that found all it needed left nothing new
    if request.squash || steps.iter().any(|step| !step.cached || step.imported.is_some()) {
        housekeeping::tidy(workspace, request.cap_gb, events);
    }
    let large =
        large.and_then(|(ignore, dockerfile)| weight::remark(&context.root, ignore.as_ref(), &dockerfile, events));
    for text in large.into_iter().chain(findings) {
        events.note(&text);
    }
    let layers: Vec<_> = images.iter().flat_map(|(_, built)| &built.image.layers).collect();
    Ok(BuildReport {
        digest: root.digest.clone(),
        tags: tags.iter().map(ToString::to_string).collect(),
        compressed_bytes: layers.iter().map(|layer| layer.descriptor.size).sum(),
        layers: layers.len(),
        config_digest: match images.as_slice() {
            [(_, built)] => Some(built.image.manifest.config.digest.clone()),
            _ => None,
        },
        descriptor: root,
        steps,
    })
}

/// The one image, or an index of several.
fn root(workspace: &Workspace, images: &[(Platform, Built)]) -> Result<Descriptor, Failure> {
    if let [(_, built)] = images {
        return Ok(built.image.descriptor.clone());
    }
    let manifests = images
        .iter()
        .map(|(platform, built)| Descriptor { platform: Some(platform.clone()), ..built.image.descriptor.clone() })
        .collect();
    let index = serde_json::to_vec(&Index { manifests, ..Index::default() })
        .map_err(|error| Failure::caused("failed to write the index", &error))?;
    Ok(plim_oci::write::put(&workspace.store, media_type::OCI_INDEX, &index)?)
}

/// Turns what the user asked for into what the builder takes.
fn prepare(workspace: &Workspace, request: &BuildRequest, context: &context::Opened) -> Result<Request, Failure> {
    let root = &context.root;
    let dockerfile = match (&request.dockerfile, &context.dockerfile) {
        // the Dockerfile is all there is
        (DockerfileSource::Default, Some(text)) => {
            DockerfileText { text: text.clone(), name: "Dockerfile".to_owned(), ignore: None }
        }
        (source, _) if context.fetched => read_dockerfile(root, &context::inside(root, source)?)?,
        (source, _) => read_dockerfile(root, source)?,
    };
    let ignore = dockerfile.ignore.map(|(text, path)| parse_ignore(&text, &path)).transpose()?;
    lint::stop_at_findings(&dockerfile.name, &dockerfile.text, ignore.as_ref(), &request.build_args)?;
    let mut build = Request::new(root.clone().into(), dockerfile.text);
    build.dockerfile_name = dockerfile.name;
    build.ignore = ignore;
    build.created = context.committed;
    build.annotations.clone_from(&request.annotations);
    build.no_cache_stages.clone_from(&request.no_cache_stages);
    build.build_args.clone_from(&request.build_args);
    build.labels.clone_from(&request.labels);
    build.target.clone_from(&request.target);
    build.secrets = request
        .secrets
        .iter()
        .map(|(id, value)| SecretSpec { id: id.clone(), value: Secret::new(value.clone()) })
        .collect();
    for (id, paths) in &request.ssh {
        let paths: Vec<std::path::PathBuf> = paths.iter().map(|path| path.as_std_path().to_owned()).collect();
        let agent = SshAgent::open(&paths).map_err(|error| {
            Failure::caused(format!("failed to offer the agent `{id}` to steps"), &error).maybe_hint(error.hint())
        })?;
        build.ssh.push((id.clone(), Arc::new(agent)));
    }
    for (name, place) in &request.contexts {
        build.named_contexts.push((name.clone(), named_context(place)?));
    }
    build.shell_on_error.clone_from(&request.shell_on_error);
    build.no_cache = request.no_cache;
    build.cache_to = request.caches.exports();
    build.cache_inline = request.caches.inline;
    build.compression = request
        .compression
        .parse::<Compression>()
        .map_err(|error| Failure::tool(error).hint("--compression takes gzip[:1-12], zstd[:1-22] or none"))?;
    build.extra_hosts.clone_from(&request.extra_hosts);
    build.runtime = request.runtime.clone().map(Into::into);
    configure(workspace, &mut build, &request.options)?;
    if build.runtime.is_some() && build.isolation == plim_sandbox::Isolation::Chroot {
        return Err(Failure::tool("--runtime needs namespaces, and steps run in a chroot here")
            .hint("leave --runtime out, or see docs/isolation.md for what namespaces need"));
    }
    Ok(build)
}

/// Sets what the options, the configuration and the host decide for every build.
pub(crate) fn configure(workspace: &Workspace, build: &mut Request, options: &BuildOptions) -> Result<(), Failure> {
    build.network = match (options.network, workspace.config.build.network.as_deref()) {
        (Some(network), _) => network,
        (None, None | Some("host")) => Network::Host,
        (None, Some("none")) => Network::None,
        (None, Some(other)) => {
            return Err(Failure::tool(format!("`{other}` is no network for RUN steps"))
                .hint("[build] network in plim.toml is `host` or `none`"));
        }
    };
    build.isolation = workspace.host.isolation;
    build.offline = workspace.host.offline;
    build.ca_bundle = workspace.ca_bundle(options.ca_bundle.as_deref())?.map(Into::into);
    build.proxies.clone_from(&workspace.host.proxies);
    build.epoch = options.epoch;
    Ok(())
}

/// Runs a prepared build and returns its result with the time it took in seconds.
pub(crate) fn execute(
    workspace: &Workspace,
    build: &Request,
    options: &BuildOptions,
    events: &dyn Events,
) -> Result<(Built, f64), Failure> {
    let began = std::time::Instant::now();
    let built = std::thread::scope(|scope| {
        let bases = Bases::new(Maker { workspace, events, scope }, options);
        plim_build::build(build, &workspace.build_state(), &bases, &workspace.indexes, events)
    })
    .map_err(|error| room::explain(workspace, &error, failed::failure(&error, build)))?;
    for warning in &built.warnings {
        let place =
            if warning.line == 0 { String::new() } else { format!("{}:{}: ", build.dockerfile_name, warning.line) };
        events.warn(&format!("{place}{}", warning.message));
    }
    let seconds = began.elapsed().as_secs_f64();
    crate::why::Lines::keep(workspace, &build.dockerfile_name, &built);
    Ok((built, seconds))
}

/// A Dockerfile and the ignore file that belongs to it, as texts.
pub(crate) struct DockerfileText {
    /// The Dockerfile.
    pub(crate) text: Vec<u8>,
    /// Its name for messages.
    pub(crate) name: String,
    /// The ignore file's text and path.
    pub(crate) ignore: Option<(String, Utf8PathBuf)>,
}

/// Reads the Dockerfile and the ignore file that belongs to it.
pub(crate) fn read_dockerfile(root: &Utf8Path, source: &DockerfileSource) -> Result<DockerfileText, Failure> {
    match source {
        DockerfileSource::Text { name, text } => Ok(DockerfileText {
            text: text.clone(),
            name: name.clone(),
            ignore: read_if_there(root.join(".dockerignore"))?,
        }),
        DockerfileSource::Default => read_dockerfile(root, &DockerfileSource::File(root.join("Dockerfile"))),
        DockerfileSource::File(path) => {
            // as BuildKit has it, `dockerfile` will do where there is no `Dockerfile`
            let lower = path.with_file_name("dockerfile");
            let usual = path.file_name() == Some("Dockerfile") && !path.exists() && lower.is_file();
            let path = if usual { &lower } else { path };
            let text = std::fs::read(path).map_err(|error| {
                Failure::caused(format!("failed to read {path}"), &error)
                    .hint("-f names the Dockerfile; `plim optimize` writes one for a project without")
            })?;
            // NAME.dockerignore beside the Dockerfile wins over the context's .dockerignore
            let ignore = match read_if_there(Utf8PathBuf::from(format!("{path}.dockerignore")))? {
                Some(own) => Some(own),
                None => read_if_there(root.join(".dockerignore"))?,
            };
            Ok(DockerfileText { text, name: path.strip_prefix(root).unwrap_or(path).to_string(), ignore })
        }
    }
}

fn read_if_there(path: Utf8PathBuf) -> Result<Option<(String, Utf8PathBuf)>, Failure> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((text, path))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::caused(format!("failed to read {path}"), &error)),
    }
}

/// Parses an ignore file; a malformed pattern is the subject's fault.
pub(crate) fn parse_ignore(text: &str, path: &Utf8Path) -> Result<Patterns, Failure> {
    Patterns::parse(text)
        .map_err(|error| Failure { kind: Kind::Subject, ..Failure::caused(format!("failed to read {path}"), &error) })
}

fn named_context(place: &str) -> Result<NamedContext, Failure> {
    if let Some(image) = place.strip_prefix("docker-image://") {
        return Ok(NamedContext::Image(image.to_owned()));
    }
    if let Some(layout) = place.strip_prefix("oci-layout://") {
        if layout.contains('@') {
            return Err(Failure::tool(format!("{place}: a digest does not choose an image of a layout"))
                .hint("write oci-layout://FOLDER:TAG"));
        }
        return Ok(NamedContext::Image(format!("oci:{layout}")));
    }
    if place.starts_with("store:") || place.starts_with("oci:") || place == "scratch" {
        return Ok(NamedContext::Image(place.to_owned()));
    }
    let root = Utf8PathBuf::from(place);
    if !root.is_dir() {
        return Err(Failure::tool(format!("the build context {place} is no folder"))
            .hint("--build-context takes NAME=FOLDER, NAME=store:REF, NAME=oci:DIR or NAME=docker-image://REF"));
    }
    let ignore = read_if_there(root.join(".dockerignore"))?;
    let ignore = ignore.map(|(text, path)| parse_ignore(&text, &path)).transpose()?;
    Ok(NamedContext::Dir { root: root.into(), ignore })
}
