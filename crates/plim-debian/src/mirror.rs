//! Which mirror to ask. plim names none of its own: the user does, or the host's apt configuration.

use std::path::{Path, PathBuf};

use crate::DebianError;
use crate::deb822;

/// Where the archive and its security updates are, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The main archive: the directory that holds `dists/` and `pool/`.
    pub main: String,
    /// The archive of security updates.
    pub security: String,
}

impl Mirror {
    /// Returns the addresses without a user name and a password, as they may be written into an image.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self { main: strip_credentials(&self.main), security: strip_credentials(&self.security) }
    }
}

fn strip_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Finds the mirror: from the options, else from the apt configuration below `roots` (directories such as `/etc/apt`),
/// which is only read.
///
/// Of the apt entries the first whose address ends in `/debian` is the archive, and the first that ends in
/// `debian-security` or `MIRROR-security` the security archive. Without such an entry `MIRROR-security` is assumed,
/// which is how mirrors that carry both lay them out.
pub fn find_mirror(main: Option<&str>, security: Option<&str>, roots: &[PathBuf]) -> Result<Mirror, DebianError> {
    let addresses: Vec<String> = roots.iter().flat_map(|root| read_addresses(root)).collect();
    let main = match main {
        Some(main) => trim(main),
        None => addresses.iter().find(|url| url.ends_with("/debian")).cloned().ok_or(DebianError::NoMirror)?,
    };
    let derived = format!("{main}-security");
    let security = security.map(trim).or_else(|| {
        let configured = addresses.contains(&main);
        addresses.iter().find(|url| **url == derived || (configured && url.ends_with("debian-security"))).cloned()
    });
    let security = security.unwrap_or(derived);
    Ok(Mirror { main, security })
}

fn trim(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}

/// Reads every address of a binary-package source below one apt directory, in apt's order of files.
fn read_addresses(root: &Path) -> Vec<String> {
    let mut files = vec![root.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(root.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    let mut addresses = Vec::new();
    for file in files {
        // an unreadable or foreign file is apt's concern; another one may name a mirror
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => addresses.extend(parse_list(&text)),
            Some("sources") => addresses.extend(parse_sources(&text)),
            _ => {}
        }
    }
    addresses.retain(|url| ["http://", "https://", "file://"].iter().any(|scheme| url.starts_with(scheme)));
    addresses
}

/// Parses the one-line format: `deb [options] URI suite component…` (sources.list(5)).
fn parse_list(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let rest = line.trim().strip_prefix("deb")?;
            let rest = rest.starts_with([' ', '\t']).then(|| rest.trim_start())?;
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']')?.1,
                None => rest,
            };
            rest.split_whitespace().next().map(trim)
        })
        .collect()
}

/// Parses the deb822 format: paragraphs with `Types`, `URIs`, `Enabled` (sources.list(5)).
fn parse_sources(text: &str) -> Vec<String> {
    deb822::paragraphs(text)
        .filter(|source| source.get("Types").is_some_and(|types| types.split_whitespace().any(|kind| kind == "deb")))
        .filter(|source| !source.get("Enabled").is_some_and(|value| ["no", "false", "0"].contains(&value)))
        .flat_map(|source| source.get("URIs").unwrap_or_default().split_whitespace().map(trim).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apt(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn reads_one_line_entries() {
        let dir = apt(&[(
            "sources.list",
            "# deb http://commented/debian x main\n\
             deb-src http://sources.test/debian bookworm main\n\
             deb [arch=amd64 signed-by=/k] http://mirror.test/debian/ bookworm main\n\
             deb http://mirror.test/debian-security bookworm-security main\n",
        )]);
        let mirror = find_mirror(None, None, &[dir.path().to_owned()]).unwrap();
        assert_eq!(mirror.main, "http://mirror.test/debian");
        assert_eq!(mirror.security, "http://mirror.test/debian-security");
    }

    #[test]
    fn reads_deb822_entries_and_skips_disabled_ones() {
        let dir = apt(&[(
            "sources.list.d/debian.sources",
            "Enabled: no\nTypes: deb\nURIs: http://old.test/debian\nSuites: x\n\n\
             Types: deb deb-src\nURIs: https://other.test/tool https://mirror.test/debian\nSuites: trixie\n\n\
             Types: deb\nURIs: https://sec.test/debian-security/\nSuites: trixie-security\n",
        )]);
        let mirror = find_mirror(None, None, &[dir.path().to_owned()]).unwrap();
        assert_eq!(mirror.main, "https://mirror.test/debian");
        assert_eq!(mirror.security, "https://sec.test/debian-security");
    }

    #[test]
    fn options_win_and_do_not_mix_with_the_configured_security_mirror() {
        let dir =
            apt(&[("sources.list", "deb http://a.test/debian x main\ndeb http://a.test/debian-security x main\n")]);
        let mirror = find_mirror(Some("http://b.test/debian/"), None, &[dir.path().to_owned()]).unwrap();
        assert_eq!(
            mirror,
            Mirror { main: "http://b.test/debian".into(), security: "http://b.test/debian-security".into() }
        );
    }

    #[test]
    fn without_any_the_error_says_where_to_name_one() {
        let error = find_mirror(None, None, &[]).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.contains("--mirror") && hint.contains("[debian] mirror"), "{hint}");
        assert!(hint.contains("Debian's public list of mirrors"), "{hint}");
    }

    #[test]
    fn credentials_do_not_reach_images() {
        assert_eq!(strip_credentials("https://me:secret@m.test/debian"), "https://m.test/debian");
        assert_eq!(strip_credentials("http://m.test/a@b"), "http://m.test/a@b");
    }
}
