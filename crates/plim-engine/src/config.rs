//! `plim.toml`: what a project or a user decides once.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::Failure;

/// The configuration file. Unknown keys are errors: a misspelt key must not be ignored in silence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// What cannot be told from the project's files.
    pub project: ProjectConfig,
    /// Names of base images that mean something else here; the first match wins.
    pub alias: Vec<Alias>,
    /// Registries, or repositories below a prefix, that differ from others.
    pub registry: Vec<RegistryConfig>,
    /// The Debian archive.
    pub debian: DebianConfig,
    /// Builds.
    pub build: BuildConfig,
    /// The proof of `plim optimize`.
    pub prove: ProveConfig,
    /// The local store.
    pub store: StoreConfig,
    /// Where the file is; not a key.
    #[serde(skip)]
    pub path: Option<Utf8PathBuf>,
}

/// `[project]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ProjectConfig {
    /// The stack, where it cannot be told: `python`.
    pub stack: Option<String>,
    /// Folder of the project inside the repository.
    pub dir: Option<Utf8PathBuf>,
    /// The stage of the project's Dockerfile that is its image.
    pub target: Option<String>,
    /// The command that starts the application, as text or as a list of words.
    pub start: Option<StartCommand>,
    /// The port on which it listens.
    pub port: Option<u16>,
    /// Path of its health check.
    pub health: Option<String>,
    /// What becomes of commands that plim does not understand, by the lines of the Dockerfile: `drop` or `build`.
    pub carry: BTreeMap<String, plim_project::CarryChoice>,
}

/// `start` of `[project]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a command as text or as a list of words")]
pub enum StartCommand {
    /// As one would type it: `python -m shop`.
    Text(String),
    /// Word by word: `["python", "-m", "shop"]`.
    Words(Vec<String>),
}

/// `[[alias]]`: in FROM, `name` means `recipe` or `image`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alias {
    /// The name as Dockerfiles write it, short or long: `python:3.13`.
    pub name: String,
    /// A recipe of plim: `python3:trixie`.
    #[serde(default)]
    pub recipe: Option<String>,
    /// Another image.
    #[serde(default)]
    pub image: Option<String>,
}

/// `[[registry]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegistryConfig {
    /// `host[:port]`, or a prefix of repositories, `host/team`; the longest that fits counts.
    pub name: String,
    /// Addresses that are asked first when images are read: `host[:port][/prefix]`, with `http://` for plain HTTP.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Plain HTTP; unset means: on loopback addresses only.
    #[serde(default)]
    pub plain_http: Option<bool>,
    /// Certificates are not checked.
    #[serde(default)]
    pub insecure: bool,
    /// PEM file of certificate authorities to trust for it.
    #[serde(default)]
    pub ca: Option<Utf8PathBuf>,
    /// PEM file of the certificate by which it knows us.
    #[serde(default)]
    pub client_cert: Option<Utf8PathBuf>,
    /// PEM file of that certificate's key.
    #[serde(default)]
    pub client_key: Option<Utf8PathBuf>,
    /// Transfers at once.
    #[serde(default)]
    pub parallel: Option<usize>,
}

/// `[debian]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DebianConfig {
    /// Address of a mirror.
    pub mirror: Option<String>,
    /// Address of a mirror of the security archive [default: `MIRROR-security`].
    pub security_mirror: Option<String>,
}

/// `[build]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BuildConfig {
    /// Network of RUN steps: `host` or `none`.
    pub network: Option<String>,
    /// CA certificates of RUN steps: a PEM file, `auto` or `none`.
    pub ca_bundle: Option<String>,
    /// What keeps RUN steps apart from the machine: `auto`, `namespaces` or `chroot`.
    pub isolation: Option<String>,
    /// `plim`: map well-known base names to plim's recipes.
    pub bases: Option<String>,
}

/// `[prove]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ProveConfig {
    /// How much is proved: `http`, `port`, `start` or `none`.
    pub depth: Option<crate::optimize::Depth>,
    /// Paths whose answers must be the same.
    pub probes: Vec<String>,
    /// Environment of both images.
    pub env: BTreeMap<String, String>,
}

/// `[store]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct StoreConfig {
    /// Gigabytes that unpacked layers, and that blobs, may take; what was not used for longest goes first [default: 20].
    pub cap_gb: Option<u64>,
}

impl Config {
    /// Parses the text of a configuration file; errors show the line.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<Self, Failure> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            Failure::tool(format!("failed to read {path}: {}", error.message()))
                .detail(error.to_string())
                .hint("docs/configuration.md lists every key")
        })?;
        for alias in &config.alias {
            if alias.recipe.is_some() == alias.image.is_some() {
                return Err(Failure::tool(format!(
                    "alias `{}` in {path} needs either `recipe` or `image`",
                    alias.name
                )));
            }
        }
        for registry in &config.registry {
            if registry.client_cert.is_some() != registry.client_key.is_some() {
                return Err(Failure::tool(format!(
                    "registry `{}` in {path} needs `client-cert` and `client-key`, or neither",
                    registry.name
                )));
            }
        }
        config.path = Some(path.to_owned());
        Ok(config)
    }

    /// Reads the nearest `plim.toml` from `dir` upwards, as far as the repository's root (the folder that
    /// holds `.git`) or the file system's; none found is the default configuration.
    pub fn discover(dir: &Utf8Path) -> Result<Self, Failure> {
        // a folder that is not there is for the command to complain about: it knows what the folder is for
        let Ok(start) = dir.canonicalize_utf8() else { return Ok(Self::default()) };
        for folder in start.ancestors() {
            let path = folder.join("plim.toml");
            match std::fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&text, &path),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::caused(format!("failed to read {path}"), &error)),
            }
            if folder.join(".git").exists() {
                break;
            }
        }
        Ok(Self::default())
    }

    /// Reads one named configuration file.
    pub fn read(path: &Utf8Path) -> Result<Self, Failure> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::caused(format!("failed to read {path}"), &error))?;
        Self::parse(&text, path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, StartCommand};

    #[test]
    fn an_unknown_key_is_an_error_that_shows_its_line() {
        let failure = Config::parse("[project]\nstrat = \"x\"\n", "plim.toml".into()).unwrap_err();
        assert!(failure.detail.unwrap().contains("strat"));
    }

    #[test]
    fn the_start_command_is_text_or_words() {
        let start = |text: &str| Config::parse(text, "plim.toml".into()).map(|config| config.project.start);
        let text = start("[project]\nstart = \"python -m shop\"\n").unwrap();
        assert_eq!(text, Some(StartCommand::Text("python -m shop".to_owned())));
        let words = start("[project]\nstart = [\"python\", \"-m\", \"shop\"]\n").unwrap();
        assert_eq!(words, Some(StartCommand::Words(["python", "-m", "shop"].map(str::to_owned).to_vec())));
        assert!(start("[project]\nstart = 7\n").unwrap_err().message.contains("list of words"));
    }

    #[test]
    fn an_alias_means_one_thing() {
        let text = "[[alias]]\nname = \"python:3\"\n";
        assert!(Config::parse(text, "plim.toml".into()).is_err());
        let text = "[[alias]]\nname = \"python:3\"\nrecipe = \"python3:trixie\"\n";
        assert_eq!(Config::parse(text, "plim.toml".into()).unwrap().alias.len(), 1);
    }

    #[test]
    fn discovery_stops_at_the_repository_root() {
        let outer = tempfile::tempdir().unwrap();
        let root = camino::Utf8Path::from_path(outer.path()).unwrap();
        std::fs::write(root.join("plim.toml"), "[project]\nport = 1\n").unwrap();
        std::fs::create_dir_all(root.join("repo/.git")).unwrap();
        std::fs::create_dir_all(root.join("repo/app")).unwrap();
        assert_eq!(Config::discover(&root.join("repo/app")).unwrap(), Config::default());
        std::fs::write(root.join("repo/plim.toml"), "[project]\nport = 2\n").unwrap();
        assert_eq!(Config::discover(&root.join("repo/app")).unwrap().project.port, Some(2));
    }
}
