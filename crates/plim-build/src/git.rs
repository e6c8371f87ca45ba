//! Repositories as build contexts and as sources of ADD: fetched by the machine's `git`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What of a repository is wanted, as an address says it: `URL#REF:SUBDIR` or `URL?branch=…&subdir=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its address, without what is wanted of it.
    pub url: String,
    reference: Option<String>,
    subdir: Option<String>,
    /// The commit that must be the one, or a prefix of it.
    pub commit: Option<String>,
    /// `.git` stays.
    pub keep_git_dir: bool,
    submodules: bool,
}

/// A repository on disk, for as long as this value lives.
#[derive(Debug)]
pub struct Checkout {
    dir: TempDir,
    subdir: Option<String>,
    /// When its commit was made, in seconds since 1970.
    pub committed: Option<i64>,
}

impl Checkout {
    /// Returns the directory of the whole repository.
    pub fn top(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the directory whose files are added.
    pub fn root(&self) -> PathBuf {
        match &self.subdir {
            Some(subdir) => self.dir.path().join(crate::paths::clean(subdir).trim_start_matches('/')),
            None => self.dir.path().to_owned(),
        }
    }
}

/// Says whether an address is that of a repository.
pub fn is_repository(address: &str) -> bool {
    let path = address.split(['#', '?']).next().unwrap_or(address);
    let web = address.starts_with("http://") || address.starts_with("https://");
    let other = ["git://", "ssh://", "git@"].iter().any(|scheme| address.starts_with(scheme));
    other || (web && path.strip_suffix(".git").is_some())
}

impl Repository {
    /// Reads an address. `Err` is what is wrong with it.
    pub fn parse(address: &str) -> Result<Self, String> {
        let (address, fragment) = match address.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (address, None),
        };
        let (url, query) = match address.split_once('?') {
            Some((url, query)) => (url, Some(query)),
            None => (address, None),
        };
        let mut repository = Self {
            url: url.to_owned(),
            reference: None,
            subdir: None,
            commit: None,
            keep_git_dir: false,
            submodules: true,
        };
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        if let Some(fragment) = fragment {
            let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
            repository.reference = given(reference);
            repository.subdir = given(subdir);
        }
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            match name {
                "ref" => repository.reference = given(value),
                "branch" => repository.reference = given(value).map(|name| format!("refs/heads/{name}")),
                "tag" => repository.reference = given(value).map(|name| format!("refs/tags/{name}")),
                "commit" | "checksum" => repository.commit = given(value),
                "subdir" => repository.subdir = given(value),
                "keep-git-dir" => repository.keep_git_dir = value == "true" || value == "1",
                "submodules" => repository.submodules = value != "false" && value != "0",
                _ => return Err(format!("the address of a repository has no parameter `{name}`")),
            }
        }
        // a name that looks like an option would be one for git
        let option = repository.reference.iter().chain(&repository.commit).find(|name| name.starts_with('-'));
        match option {
            Some(name) => Err(format!("`{name}` is no name of a branch, tag or commit")),
            None => Ok(repository),
        }
    }
}

/// How servers are reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Proxy variables by name (`HTTPS_PROXY`, …).
    pub proxies: Vec<(String, String)>,
    /// A PEM bundle of certificate authorities to trust.
    pub ca_bundle: Option<PathBuf>,
}

/// Fetches a repository into a temporary directory. `Err` is what went wrong, on one line.
pub fn fetch(repository: &Repository, access: &Access) -> Result<Checkout, String> {
    let dir = tempfile::tempdir().map_err(|error| format!("failed to create a temporary directory: {error}"))?;
    let commit = Git { access, dir: dir.path() }.take(repository)?;
    Ok(Checkout { dir, subdir: repository.subdir.clone(), committed: commit })
}

/// Returns what a person can do about a failure of [`fetch`].
pub fn hint(message: &str) -> Option<String> {
    message.starts_with(NO_GIT).then(|| "install git, or give the files as a folder".to_owned())
}

/// Returns when the last commit of a work tree was made, in seconds since 1970; nothing where there is no repository, no
/// commit, or no git.
pub fn commit_time(dir: &Path) -> Option<i64> {
    Git { access: &Access::default(), dir }.commit_time()
}

/// Finds the committer's time in a commit as git keeps it.
fn committed(commit: &str) -> Option<i64> {
    let line = commit.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("committer "))?;
    line.rsplit_once("> ")?.1.split(' ').next()?.parse().ok()
}

const NO_GIT: &str = "git cannot be started";

/// Runs git in a directory.
struct Git<'a> {
    access: &'a Access,
    dir: &'a Path,
}

impl Git<'_> {
    /// Checks the repository out; returns the time of the commit.
    fn take(&self, repository: &Repository) -> Result<Option<i64>, String> {
        let wanted = repository.reference.as_deref().or(repository.commit.as_deref()).unwrap_or("HEAD");
        self.run(&["init", "--quiet"])?;
        let fetch = |args: &[&str]| self.run(&[&["fetch", "--quiet"], args].concat());
        let found = if fetch(&["--depth=1", "--no-tags", "--", &repository.url, wanted]).is_ok() {
            "FETCH_HEAD"
        } else if wanted == "HEAD" {
            // not every server gives out a part of a history, as a folder of files behind HTTP does not
            fetch(&["--no-tags", "--", &repository.url, wanted])?;
            "FETCH_HEAD"
        } else {
            // nor single commits, and short names of commits are known here only. All branches get the names that they have there
            let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
            fetch(&["--update-head-ok", "--", &repository.url, all[0], all[1]])?;
            wanted
        };
        let missing = |_| format!("there is no branch, tag or commit `{wanted}`");
        self.run(&["checkout", "--quiet", "--detach", found]).map_err(missing)?;
        if let Some(commit) = &repository.commit {
            let head = self.run(&["rev-parse", "HEAD"])?;
            if !head.starts_with(commit.as_str()) {
                return Err(format!("the commit is {}, not {commit}", head.trim()));
            }
        }
        if repository.submodules {
            self.run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])?;
        }
        let committed = self.commit_time();
        if !repository.keep_git_dir {
            let _ = std::fs::remove_dir_all(self.dir.join(".git"));
        }
        Ok(committed)
    }

    /// Returns when the commit that is checked out was made. Whose repository it is does not matter, so the command must do
    /// nothing that the repository's own settings decide: it reads one object, runs none of the programs that settings can
    /// name (`git log` does, to check signatures), and fetches nothing that is missing.
    fn commit_time(&self) -> Option<i64> {
        let args = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "cat-file", "commit", "HEAD"];
        let settings = [("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "")];
        committed(&self.run_with(&args, &settings).ok()?)
    }

    /// Runs one command and returns its output. `Err` is the last line of its complaint.
    fn run(&self, args: &[&str]) -> Result<String, String> {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], settings: &[(&str, &str)]) -> Result<String, String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.dir).args(args).stdin(Stdio::null());
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "http:https:git:ssh");
        // nobody's settings: the same address gives the same files on every machine
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null"));
        // the repository is that of the directory, also where a hook of another starts the build
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        command.envs(settings.iter().copied());
        for (name, value) in &self.access.proxies {
            command.env(name.to_ascii_lowercase(), value);
        }
        if let Some(bundle) = &self.access.ca_bundle {
            command.env("GIT_SSL_CAINFO", bundle);
        }
        let output = command.output().map_err(|error| format!("{NO_GIT}: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("git failed").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files() {
        for address in ["https://example.org/x.git#main", "git@example.org:x", "ssh://example.org/x", "git://h/x"] {
            assert!(is_repository(address), "{address}");
        }
        for address in ["https://example.org/x.tar", "https://example.org/x.git.tar", "src/x.git"] {
            assert!(!is_repository(address), "{address}");
        }
    }

    #[test]
    fn addresses_name_reference_and_directory() {
        let plain = Repository::parse("https://example.org/x.git").unwrap();
        assert_eq!((plain.reference.as_deref(), plain.submodules), (None, true));
        let fragment = Repository::parse("https://example.org/x.git#v1.2:docs/html").unwrap();
        assert_eq!(fragment.url, "https://example.org/x.git");
        assert_eq!((fragment.reference.as_deref(), fragment.subdir.as_deref()), (Some("v1.2"), Some("docs/html")));
        let query = Repository::parse("https://example.org/x.git?tag=v1&subdir=a&keep-git-dir=1&submodules=0").unwrap();
        assert_eq!(query.reference.as_deref(), Some("refs/tags/v1"));
        assert!(query.keep_git_dir && !query.submodules);
    }

    #[test]
    fn the_time_of_a_commit_is_the_committers() {
        let commit =
            "tree 4b825dc\nauthor A <a@x> 5 +0100\ncommitter B > C <b@x> -17 +0000\n\ncommitter D <d@x> 9 +0000\n";
        assert_eq!(committed(commit), Some(-17));
        assert_eq!(committed("tree 4b825dc\n\ncommitter D <d@x> 9 +0000\n"), None);
        assert_eq!(committed("committer\n"), None);
    }

    #[test]
    fn the_settings_of_a_repository_run_no_program() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| Git { access: &Access::default(), dir: dir.path() }.run(args);
        if git(&["init", "--quiet"]).is_err_and(|error| error.starts_with(NO_GIT)) {
            eprintln!("skipped: git is not there");
            return;
        }
        let tree = git(&["mktree"]).unwrap();
        let who = "X <x@example.org> 1767225600 +0100";
        let text = format!(
            "tree {tree}author {who}\ncommitter {who}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n xx\n -----END PGP SIGNATURE-----\n\nx\n"
        );
        std::fs::write(dir.path().join("commit"), text).unwrap();
        let commit = git(&["hash-object", "-t", "commit", "-w", "commit"]).unwrap();
        git(&["update-ref", "HEAD", commit.trim()]).unwrap();
        let (program, proof) = (dir.path().join("program"), dir.path().join("it-ran"));
        std::fs::write(&program, format!("#!/bin/sh\n: >'{}'\n", proof.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.to_str().unwrap();
        for name in ["gpg.program", "core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"] {
            git(&["config", name, program]).unwrap();
        }
        git(&["config", "log.showSignature", "true"]).unwrap();
        assert_eq!(commit_time(dir.path()), Some(1_767_225_600));
        assert!(!proof.exists(), "a program that the repository names was run");
        // which is no empty promise: other commands of git would
        let _ = git(&["log", "-1"]);
        assert!(proof.exists());
    }

    #[test]
    fn a_repository_that_is_a_folder_behind_http_is_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| Git { access: &Access::default(), dir: dir.path() }.run(args);
        if git(&["init", "--quiet", "--initial-branch=trunk"]).is_err_and(|error| error.starts_with(NO_GIT)) {
            eprintln!("skipped: git is not there");
            return;
        }
        std::fs::write(dir.path().join("file"), "1").unwrap();
        git(&["add", "file"]).unwrap();
        for name in ["one", "two"] {
            git(&[
                "-c",
                "user.name=X",
                "-c",
                "user.email=x@example.org",
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                name,
            ])
            .unwrap();
        }
        git(&["tag", "v1", "HEAD~1"]).unwrap();
        git(&["update-server-info"]).unwrap();
        let server = plim_testkit::http::Server::start();
        let root = dir.path().join(".git");
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    dirs.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    server.page(&format!("/r.git/{path}"), std::fs::read(entry.path()).unwrap());
                }
            }
        }
        // what a server that knows git would be asked
        let refs = std::fs::read(root.join("info/refs")).unwrap();
        server.page("/r.git/info/refs?service=git-upload-pack", refs);
        let short = git(&["rev-parse", "--short", "HEAD~1"]).unwrap();
        for wanted in ["", "#trunk", "#refs/heads/trunk", "#v1", "?tag=v1", &format!("#{}", short.trim())] {
            let address = format!("{}{wanted}", server.url("/r.git"));
            let checkout = fetch(&Repository::parse(&address).unwrap(), &Access::default());
            let checkout = checkout.unwrap_or_else(|error| panic!("{wanted}: {error}"));
            assert_eq!(std::fs::read(checkout.root().join("file")).unwrap(), b"1", "{wanted}");
        }
        let error = fetch(&Repository::parse(&server.url("/r.git#none")).unwrap(), &Access::default()).err().unwrap();
        assert!(error.contains("`none`"), "{error}");
    }

    #[test]
    fn names_cannot_be_options_of_git() {
        assert!(Repository::parse("https://example.org/x.git#--upload-pack=evil").is_err());
        assert!(Repository::parse("https://example.org/x.git?commit=-x").is_err());
        assert!(Repository::parse("https://example.org/x.git?depth=3").is_err());
    }
}
