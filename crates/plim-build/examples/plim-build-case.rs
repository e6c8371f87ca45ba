//! Builds one case of the Dockerfile conformance pack: the wrapper that its `run.py` calls.
//!
//!     run.py --wrapper target/debug/examples/plim-build-case
//!
//! Arguments: OUT.oci.tar CONTEXT DOCKERFILE, then flags of `docker build`. `PLIM_CASE_STATE` names the
//! directory for the store and the caches; `PLIM_CASE_BASES` the one with the pack's `*.oci.tar` bases.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use plim_build::{Base, BaseError, BaseSource, NamedContext, Request, State, build};
use plim_dockerfile::ignore::Patterns;
use plim_oci::archive::{Archive, write_oci};
use plim_oci::lock::lock_exclusive;
use plim_oci::{
    BlobsMut as _, Descriptor, Digest, EntryHead, Events, Image, Index, LayerObserver, Layout, ObserveLayers, Platform,
    Reference, TaskId, media_type,
};

/// The names under which the Dockerfiles of the pack know its bases.
const BASES: [(&str, &[&str]); 3] = [
    ("busybox", &["busybox:latest", "busybox:stable-musl"]),
    ("alpine", &["alpine:latest"]),
    ("centos", &["centos:7"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    plim_sandbox::helper_main();
    plim_sandbox::userns::enter_if_needed()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, context, dockerfile, flags @ ..] = args.as_slice() else {
        return Err("usage: plim-build-case OUT.oci.tar CONTEXT DOCKERFILE [FLAGS]".into());
    };
    let state = open_state(&env_path("PLIM_CASE_STATE")?, &env_path("PLIM_CASE_BASES")?)?;
    let mut request = request(Path::new(context), Path::new(dockerfile), flags)?;
    let mut index = Index::default();
    for platform in platforms(flags)? {
        request.platform = platform.clone();
        let image = build_one(&request, &state)?;
        index.manifests.push(Descriptor { platform: Some(platform), ..image.descriptor });
    }
    let root = match index.manifests.as_slice() {
        [only] => only.clone(),
        _ => plim_oci::write::put(&state.store, media_type::OCI_INDEX, &serde_json::to_vec(&index)?)?,
    };
    write_oci(&state.store, &root, None, &mut fs::File::create(out)?)?;
    Ok(())
}

fn build_one(request: &Request, state: &State) -> Result<Image, Box<dyn Error>> {
    let error = match build(request, state, &Store(&state.store), &Nobody, &Plain) {
        Ok(built) => {
            for step in &built.steps {
                let why = step.miss.as_ref().map_or_else(|| "cached".to_owned(), ToString::to_string);
                Plain.note(&format!("{}:{} {} ({why}, {:.2}s)", step.stage, step.line, step.instruction, step.seconds));
            }
            return Ok(built.image);
        }
        Err(error) => error,
    };
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Err(error.hint().map_or(text.clone(), |hint| format!("{text} (hint: {hint})")).into())
}

fn platforms(flags: &[String]) -> Result<Vec<Platform>, String> {
    match flags.iter().position(|flag| flag == "--platform").and_then(|at| flags.get(at + 1)) {
        Some(list) => list.split(',').map(str::parse).collect(),
        None => Ok(vec![Platform::host()]),
    }
}

fn env_path(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set").into())
}

fn open_state(dir: &Path, bases: &Path) -> Result<State, Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let store = Layout::create(dir.join("store"))?;
    let _lock = lock_exclusive(&dir.join("bases.lock"))?;
    for (file, names) in BASES {
        let canonical = |name: &str| name.parse::<Reference>().map(|reference| reference.to_string());
        if store.resolve(&canonical(names[0])?).is_ok() {
            continue;
        }
        let archive = Archive::open(&bases.join(format!("{file}.oci.tar")))?;
        let root = archive.resolve("")?;
        plim_oci::copy::copy(&archive, &store, &root, plim_oci::copy::Options::default(), &Plain)?;
        for name in names {
            store.tag(&canonical(name)?, &root)?;
        }
    }
    Ok(State { store, snapshots: dir.join("snapshots"), cache: dir.join("cache"), mounts: dir.join("mounts") })
}

fn request(context: &Path, dockerfile: &Path, flags: &[String]) -> Result<Request, Box<dyn Error>> {
    // the name that people on file systems without case use
    let small = dockerfile.with_file_name("dockerfile");
    let dockerfile = if dockerfile.exists() { dockerfile } else { &small };
    let mut request = Request::new(context.to_owned(), fs::read(dockerfile)?);
    if let Some(name) = dockerfile.file_name() {
        request.dockerfile_name = name.to_string_lossy().into_owned();
    }
    let own_ignore = dockerfile.with_file_name(format!("{}.dockerignore", request.dockerfile_name));
    let ignore = [own_ignore, context.join(".dockerignore")].into_iter().find_map(|path| fs::read(path).ok());
    request.ignore = ignore.map(|text| Patterns::parse(&String::from_utf8_lossy(&text))).transpose()?;
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        if flag == "--no-cache" {
            request.no_cache = true;
            continue;
        }
        let value = flags.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let pair = || value.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        match flag.as_str() {
            "--target" => request.target = Some(value.clone()),
            "--platform" => {}
            "--build-arg" => request.build_args.extend(pair()),
            "--label" => request.labels.extend(pair()),
            "--build-context" => request.named_contexts.extend(pair().map(|(name, path)| {
                let root = PathBuf::from(path);
                let ignore = fs::read_to_string(root.join(".dockerignore")).ok();
                let ignore = ignore.and_then(|text| Patterns::parse(&text).ok());
                (name, NamedContext::Dir { root, ignore })
            })),
            other => return Err(format!("unknown flag {other}").into()),
        }
    }
    Ok(request)
}

/// Finds bases in the store only.
struct Store<'a>(&'a Layout);

impl BaseSource for Store<'_> {
    fn base(&self, name: &str, platform: &Platform, _events: &dyn Events) -> Result<Option<Base>, BaseError> {
        let reference = name.parse::<Reference>().map_err(|error| BaseError::new(error.to_string(), None))?;
        let Ok(descriptor) = self.0.resolve(&reference.to_string()) else { return Ok(None) };
        let image = plim_oci::read::image(self.0, &descriptor, platform);
        image.map(|image| Some(image.into())).map_err(|error| BaseError::new(error.to_string(), None))
    }
}

/// Watches no layers.
struct Nobody;

impl ObserveLayers for Nobody {
    fn observe(&self) -> Box<dyn LayerObserver> {
        Box::new(Nobody)
    }
}

impl LayerObserver for Nobody {
    fn entry(&mut self, _head: &EntryHead) {}
    fn data(&mut self, _bytes: &[u8]) {}
    fn end(&mut self) {}
    fn finish(self: Box<Self>, _diff_id: &Digest, _size: u64, _events: &dyn Events) {}
}

/// Writes output and remarks as plain lines.
struct Plain;

impl Events for Plain {
    fn start(&self, _title: &str, _total: Option<u64>) -> TaskId {
        TaskId(0)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, line: &str) {
        self.note(line);
    }
    fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
    #[expect(clippy::print_stderr, reason = "this is the program that people look at")]
    fn note(&self, text: &str) {
        eprintln!("{text}");
    }
    fn warn(&self, text: &str) {
        self.note(text);
    }
}
