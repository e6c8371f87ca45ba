//! One service of a compose file.

use camino::Utf8PathBuf;

use super::interpolate::interpolate;
use super::yaml::{Node, Value};
use super::{Need, Settings, Told};

/// Images that are stores and queues: an application that lists one beside it is likely to need it.
const STORES: &[&str] = &[
    "postgres",
    "postgis",
    "pgvector",
    "timescaledb",
    "mysql",
    "mariadb",
    "mongo",
    "redis",
    "valkey",
    "keydb",
    "memcached",
    "rabbitmq",
    "kafka",
    "redpanda",
    "nats",
    "elasticsearch",
    "opensearch",
    "minio",
    "clickhouse",
    "cassandra",
    "couchdb",
    "neo4j",
    "influxdb",
    "etcd",
    "zookeeper",
    "mssql",
    "cockroach",
];

/// How a service is built and run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) build: Option<Build>,
    pub(crate) image: Option<String>,
    pub(crate) environment: Settings,
    /// TCP ports inside the container.
    pub(crate) ports: Vec<Told<u16>>,
    /// Instead of the image's; empty words mean none.
    pub(crate) entrypoint: Option<Told<Vec<String>>>,
    /// Instead of the image's.
    pub(crate) command: Option<Told<Vec<String>>>,
    /// The path that its health check asks for.
    pub(crate) health: Option<Told<String>>,
    /// Services that it waits for.
    pub(crate) depends_on: Vec<String>,
    /// It only runs when somebody asks for it.
    pub(crate) optional: bool,
}

/// `build` of a service; paths as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Build {
    pub(crate) context: Utf8PathBuf,
    pub(crate) dockerfile: Option<Utf8PathBuf>,
    pub(crate) target: Option<String>,
    pub(crate) args: Settings,
}

impl Service {
    pub(super) fn read(name: &str, node: &Node) -> Self {
        let text = |key: &str| node.get(key).and_then(value);
        let (list, map) = (node.get("ports"), node.get("expose"));
        Self {
            name: name.to_owned(),
            line: node.line,
            build: node.get("build").and_then(build),
            image: text("image"),
            environment: node.get("environment").map(settings).unwrap_or_default(),
            ports: list.into_iter().chain(map).flat_map(Node::items).filter_map(port).collect(),
            entrypoint: node.get("entrypoint").and_then(words),
            command: node.get("command").and_then(words),
            health: node.get("healthcheck").and_then(|check| health(check.get("test")?)),
            depends_on: ["depends_on", "links"].iter().filter_map(|key| node.get(key)).flat_map(names).collect(),
            optional: node.get("profiles").is_some(),
        }
    }

    /// What this service needs of the others.
    pub(super) fn needs(&self, all: &[Service]) -> Vec<Need> {
        let waits = |service: &&Service| self.depends_on.contains(&service.name);
        let store = |service: &&Service| service.image.as_deref().is_some_and(is_store);
        all.iter()
            .filter(|service| service.name != self.name && (waits(service) || store(service)))
            .map(|service| Need { service: service.name.clone(), image: service.image.clone() })
            .collect()
    }
}

/// A scalar with its variables replaced by their defaults.
fn value(node: &Node) -> Option<String> {
    node.text().and_then(interpolate)
}

fn build(node: &Node) -> Option<Build> {
    if node.text().is_some() {
        return Some(Build { context: value(node)?.into(), ..Build::default() });
    }
    // the Dockerfile is in the compose file itself: there is nothing to read beside the context
    if !matches!(node.value, Value::Map(_)) || node.get("dockerfile_inline").is_some() {
        return None;
    }
    Some(Build {
        context: node.get("context").map_or(Some(".".to_owned()), value)?.into(),
        dockerfile: node.get("dockerfile").and_then(value).map(Into::into),
        target: node.get("target").and_then(value),
        args: node.get("args").map(settings).unwrap_or_default(),
    })
}

/// `NAME: value` or `- NAME=value`; names without a value, or with one that is not in the file, are left out.
fn settings(node: &Node) -> Settings {
    let mut all: Vec<(String, String)> =
        node.pairs().iter().filter_map(|(name, node)| Some((name.clone(), value(node)?))).collect();
    for item in node.items() {
        if let Some((name, text)) = item.text().and_then(|text| text.split_once('='))
            && let Some(text) = interpolate(text)
        {
            all.push((name.trim().to_owned(), text));
        }
    }
    all.retain(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
    Settings(all)
}

/// A port inside the container: `8000`, `80:8000`, `127.0.0.1:80:8000/tcp`, `target: 8000`. Of a range the first.
fn port(node: &Node) -> Option<Told<u16>> {
    let (text, protocol) = if let Some(target) = node.get("target") {
        (value(target)?, node.get("protocol").and_then(value).unwrap_or_default())
    } else {
        let text = value(node)?;
        let (text, protocol) = text.split_once('/').unwrap_or((&text, ""));
        (text.rsplit(':').next()?.to_owned(), protocol.to_owned())
    };
    if !matches!(protocol.as_str(), "" | "tcp") {
        return None;
    }
    let first = text.split('-').next()?;
    Some(Told { value: first.trim().parse().ok()?, line: node.line })
}

/// A command as a list, or as text that Compose splits without a shell.
fn words(node: &Node) -> Option<Told<Vec<String>>> {
    let words = match &node.value {
        Value::List(items) => items.iter().map(value).collect::<Option<Vec<_>>>()?,
        Value::Text(_) => crate::command::parse_command(&value(node)?).ok()?,
        _ => return None,
    };
    Some(Told { value: words, line: node.line })
}

fn health(test: &Node) -> Option<Told<String>> {
    let text = match test.items() {
        [] => value(test)?,
        items => items.iter().filter_map(value).collect::<Vec<_>>().join(" "),
    };
    let rest = text.split_once("http://").or_else(|| text.split_once("https://"))?.1;
    let url = rest.split([' ', '"', '\'', ')', '|', ';', '&', '?', '#']).next()?;
    let path = url.find('/').map_or("/", |at| &url[at..]);
    Some(Told { value: path.to_owned(), line: test.line })
}

/// The names of a list, of the keys of a map, or of `links`, where another name may follow.
fn names(node: &Node) -> Vec<String> {
    let listed = node.items().iter().filter_map(|item| item.text()?.split(':').next().map(ToOwned::to_owned));
    listed.chain(node.pairs().iter().map(|(name, _)| name.clone())).collect()
}

fn is_store(image: &str) -> bool {
    let path = image.split('@').next().unwrap_or(image);
    let name = path.rsplit('/').next().unwrap_or(path).split(':').next().unwrap_or_default();
    STORES
        .iter()
        .any(|store| name == *store || name.starts_with(&format!("{store}-")) || name.ends_with(&format!("-{store}")))
}
