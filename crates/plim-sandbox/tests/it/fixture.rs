//! A root file system of the host's own programs, and short ways to run something in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bstr::{BString, ByteSlice};
pub use plim_sandbox::userns::Mode;
use plim_sandbox::{Exit, RootFs, SandboxError, Spec, Stream, run};
use tempfile::TempDir;

const PROGRAMS: [&str; 17] = [
    "cat", "chmod", "chown", "dd", "env", "grep", "id", "ln", "ls", "mkdir", "mknod", "mv", "rm", "sh", "sleep",
    "stat", "touch",
];

/// What all cases share.
pub struct Fixture {
    pub mode: Mode,
    dir: TempDir,
}

/// Fresh directories for one overlay; they go away with the fixture.
pub struct Layer {
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// How a command went.
pub struct Outcome {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

impl Fixture {
    /// Copies the programs to the first place that can hold an overlay.
    pub fn new(mode: Mode) -> Result<Self, String> {
        let mut reason = String::new();
        for place in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
            let Ok(dir) = TempDir::new_in(place) else { continue };
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let fixture = Self { mode, dir };
            fixture.fill();
            match run(&fixture.spec(&fixture.layer(), "exit 0"), &mut |_, _| {}, &|| false) {
                Ok(_) => return Ok(fixture),
                Err(error) => reason = chain(&error),
            }
        }
        Err(reason)
    }

    fn fill(&self) {
        let lower = self.lower();
        let this = std::env::current_exe().unwrap();
        for dir in ["bin", "etc", "tmp", "data", "home/app"] {
            fs::create_dir_all(lower.join(dir)).unwrap();
        }
        for program in PROGRAMS {
            let found = ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(program)).find(|path| path.exists());
            let found = found.unwrap_or_else(|| panic!("{program} is not on this machine"));
            install(&found, &lower, &lower.join("bin").join(program));
        }
        install(&this, &lower, &lower.join("bin/this-test"));
        fs::write(lower.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n").unwrap();
        fs::write(lower.join("etc/group"), "root:x:0:\nvideo:x:44:app\napp:x:1001:\n").unwrap();
        fs::write(lower.join("data/file"), "lower\n").unwrap();
        fs::set_permissions(lower.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        for dir in ["etc", "data", "tmp", "."] {
            let old = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
            fs::File::open(lower.join(dir)).unwrap().set_times(old).unwrap();
        }
    }

    /// The read-only layer.
    pub fn lower(&self) -> PathBuf {
        self.dir.path().join("lower")
    }

    pub fn layer(&self) -> Layer {
        let dir = TempDir::new_in(self.dir.path()).unwrap().keep();
        let (upper, work) = (dir.join("upper"), dir.join("work"));
        fs::create_dir(&upper).unwrap();
        fs::create_dir(&work).unwrap();
        Layer { upper, work }
    }

    /// A directory of the host that is not part of the root.
    pub fn host_dir(&self) -> TempDir {
        let dir = TempDir::new_in(self.dir.path()).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    /// A shell script on a layer.
    pub fn spec(&self, layer: &Layer, script: &str) -> Spec {
        let lower = vec![self.lower()];
        Spec {
            args: ["sh", "-c", script].map(BString::from).to_vec(),
            env: vec!["PATH=/usr/bin:/bin".into()],
            ..Spec::new(RootFs::Overlay { lower, upper: layer.upper.clone(), work: layer.work.clone() })
        }
    }

    /// Runs a script on a fresh layer.
    pub fn sh(&self, script: &str) -> Outcome {
        Self::run(&self.spec(&self.layer(), script))
    }

    pub fn run(spec: &Spec) -> Outcome {
        Self::try_run(spec).unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    pub fn try_run(spec: &Spec) -> Result<Outcome, SandboxError> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run(
            spec,
            &mut |stream, bytes| if stream == Stream::Stdout { &mut out } else { &mut err }.extend_from_slice(bytes),
            &|| false,
        )?;
        Ok(Outcome { exit, out: text(&out), err: text(&err) })
    }

    /// Whether commands can run as other users than root.
    pub fn has_users(&self) -> bool {
        self.mode != Mode::Single
    }

    pub fn readable_copy_of_this_program(&self) -> PathBuf {
        let copy = self.dir.path().join("this-test");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        copy
    }
}

impl Outcome {
    /// The standard output of a command that must have succeeded.
    pub fn ok(self) -> String {
        assert!(self.exit.success(), "{:?}: {}{}", self.exit, self.out, self.err);
        self.out
    }
}

/// All paths below a directory, sorted. Directories that somebody removes meanwhile have nothing below them.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        let entries = match fs::read_dir(&next) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && next != dir => continue,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            }
        }
    }
    found.sort();
    found
}

/// An error and all that caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(chain);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn text(bytes: &[u8]) -> String {
    bytes.to_str_lossy().into_owned()
}

/// Copies a program and the libraries that `ldd` names.
fn install(program: &Path, root: &Path, to: &Path) {
    fs::copy(program, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    let libraries = Command::new("ldd").arg(program).output().unwrap();
    for word in text(&libraries.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(word.trim_start_matches('/'));
        if !to.exists() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(word, &to).unwrap();
        }
    }
}
