//! Credentials as Docker and Podman keep them: files with names and passwords, and helper programs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde::Deserialize;

use super::Warnings;

/// The key under which Docker keeps the credentials of `docker.io`.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// A user name that says: the secret is an identity token (docker-credential-helpers).
const TOKEN_USER: &str = "<token>";
/// A larger file is not one that a tool wrote; bytes.
const MAX_FILE: u64 = 4 << 20;

/// A text that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How to prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An identity token, for which tokens of access are to be had.
    Identity(Secret),
}

/// Where credentials are looked for.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Given for this run, by registry.
    pub given: BTreeMap<String, Credential>,
    /// Files of the form of Docker's `config.json` and Podman's `auth.json`, the first that has an answer counts.
    pub files: Vec<PathBuf>,
}

/// Credentials and where they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) from: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    cred_helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl Credentials {
    /// Finds the credentials for a repository of a registry. What cannot be read is warned about and left out:
    /// much can be read without credentials.
    pub(super) fn find(&self, registry: &str, repository: &str, warnings: &Warnings) -> Option<Found> {
        if let Some(credential) = self.given.get(registry) {
            return Some(Found { credential: credential.clone(), from: "the command line".to_owned() });
        }
        self.files.iter().find_map(|path| {
            let file = read(path, warnings)?;
            let found = in_file(&file, registry, repository, warnings)?;
            Some(Found { credential: found.0, from: format!("{}{}", path.display(), found.1) })
        })
    }
}

fn read(path: &Path, warnings: &Warnings) -> Option<File> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() <= MAX_FILE => {}
        Ok(_) => {
            warnings.add(format!("{} is too large for a file of credentials", path.display()));
            return None;
        }
        Err(_) => return None,
    }
    let text = std::fs::read(path).ok()?;
    // the error of the parser may quote what it parsed
    let parsed = serde_json::from_slice(&text).ok();
    if parsed.is_none() {
        warnings.add(format!(
            "the credentials in {} cannot be understood: it is not JSON of the usual form",
            path.display()
        ));
    }
    parsed
}

/// A credential, and what to add to the file's name.
fn in_file(file: &File, registry: &str, repository: &str, warnings: &Warnings) -> Option<(Credential, String)> {
    let key = best(file.cred_helpers.keys(), registry, repository);
    let server = if registry == "docker.io" { DOCKER_HUB_KEY } else { registry };
    if let Some(helper) = key.and_then(|key| file.cred_helpers.get(key)).filter(|helper| !helper.is_empty()) {
        let asked = key.filter(|_| registry != "docker.io").map_or(server, String::as_str);
        return ask(helper, asked, warnings).map(|found| (found, format!(", helper docker-credential-{helper}")));
    }
    if let Some(helper) = file.creds_store.as_deref().filter(|helper| !helper.is_empty())
        && let Some(found) = ask(helper, server, warnings)
    {
        return Some((found, format!(", helper docker-credential-{helper}")));
    }
    let entry = file.auths.get(best(file.auths.keys(), registry, repository)?)?;
    credential(entry).map(|found| (found, String::new()))
}

/// Chooses the key that says most about a repository.
fn best<'a>(keys: impl Iterator<Item = &'a String>, registry: &str, repository: &str) -> Option<&'a String> {
    let wanted = format!("{registry}/{repository}");
    let fits = |key: &&String| {
        let key = normal(key);
        wanted.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    keys.filter(fits).max_by_key(|key| normal(key).len())
}

/// Brings the forms that tools have written over the years into one.
fn normal(key: &str) -> &str {
    let bare = key.split_once("://").map_or(key, |(_, bare)| bare);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    match bare {
        "index.docker.io" | "registry-1.docker.io" | "registry.docker.io" => "docker.io",
        other => other,
    }
}

fn credential(entry: &Entry) -> Option<Credential> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = filled(&entry.identitytoken) {
        return Some(Credential::Identity(Secret(token)));
    }
    let pair = match filled(&entry.auth) {
        Some(auth) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (user, password) = text.split_once(':')?;
            // Docker pads with zeros
            (user.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        None => (filled(&entry.username)?, filled(&entry.password)?),
    };
    Some(password(pair.0, pair.1))
}

fn password(user: String, secret: String) -> Credential {
    if user == TOKEN_USER {
        return Credential::Identity(Secret(secret));
    }
    Credential::Password { user, password: Secret(secret) }
}

/// Asks a helper program (docker-credential-helpers: `get`, the server on standard input, JSON on standard output).
fn ask(helper: &str, server: &str, warnings: &Warnings) -> Option<Credential> {
    let program = format!("docker-credential-{helper}");
    // a name with a slash would be a program of whoever wrote the file, from anywhere
    if helper.contains('/') {
        warnings.add(format!("`{helper}` is no name of a credential helper"));
        return None;
    }
    let run = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(server.as_bytes()) {
                // a helper that answers without reading the question
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                other => other?,
            }
        }
        child.wait_with_output()
    };
    match run() {
        Ok(output) if output.status.success() => {
            let answer: Option<Helped> = serde_json::from_slice(&output.stdout).ok();
            if answer.is_none() {
                warnings.add(format!("the answer of {program} cannot be understood"));
            }
            answer.map(|answer| password(answer.username, answer.secret))
        }
        Ok(output) => {
            // that there are none is an ordinary answer
            if !String::from_utf8_lossy(&output.stdout).contains("not found") {
                warnings.add(format!("{program} failed for {server}; going on without its credentials"));
            }
            None
        }
        Err(error) => {
            warnings.add(format!("{program} cannot be run ({error}); going on without its credentials"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Credentials) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        (dir, Credentials { files: vec![PathBuf::from("/absent/config.json"), path], ..Credentials::default() })
    }

    fn user(found: Option<Found>) -> Option<String> {
        match found?.credential {
            Credential::Password { user, password } => Some(format!("{user}:{}", password.reveal())),
            Credential::Identity(token) => Some(format!("token {}", token.reveal())),
        }
    }

    #[test]
    fn the_longest_key_of_a_repository_counts() {
        // "a:1" and "b:2"
        let (_dir, credentials) = file(
            r#"{"auths": {"https://r.example": {"auth": "YTox"}, "r.example/team": {"auth": "Yjoy"},
                "other.example/v2/": {"username": "c", "password": "3"}, "t.example": {"identitytoken": "T"}}}"#,
        );
        assert_eq!(user(credentials.find("r.example", "app", &Warnings::default())).unwrap(), "a:1");
        assert_eq!(user(credentials.find("r.example", "team/app", &Warnings::default())).unwrap(), "b:2");
        assert_eq!(user(credentials.find("r.example", "teams/app", &Warnings::default())).unwrap(), "a:1");
        assert_eq!(user(credentials.find("other.example", "app", &Warnings::default())).unwrap(), "c:3");
        assert_eq!(user(credentials.find("t.example", "app", &Warnings::default())).unwrap(), "token T");
        assert_eq!(user(credentials.find("none.example", "app", &Warnings::default())), None);
    }

    #[test]
    fn docker_hub_has_several_keys() {
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] {
            let (_dir, credentials) = file(&format!(r#"{{"auths": {{"{key}": {{"auth": "YTox"}}}}}}"#));
            assert_eq!(
                user(credentials.find("docker.io", "library/nginx", &Warnings::default())).unwrap(),
                "a:1",
                "{key}"
            );
        }
    }

    #[test]
    fn damaged_files_and_absent_helpers_give_nothing() {
        let (_dir, credentials) = file(r#"{"auths": ["#);
        assert_eq!(credentials.find("r.example", "app", &Warnings::default()), None);
        let (_dir, credentials) = file(r#"{"credsStore": "no-such-helper", "auths": {"r.example": {"auth": "YTox"}}}"#);
        assert_eq!(user(credentials.find("r.example", "app", &Warnings::default())).unwrap(), "a:1");
        let (_dir, credentials) = file(r#"{"credHelpers": {"r.example": "../evil"}}"#);
        assert_eq!(credentials.find("r.example", "app", &Warnings::default()), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let (_dir, credentials) = file(r#"{"auths": {"r.example": {"username": "u", "password": "hunter2"}}}"#);
        let found = credentials.find("r.example", "app", &Warnings::default());
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}
