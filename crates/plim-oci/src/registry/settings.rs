//! What is decided about single registries.

use std::path::{Path, PathBuf};

/// What is decided about a registry, or about the repositories below a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// `host[:port]`, or a prefix of repositories, `host/team`; the longest that fits counts.
    pub name: String,
    /// Addresses that are asked first when images are read: `host[:port][/prefix]`, with `http://` for plain HTTP.
    pub mirrors: Vec<String>,
    /// Plain HTTP; unset means: on loopback addresses only.
    pub plain_http: Option<bool>,
    /// Certificates are not checked.
    pub insecure: bool,
    /// PEM file of certificate authorities to trust for it.
    pub ca: Option<PathBuf>,
    /// PEM files of the certificate and key by which it knows us.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Transfers at once [default: 3].
    pub parallel: Option<usize>,
}

/// The settings of all registries.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// From the configuration.
    pub registries: Vec<RegistrySettings>,
    /// Directories with a directory for each registry that has its own certificates (`ca.crt`, `client.cert`,
    /// `client.key`), as Docker and Podman keep them: `/etc/docker/certs.d`.
    pub certificate_dirs: Vec<PathBuf>,
}

impl Settings {
    /// Returns what holds for a registry or repository.
    pub(super) fn of(&self, name: &str) -> RegistrySettings {
        let mut settings = self.longest(name, |_| true).cloned().unwrap_or_default();
        let host = name.split('/').next().unwrap_or(name);
        for dir in self.certificate_dirs.iter().map(|dir| dir.join(host)) {
            settings.ca = settings.ca.or_else(|| certificates(&dir));
            let pair = (dir.join("client.cert"), dir.join("client.key"));
            if settings.identity.is_none() && pair.0.is_file() && pair.1.is_file() {
                settings.identity = Some(pair);
            }
        }
        settings
    }

    /// Returns the addresses to be asked before a registry is.
    pub(super) fn mirrors(&self, name: &str) -> Vec<String> {
        self.longest(name, |settings| !settings.mirrors.is_empty())
            .map(|found| found.mirrors.clone())
            .unwrap_or_default()
    }

    fn longest(&self, name: &str, fits: impl Fn(&RegistrySettings) -> bool) -> Option<&RegistrySettings> {
        let below =
            |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let candidates = self.registries.iter().filter(|settings| below(&settings.name) && fits(settings));
        candidates.max_by_key(|settings| settings.name.len())
    }
}

fn certificates(dir: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "crt"))
        .collect();
    found.sort();
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts() {
        let named = |name: &str| RegistrySettings { name: name.to_owned(), insecure: true, ..Default::default() };
        let team = RegistrySettings { mirrors: vec!["mirror".to_owned()], ..named("r.example/team") };
        let settings = Settings { registries: vec![named("r.example"), team], ..Settings::default() };
        assert_eq!(settings.of("r.example/team/app").name, "r.example/team");
        assert_eq!(settings.of("r.example/teams/app").name, "r.example");
        assert!(!settings.of("other.example/app").insecure);
        assert_eq!(settings.mirrors("r.example/team/app"), ["mirror"]);
        assert!(settings.mirrors("r.example/app").is_empty());
    }

    #[test]
    fn certificates_are_found_where_docker_keeps_them() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("r.example:5000");
        std::fs::create_dir(&host).unwrap();
        for name in ["ca.crt", "client.cert", "client.key"] {
            std::fs::write(host.join(name), "").unwrap();
        }
        let settings = Settings { certificate_dirs: vec![dir.path().to_owned()], ..Settings::default() };
        let found = settings.of("r.example:5000/app");
        assert_eq!(found.ca, Some(host.join("ca.crt")));
        assert_eq!(found.identity, Some((host.join("client.cert"), host.join("client.key"))));
        assert_eq!(settings.of("r.example/app").ca, None);
    }
}
