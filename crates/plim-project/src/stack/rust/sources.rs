//! What the Rust sources of the program tell: ports, addresses, paths of the project, variables of the build.

use camino::{Utf8Path, Utf8PathBuf};

use super::literals::{Literal, literals};
use super::manifest::{Package, join};
use crate::folder::Folder;

/// The most files that are looked at.
const MAX_FILES: usize = 4_000;

/// Macros and attributes that read a file while the program is compiled.
const COMPILE_TIME: &[&str] = &[
    "include_str!(",
    "include_bytes!(",
    "include!(",
    "include_dir!(",
    "include_flate!(",
    "folder=",
    "path=",
    "migrate!(",
    "embed_migrations!(",
    "query_file!(",
    "query_file_as!(",
    "query_file_scalar!(",
    "doc=include_str!(",
    "source=",
    "i18n!(",
    "load_keypair!(",
];

/// Ports of other services that programs connect to.
const FOREIGN: &[u16] =
    &[22, 25, 53, 465, 587, 1433, 2181, 2379, 3306, 4317, 4318, 5432, 5672, 6379, 6831, 8125, 9092, 11211, 27017];

/// A literal of the program and where it is.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) literal: Literal,
    pub(super) file: Utf8PathBuf,
    /// The folder of the package that the file belongs to.
    pub(super) package: Utf8PathBuf,
}

impl Mention {
    /// Returns `FILE:LINE`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file, self.literal.line)
    }

    /// Whether the compiler reads what the literal names, so that the program does not have to.
    pub(super) fn is_compile_time(&self) -> bool {
        COMPILE_TIME.iter().any(|word| self.literal.before.ends_with(word))
    }

    /// The variable of a build that `env!("NAME")` and `option_env!("NAME")` read.
    pub(super) fn build_variable(&self) -> Option<&str> {
        let reads = self.literal.before.ends_with("env!(");
        let name = self.literal.text.as_str();
        let own = name.starts_with("CARGO") || matches!(name, "OUT_DIR" | "TARGET" | "HOST" | "PROFILE");
        (reads && !own && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            .then_some(name)
    }
}

/// What the sources tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) mentions: Vec<Mention>,
    /// Ports that are listened on: on all interfaces, beside the word `port`, on loopback.
    pub(super) ports: [Vec<(u16, String)>; 3],
}

impl Sources {
    /// Looks at the sources of the packages that the program is made of.
    pub(super) fn scan(folder: &Folder, packages: &[&Package]) -> Self {
        let mut sources = Self::default();
        let is_source = |path: &&Utf8Path| path.extension() == Some("rs");
        for path in folder.files().filter(is_source).take(MAX_FILES) {
            // the innermost package that holds it
            let owner = packages
                .iter()
                .filter(|package| path.starts_with(&package.dir))
                .max_by_key(|package| package.dir.as_str().len());
            let Some(package) = owner else { continue };
            let below = path.strip_prefix(&package.dir).unwrap_or(path);
            let first = below.components().next().map_or("", |first| first.as_str());
            let nested = below
                .ancestors()
                .skip(1)
                .any(|dir| !dir.as_str().is_empty() && folder.has(package.dir.join(dir).join("Cargo.toml")));
            let for_tests = matches!(
                path.file_name(),
                Some("test.rs" | "tests.rs" | "testing.rs" | "test_utils.rs" | "test_util.rs" | "test_helpers.rs")
            );
            if matches!(first, "tests" | "benches" | "examples" | "target") || nested || for_tests {
                continue;
            }
            let Some(text) = folder.text(path) else { continue };
            sources.read(path, &package.dir, &text);
        }
        sources
    }

    fn read(&mut self, file: &Utf8Path, package: &Utf8Path, text: &str) {
        let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
        let lines: Vec<&str> = text[..tests].lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let place = || format!("{file}:{}", index + 1);
            if let Some(port) = port_of_unspecified(line) {
                self.ports[0].push((port, place()));
            } else if let Some(port) = port_beside_word(line)
                .or_else(|| port_of_option(&lines, index))
                .or_else(|| port_of_variable(&lines, index))
            {
                self.ports[1].push((port, place()));
            }
        }
        for literal in literals(text) {
            let mention = Mention { literal, file: file.to_owned(), package: package.to_owned() };
            if let Some((port, everywhere)) = port_of_address(&mention.literal.text) {
                self.ports[if everywhere { 0 } else { 2 }].push((port, mention.place()));
            }
            self.mentions.push(mention);
        }
    }

    /// Returns the port that the program listens on: that of the strongest kind of evidence, if it is one.
    pub(super) fn port(&self) -> Option<(u16, String)> {
        for kind in &self.ports {
            let mut ports: Vec<u16> = kind.iter().map(|(port, _)| *port).collect();
            ports.sort_unstable();
            ports.dedup();
            match ports.as_slice() {
                [] => {}
                [_] => return kind.first().cloned(),
                _ => return None,
            }
        }
        None
    }

    /// Returns the first place of a literal.
    pub(super) fn find(&self, text: &str) -> Option<String> {
        self.mentions.iter().find(|mention| mention.literal.text == text).map(Mention::place)
    }

    /// Files and folders of the project that the compiler reads beside the sources.
    pub(super) fn compiled_in(&self, folder: &Folder) -> Vec<Utf8PathBuf> {
        let mut paths: Vec<Utf8PathBuf> = Vec::new();
        for mention in self.mentions.iter().filter(|mention| mention.is_compile_time()) {
            let beside = mention.file.parent().unwrap_or(Utf8Path::new(""));
            let text = mention.literal.text.trim_start_matches("$CARGO_MANIFEST_DIR/");
            let found = [beside, mention.package.as_path(), Utf8Path::new("")]
                .into_iter()
                .filter_map(|dir| join(dir, text))
                .find(|path| !path.as_str().is_empty() && (folder.has(path) || folder.has_folder(path)));
            paths.extend(found.filter(|path| path.extension() != Some("rs")));
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

/// The port of `0.0.0.0:8080`, `[::]:8080`, `127.0.0.1:8080`, and whether all interfaces are meant.
fn port_of_address(text: &str) -> Option<(u16, bool)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0 && !FOREIGN.contains(port))?;
    match host {
        "0.0.0.0" | "[::]" | "[::0]" | "" => Some((port, true)),
        "127.0.0.1" | "localhost" | "[::1]" => Some((port, false)),
        _ => None,
    }
}

/// The port of `([0, 0, 0, 0], 8080)`, `(Ipv4Addr::UNSPECIFIED, 8080)` and `("0.0.0.0", 8080)`.
fn port_of_unspecified(line: &str) -> Option<u16> {
    let line: String = line.split("//").next()?.split_whitespace().collect();
    for host in ["[0,0,0,0]", "UNSPECIFIED", "\"0.0.0.0\"", "\"::\"", "Ipv4Addr::new(0,0,0,0)"] {
        if let Some((_, rest)) = line.split_once(host) {
            let digits: String = rest.trim_start_matches([')', ',']).chars().take_while(char::is_ascii_digit).collect();
            if let Ok(port) = digits.parse() {
                return Some(port);
            }
        }
    }
    None
}

/// The number behind the word `port`, as in `const PORT: u16 = 8080`, `.port(8080)`,
/// `env::var("PORT").unwrap_or_else(|_| "8080".into())` and `default_value_t = 8080`.
fn port_beside_word(line: &str) -> Option<u16> {
    let lower = line.split("//").next()?.to_ascii_lowercase();
    let number = |text: &str| -> Option<u16> {
        let start = text
            .char_indices()
            .find(|(at, c)| {
                // not the digits of a name such as u16
                c.is_ascii_digit()
                    && !text[..*at].ends_with(|before: char| before.is_ascii_alphanumeric() || "_.".contains(before))
            })?
            .0;
        let between = &text[..start];
        let end = text[start..].find(|c: char| !c.is_ascii_digit() && c != '_').map_or(text.len(), |end| start + end);
        let plain = between.chars().all(|c| " =,:\"'(".contains(c));
        let typed = ["u16", "u32", "i32", "usize"].iter().any(|name| {
            between.strip_prefix(':').is_some_and(|rest| {
                rest.trim_start().strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| " =".contains(c)))
            })
        });
        let default = between.contains("unwrap_or") || between.contains("default") || between.contains("or(");
        (plain || typed || default)
            .then(|| text[start..end].replace('_', "").parse().ok())
            .flatten()
            .filter(|port| *port >= 80 && !FOREIGN.contains(port))
    };
    lower.match_indices("port").find_map(|(at, word)| {
        // not in the middle of a word such as "import", "report", "support"
        if lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        number(&lower[at + word.len()..])
    })
}

/// The default of an option of clap: that of the attribute above a field `port: u16`, or behind `Arg::new("port")`.
fn port_of_option(lines: &[&str], index: usize) -> Option<u16> {
    /// The most lines that an option takes.
    const FAR: usize = 14;
    let line = lines[index].trim();
    let default = |text: &&str| -> Option<u16> {
        let (_, rest) = text.split_once("default_value")?;
        let digits: String =
            rest.chars().skip_while(|c| " _t=(\"".contains(*c)).take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|port| !FOREIGN.contains(port))
    };
    let field = line.strip_prefix("pub ").unwrap_or(line);
    if ["port: u16", "port: Option<u16>", "http_port: u16"].iter().any(|name| field.starts_with(name)) {
        let above = lines[..index].iter().rev().take(FAR);
        return above.take_while(|line| !line.trim().is_empty() && !line.trim().starts_with("pub ")).find_map(default);
    }
    if line.contains("Arg::new(\"port\")") {
        let below = lines[index + 1..].iter().take(FAR);
        return below.take_while(|line| !line.contains("Arg::new(")).find_map(default);
    }
    None
}

/// The default of a variable such as PORT that is read by a statement of several lines: `match env::var("PORT") { … Err(_) =>
/// 3000 }`, or a chain that ends in `unwrap_or(3000)`.
fn port_of_variable(lines: &[&str], index: usize) -> Option<u16> {
    /// The most lines that a statement takes.
    const FAR: usize = 8;
    let (_, first) = lines[index].split_once("env::var")?;
    let name = first.split('"').nth(1)?;
    if !(name == "PORT" || name.ends_with("_PORT")) {
        return None;
    }
    let statement = lines[index + 1..].iter().take(FAR).map(|line| line.split("//").next().unwrap_or(line));
    let mut ended = first.trim_end().ends_with(';');
    let statement = statement.take_while(|line| !std::mem::replace(&mut ended, line.trim_end().ends_with(';')));
    [first].into_iter().chain(statement).find_map(|line| {
        let (_, rest) = line.split_once("unwrap_or").or_else(|| line.split_once("=>"))?;
        let number = rest.trim_start_matches(|c: char| !c.is_ascii_digit() && !c.is_ascii_uppercase());
        let end = number.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(number.len());
        number[..end].replace('_', "").parse().ok().filter(|port| *port >= 80 && !FOREIGN.contains(port))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_are_those_of_addresses() {
        assert_eq!(port_of_address("0.0.0.0:8080"), Some((8080, true)));
        assert_eq!(port_of_address("[::]:3000"), Some((3000, true)));
        assert_eq!(port_of_address("127.0.0.1:3000"), Some((3000, false)));
        assert_eq!(port_of_address("127.0.0.1:5432"), None);
        assert_eq!(port_of_address("postgres://db:5432"), None);
        assert_eq!(port_of_address("0.0.0.0:{port}"), None);
        assert_eq!(port_of_unspecified("let addr = SocketAddr::from(([0, 0, 0, 0], 3000));"), Some(3000));
        assert_eq!(port_of_unspecified("bind((Ipv4Addr::UNSPECIFIED, 8081))"), Some(8081));
        assert_eq!(port_of_unspecified(".bind((\"0.0.0.0\", 8082))?"), Some(8082));
    }

    #[test]
    fn ports_are_numbers_behind_the_word() {
        for line in [
            "const PORT: u16 = 8080;",
            "let port = std::env::var(\"PORT\").unwrap_or_else(|_| \"8080\".into());",
            "let port: u16 = env::var(\"PORT\").ok().and_then(|p| p.parse().ok()).unwrap_or(8080);",
            "    #[arg(long, env = \"PORT\", default_value_t = 8080)]",
            "    #[clap(short = 'p', long = \"port\", default_value = \"8080\")]",
            "server.port(8_080)",
        ] {
            assert_eq!(port_beside_word(line), Some(8080), "{line}");
        }
        for line in ["import 1234", "let report = 8080;", "port: u16,", "fn port(a: [u8; 4096])", "port = 99999999"] {
            assert_eq!(port_beside_word(line), None, "{line}");
        }
    }

    #[test]
    fn options_have_their_default_on_another_line() {
        let of = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            (0..lines.len()).find_map(|index| port_of_option(&lines, index))
        };
        assert_eq!(of("#[arg(long, short = 'p', default_value = \"80\")]\n/// Port\npub port: u16,"), Some(80));
        assert_eq!(of("#[clap(\n    default_value_t = 8080\n)]\nport: u16,"), Some(8080));
        assert_eq!(of("#[arg(default_value = \"1\")]\nthreads: u8,\n\npub port: u16,"), None);
        assert_eq!(of("Arg::new(\"port\")\n    .long(\"port\")\n    .default_value(\"8000\"),"), Some(8000));
        assert_eq!(of("Arg::new(\"port\")\n    .long(\"port\"),\nArg::new(\"n\").default_value(\"8\")"), None);
    }

    #[test]
    fn variables_have_their_default_on_another_line() {
        let of = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            (0..lines.len()).find_map(|index| port_of_variable(&lines, index))
        };
        let arms =
            "let port = match env::var(\"PORT\") {\n    Ok(text) => text.parse().unwrap(),\n    Err(_) => 3000,\n};";
        assert_eq!(of(arms), Some(3000));
        assert_eq!(
            of("let p = std::env::var(\"APP_PORT\")\n    .unwrap_or_else(|_| \"3_001\".into())\n    .parse();"),
            Some(3001)
        );
        assert_eq!(of("let p = env::var(\"PORT\").unwrap();\nlet n = x.unwrap_or(3000);"), None);
        assert_eq!(of("let p = env::var(\"DB_PORT\")\n.unwrap_or(\"5432\".into());"), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,40}") {
            let _ = (port_of_address(&line), port_of_unspecified(&line), port_beside_word(&line));
        }
    }
}
