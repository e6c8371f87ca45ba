//! A home, a store and a cache that live as long as a test, and the program run in them.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

/// Everything that the program may read or write in one test.
#[derive(Debug)]
pub(crate) struct TestEnv {
    dir: TempDir,
}

/// What a command printed and how it ended; displayed as a snapshot shows it.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    status: ExitStatus,
}

impl TestEnv {
    /// Makes an empty one.
    pub(crate) fn new() -> Self {
        let env = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["home", "work"] {
            std::fs::create_dir(env.dir.path().join(dir)).unwrap();
        }
        env
    }

    /// Returns the folder in which commands run.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Returns a path below the test's temporary folder: `data`, `cache`, `home` or `work/…`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file below the working folder.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Reads a file below the working folder.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.work().join(path)).unwrap()
    }

    /// Returns a command that is not started yet.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plim"));
        command
            .args(args)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("PLIM_DATA", self.path("data"))
            .env("PLIM_CACHE", self.path("cache"))
            .env("PLIM_CA_BUNDLE", "none")
            // no test needs a network, and none must reach one by accident
            .env("PLIM_OFFLINE", "true")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub(crate) fn plim<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        Output::of(self.command(args))
    }

    /// Runs the program with text on its standard input.
    pub(crate) fn plim_with_input<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &str) -> Output {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Output::new(child.wait_with_output().unwrap())
    }

    /// Compares an output with its snapshot; what differs from run to run is blanked out.
    pub(crate) fn check(&self, name: &str, output: &Output) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let dir = std::fs::canonicalize(self.dir.path()).unwrap();
        settings.add_filter(&escape(&dir), "[TEST]");
        settings.add_filter(r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]");
        settings.add_filter(r"\b\d+\.\d+ ?s\b", "[SECONDS] s");
        // progress has tests of its own, and which lines come first depends on the machine
        settings.add_filter(r"(?m)^(#\d+ .*\n)+\n?", "");
        // a task that took long leaves a line; which ones do depends on the machine
        settings.add_filter(r"(?m)^  ✓ .*\n", "");
        settings.add_filter(&format!(r"\b{}\b", env!("CARGO_PKG_VERSION").replace('.', r"\.")), "[VERSION]");
        settings.bind(|| insta::assert_snapshot!(name, output));
    }
}

impl Output {
    /// Runs a command to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        Self::new(command.output().unwrap())
    }

    fn new(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("plim prints UTF-8");
        Self { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status }
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().expect("plim is not killed by a signal")
    }

    /// Returns standard output of a command that must have worked.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status.code(), Some(0), "{self}");
        self.stdout
    }

    /// Returns standard output of a command that must have worked, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.good()).expect("the answer is one JSON document")
    }

    /// Checks that the command failed with this exit code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        write!(f, "-- stdout --\n{}-- stderr --\n{}", self.stdout, self.stderr)
    }
}

/// A path as a regular expression.
fn escape(path: &Path) -> String {
    path.to_str()
        .unwrap()
        .chars()
        .flat_map(|c| if c.is_alphanumeric() || c == '/' { vec![c] } else { vec!['\\', c] })
        .collect()
}

/// Returns every file below a folder.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
