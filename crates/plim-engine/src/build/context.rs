//! Build contexts: a folder, a repository, an archive on standard input or at an address.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use plim_build::git::{self, Access, Checkout, Repository};
use plim_oci::Events;
use tempfile::TempDir;

use super::DockerfileSource;
use crate::{Failure, Kind, Workspace};

/// The most bytes of a context from standard input or an address.
const LARGEST: u64 = 16 << 30;
/// The most bytes of a Dockerfile.
const LARGEST_DOCKERFILE: u64 = 8 << 20;

/// A build context, for as long as this value lives.
pub(super) struct Opened {
    /// Its folder.
    pub(super) root: Utf8PathBuf,
    /// It was fetched: a Dockerfile named by the user is in it, not in the current folder.
    pub(super) fetched: bool,
    /// The Dockerfile, when that was all there was.
    pub(super) dockerfile: Option<Vec<u8>>,
    /// When its last commit was made, in seconds since 1970.
    pub(super) committed: Option<i64>,
    _unpacked: Option<TempDir>,
    _checkout: Option<Checkout>,
}

/// Opens what the user named as the context: `-`, an address or a folder.
pub(super) fn open(workspace: &Workspace, text: &str, events: &dyn Events) -> Result<Opened, Failure> {
    if text == "-" {
        let (dir, file) = spool(workspace, &mut std::io::stdin().lock(), "standard input")?;
        return unpack(dir, &file, "standard input");
    }
    if git::is_repository(text) || text.starts_with("git+") {
        return repository(workspace, text.trim_start_matches("git+"), events);
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        return download(workspace, text, events);
    }
    folder(Utf8Path::new(text))
}

fn folder(path: &Utf8Path) -> Result<Opened, Failure> {
    let hint = "the last argument of `plim build` is the folder whose files COPY can use, the address of a repository or \
                archive, or `-`";
    let root = path
        .canonicalize_utf8()
        .map_err(|error| Failure::caused(format!("failed to open the build context {path}"), &error).hint(hint))?;
    if !root.is_dir() {
        return Err(Failure::tool(format!("the build context {root} is no folder"))
            .hint("give the folder, and the Dockerfile with -f"));
    }
    // asking git costs a process: only where there is something to ask
    let in_repository = root.ancestors().any(|dir| dir.join(".git").exists());
    let committed = in_repository.then(|| git::commit_time(root.as_std_path())).flatten();
    Ok(Opened { root, fetched: false, dockerfile: None, committed, _unpacked: None, _checkout: None })
}

fn repository(workspace: &Workspace, address: &str, events: &dyn Events) -> Result<Opened, Failure> {
    let repository = Repository::parse(address)
        .map_err(|message| Failure::tool(format!("failed to read the address {address}: {message}")))?;
    if workspace.host.offline {
        return Err(Failure::tool(format!("{} cannot be fetched: --offline opens no connection", repository.url)));
    }
    let access =
        Access { proxies: workspace.host.proxies.clone(), ca_bundle: workspace.ca_bundle(None)?.map(Into::into) };
    let task = events.start(&format!("fetch {}", repository.url), None);
    let result = git::fetch(&repository, &access);
    events.finish(task, "", result.is_err());
    let checkout = result.map_err(|message| {
        Failure::tool(format!("failed to fetch {}: {message}", repository.url)).maybe_hint(git::hint(&message))
    })?;
    let root = utf8(checkout.root())?;
    if !root.is_dir() {
        return Err(Failure::tool(format!("there is no such folder in {address}"))
            .hint("the part after the colon is a folder of the repository: URL#REF:FOLDER"));
    }
    // a link must not lead out of what was fetched
    let real = root.canonicalize_utf8().map_err(|error| Failure::caused(format!("failed to open {root}"), &error))?;
    let top = utf8(checkout.top().to_owned())?;
    let top = top.canonicalize_utf8().map_err(|error| Failure::caused(format!("failed to open {top}"), &error))?;
    if !real.starts_with(&top) {
        return Err(Failure::tool(format!("the folder in {address} is a link out of the repository")));
    }
    let committed = checkout.committed;
    Ok(Opened { root: real, fetched: true, dockerfile: None, committed, _unpacked: None, _checkout: Some(checkout) })
}

fn download(workspace: &Workspace, address: &str, events: &dyn Events) -> Result<Opened, Failure> {
    if workspace.host.offline {
        return Err(Failure::tool(format!("{address} cannot be fetched: --offline opens no connection")));
    }
    let dir = temporary(workspace)?;
    let file = utf8(dir.path().join("input"))?;
    let task = events.start(&format!("download {address}"), None);
    let result = workspace.http.download(address, file.as_std_path(), None, events, task);
    events.finish(task, "", result.is_err());
    result.map_err(|error| {
        Failure::caused(format!("failed to fetch the build context {address}"), &error).maybe_hint(error.hint())
    })?;
    unpack(dir, &file, address)
}

/// Finds the Dockerfile in a context that was fetched. That, and the ignore files that go with it, must be files of the
/// context: a link in what others made must not show them, by an error, what is on this machine, and a pipe would be waited
/// for.
pub(super) fn inside(root: &Utf8Path, source: &DockerfileSource) -> Result<DockerfileSource, Failure> {
    let own = |name: &Utf8Path| -> Result<Option<Utf8PathBuf>, Failure> {
        let real = match root.join(name.as_str().trim_start_matches('/')).canonicalize_utf8() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::caused(format!("failed to read {name} of the build context"), &error)),
        };
        if !real.starts_with(root) {
            return Err(Failure::tool(format!("{name} lies outside of the build context"))
                .hint("a symbolic link leads out of it: put the file itself into the context"));
        }
        if !real.is_file() {
            return Err(Failure::tool(format!("{name} of the build context is no file")));
        }
        Ok(Some(real))
    };
    own(Utf8Path::new(".dockerignore"))?;
    let names = match source {
        DockerfileSource::Text { .. } => return Ok(source.clone()),
        DockerfileSource::File(path) => vec![path.clone()],
        DockerfileSource::Default => vec!["Dockerfile".into(), "dockerfile".into()],
    };
    for name in &names {
        if let Some(real) = own(name)? {
            let beside = real.strip_prefix(root).unwrap_or(name);
            own(Utf8Path::new(&format!("{beside}.dockerignore")))?;
            return Ok(DockerfileSource::File(real));
        }
    }
    Err(Failure::tool(format!("there is no {} in the build context", names[0]))
        .hint("-f names a file in the context when that is fetched or read from standard input"))
}

/// Writes a stream to a file in a temporary folder.
fn spool(workspace: &Workspace, input: &mut dyn std::io::Read, what: &str) -> Result<(TempDir, Utf8PathBuf), Failure> {
    let dir = temporary(workspace)?;
    let path = utf8(dir.path().join("input"))?;
    let mut file =
        std::fs::File::create(&path).map_err(|error| Failure::caused(format!("failed to create {path}"), &error))?;
    let count = std::io::copy(&mut input.take(LARGEST), &mut file)
        .map_err(|error| Failure::caused(format!("failed to read the build context from {what}"), &error))?;
    match count {
        0 => Err(Failure::tool(format!("{what} is empty")).hint("`tar -c . | plim build -` sends a context")),
        LARGEST.. => Err(Failure::tool(format!("the build context from {what} has more than 16 GiB"))),
        _ => Ok((dir, path)),
    }
}

/// Unpacks an archive; what is none is taken for a Dockerfile.
fn unpack(dir: TempDir, file: &Utf8Path, what: &str) -> Result<Opened, Failure> {
    let failed = |error: plim_build::BuildError| Failure {
        kind: Kind::Subject,
        ..Failure::caused(format!("failed to unpack the build context from {what}"), &error)
    };
    let root = utf8(dir.path().join("context"))?;
    let made = std::fs::create_dir(&root).and_then(|()| root.canonicalize_utf8());
    let root = made.map_err(|error| Failure::caused(format!("failed to create {root}"), &error))?;
    let mut dockerfile = None;
    if plim_build::is_archive(file.as_std_path()).map_err(failed)? {
        plim_build::unpack_context(file.as_std_path(), root.as_std_path()).map_err(failed)?;
    } else {
        let size = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        if size > LARGEST_DOCKERFILE {
            return Err(Failure::tool(format!("{what} is no tar archive, and too large for a Dockerfile")));
        }
        let text = std::fs::read(file).map_err(|error| Failure::caused(format!("failed to read {file}"), &error))?;
        dockerfile = Some(text);
    }
    let _ = std::fs::remove_file(file);
    Ok(Opened { root, fetched: true, dockerfile, committed: None, _unpacked: Some(dir), _checkout: None })
}

fn temporary(workspace: &Workspace) -> Result<TempDir, Failure> {
    let dir = workspace.cache_dir("contexts")?;
    tempfile::Builder::new()
        .prefix(".tmp-")
        .tempdir_in(&dir)
        .map_err(|error| Failure::caused(format!("failed to create a folder in {dir}"), &error))
}

fn utf8(path: std::path::PathBuf) -> Result<Utf8PathBuf, Failure> {
    Utf8PathBuf::from_path_buf(path).map_err(|path| Failure::tool(format!("{} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn message(result: Result<DockerfileSource, Failure>) -> String {
        match result {
            Ok(DockerfileSource::File(path)) => path.file_name().unwrap_or_default().to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn a_dockerfile_of_a_fetched_context_is_a_file_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("file"), "root:x:0").unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let find = |source: &DockerfileSource| message(inside(&root, source));
        let named = |name: &str| DockerfileSource::File(name.into());
        assert_eq!(find(&DockerfileSource::Default), "there is no Dockerfile in the build context");
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("d/x"), "FROM scratch\n").unwrap();
        for name in ["d/x", "/d/x", "d/../d/x"] {
            assert_eq!(find(&named(name)), "x", "{name}");
        }
        symlink("d/x", root.join("dockerfile")).unwrap();
        assert_eq!(find(&DockerfileSource::Default), "x");
        assert_eq!(find(&named("d")), "d of the build context is no file");
        symlink(outside.path().join("file"), root.join("Dockerfile")).unwrap();
        assert_eq!(find(&DockerfileSource::Default), "Dockerfile lies outside of the build context");
        assert_eq!(find(&named("d/../Dockerfile")), "d/../Dockerfile lies outside of the build context");
        // the ignore file is quoted by errors, too
        symlink(outside.path().join("file"), root.join("d/x.dockerignore")).unwrap();
        assert_eq!(find(&named("d/x")), "d/x.dockerignore lies outside of the build context");
        symlink(outside.path().join("file"), root.join(".dockerignore")).unwrap();
        assert_eq!(find(&named("d/x")), ".dockerignore lies outside of the build context");
    }
}
