//! A context, a state and a builder for tests.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use plim_build::{Base, BaseError, BaseSource, BuildError, Built, Isolation, Request, State, build};
use plim_oci::compress::decompressor;
use plim_oci::tar::{Limits, TarError, read_layer};
use plim_oci::{Blobs as _, Compression, EntryHead, Events, Image, Layout, Platform, Silent};
use plim_testkit::{ImageBuilder, LayerBuilder, Seen};
use tempfile::TempDir;

/// When the base images of the tests were made.
pub(crate) const BASE_CREATED: &str = "2024-05-06T07:08:09Z";

/// When the base image `later` was made.
const LATER_CREATED: &str = "2033-05-06T07:08:09Z";

/// Steps run without namespaces from now on.
static CHROOT: AtomicBool = AtomicBool::new(false);

/// Makes steps of all further requests run without namespaces.
pub(crate) fn without_namespaces() {
    CHROOT.store(true, Ordering::Relaxed);
}

/// A project directory beside a state directory.
pub(crate) struct Workbench {
    dir: TempDir,
    state: State,
}

impl Workbench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("project")).unwrap();
        let state = State {
            store: Layout::create(dir.path().join("store")).unwrap(),
            snapshots: dir.path().join("snapshots"),
            cache: dir.path().join("cache"),
            mounts: dir.path().join("mounts"),
        };
        Self { dir, state }
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Writes a file of the context.
    pub(crate) fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn request(&self, dockerfile: &str) -> Request {
        let mut request = Request::new(self.context(), dockerfile.as_bytes().to_vec());
        request.platform = Platform::new("linux", "amd64");
        if CHROOT.load(Ordering::Relaxed) {
            request.isolation = Isolation::Chroot;
        }
        request
    }

    pub(crate) fn build(&self, dockerfile: &str) -> Built {
        self.run(&self.request(dockerfile)).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn fail(&self, dockerfile: &str) -> BuildError {
        self.run(&self.request(dockerfile)).expect_err("the build was to fail")
    }

    pub(crate) fn run(&self, request: &Request) -> Result<Built, BuildError> {
        self.run_with(request, &Silent)
    }

    pub(crate) fn run_with(&self, request: &Request, events: &dyn Events) -> Result<Built, BuildError> {
        build(request, &self.state, self, &Seen::new(), events)
    }

    /// Returns the entries of a layer of an image.
    pub(crate) fn layer(&self, image: &Image, index: usize) -> Vec<(EntryHead, Vec<u8>)> {
        let blob = self.state.store.open(&image.layers[index].descriptor).unwrap();
        let mut entries = Vec::new();
        read_layer::<_, TarError>(decompressor(blob), &Limits::default(), &mut |head, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            entries.push((head, bytes));
            Ok(())
        })
        .unwrap();
        entries
    }

    /// Returns the paths in a layer of an image.
    pub(crate) fn paths(&self, image: &Image, index: usize) -> Vec<String> {
        self.layer(image, index).into_iter().map(|(head, _)| head.path.to_string()).collect()
    }
}

impl BaseSource for Workbench {
    /// Knows `base`, `later` (of 2033), `trigger` (with an ONBUILD) and, where a static busybox is installed, `busybox`.
    fn base(&self, name: &str, _platform: &Platform, _events: &dyn Events) -> Result<Option<Base>, BaseError> {
        let mut layer = LayerBuilder::new().dir("etc").file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:7:8::/:\n");
        layer = layer.file("etc/group", "root:x:0:\napp:x:8:\n");
        let mut triggers = Vec::new();
        match name {
            "base" | "later" => {}
            "trigger" => triggers.push("COPY a.txt /triggered".to_owned()),
            "busybox" => {
                let Some(busybox) = busybox() else { return Ok(None) };
                layer = layer.dir("bin").executable("bin/busybox", busybox);
                for applet in
                    ["sh", "cat", "echo", "env", "id", "ls", "mkdir", "rm", "touch", "sleep", "test", "hostname"]
                {
                    layer = layer.symlink(&format!("bin/{applet}"), "busybox");
                }
            }
            _ => return Ok(None),
        }
        let image = ImageBuilder::new()
            .platform(&Platform::new("linux", "amd64"))
            .layer(layer)
            .compression(Compression::Gzip(1))
            .config(|config| {
                config.env = vec!["PATH=/usr/bin:/bin".to_owned(), "FROM_BASE=1".to_owned()];
                config.cmd = Some(vec!["base-command".to_owned()]);
                config.on_build = triggers;
            })
            .write(&self.state.store);
        Ok(Some(with_created(image, if name == "later" { LATER_CREATED } else { BASE_CREATED }).into()))
    }
}

/// Base images of the real world say when they were made.
fn with_created(mut image: Image, created: &str) -> Image {
    image.config.created = Some(created.to_owned());
    image
}

/// Returns a statically linked busybox: that of the conformance pack.
pub(crate) fn busybox() -> Option<&'static [u8]> {
    static BUSYBOX: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    BUSYBOX.get_or_init(read_busybox).as_deref()
}

fn read_busybox() -> Option<Vec<u8>> {
    let pack = fs::File::open(plim_testkit::shared("build/conformance.tar.zst")?).unwrap();
    let mut pack = tar::Archive::new(decompressor(pack));
    let rootfs = pack
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path().unwrap().ends_with("bases/busybox.rootfs.tar"))?;
    let mut rootfs = tar::Archive::new(rootfs);
    let mut file =
        rootfs.entries().unwrap().map(Result::unwrap).find(|entry| entry.path().unwrap().ends_with("bin/busybox"))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Says whether RUN can be tested here; prints why not.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn can_run() -> bool {
    let support = plim_sandbox::probe();
    let reason = match (busybox(), support.overlay && support.namespaces) {
        (Some(_), true) => return true,
        (None, _) => "no busybox is at hand".to_owned(),
        (_, false) => format!("{support:?}"),
    };
    eprintln!("skipped: {reason}");
    false
}
