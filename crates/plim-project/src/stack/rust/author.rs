//! What the author's Dockerfile says about the build: the image with the compiler, the cargo commands, and where the binaries
//! and other files end up.

mod stage;

use camino::{Utf8Path, Utf8PathBuf};

use super::Context;
use super::manifest::Features;
use crate::evidence::{RunCommand, Told};
use crate::project::Artifact;
use stage::Stage;

/// A `cargo build`, or another command of cargo that makes binaries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) packages: Vec<String>,
    pub(super) bins: Vec<String>,
    pub(super) features: Features,
    /// The profile; none is cargo's `dev`.
    pub(super) profile: Option<String>,
    pub(super) target: Option<String>,
    /// `RUSTFLAGS` in front of the command.
    pub(super) rustflags: Option<String>,
    pub(super) line: usize,
}

/// A binary and its place in the author's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// The name that cargo gives it.
    pub(super) binary: String,
    /// The absolute path.
    pub(super) dest: String,
    pub(super) line: usize,
}

/// What the Dockerfile says.
#[derive(Debug, Clone, Default)]
pub(super) struct Author {
    /// The image that the binaries are compiled in.
    pub(super) image: Option<Told<String>>,
    /// ENV of that stage, and ARG with a default.
    pub(super) variables: Vec<Told<(String, String)>>,
    pub(super) builds: Vec<Build>,
    pub(super) placed: Vec<Placed>,
    /// Whether the binaries are compiled in the image itself.
    pub(super) in_image: bool,
    /// Files and folders of the project that the image gets: in the project, absolute in the image, line.
    pub(super) copied: Vec<Told<Artifact>>,
    /// Whether the image holds the whole project folder.
    pub(super) everything: bool,
}

impl Author {
    /// Reads it.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let declared = context.declared;
        let mut author = Self::default();
        let text = context.folder.text(context.dockerfile).unwrap_or_default();
        let stages = stage::all(&text);
        let compiles = declared.commands.iter().rev().find(|command| is_build(command));
        let stage = match compiles {
            Some(command) => stages.get(command.stage),
            None => stages.iter().find(|stage| stage.is_rust()),
        };
        if let Some(stage) = stage {
            let image = stage.root_image(&stages);
            author.image = Some(image.clone());
            author.variables = stage.variables(&stages);
        }
        let last = stages.last();
        author.in_image = match compiles {
            Some(command) => command.in_image,
            None => last.is_some_and(Stage::is_rust),
        };
        author.builds = declared.commands.iter().filter_map(build).collect();
        let root = root(compiles, stage);
        author.placed = placed(context, &declared.commands);
        author.copies(context, &root);
        author
    }

    /// The build that makes a binary: one that names it, or the last one.
    pub(super) fn build_of(&self, package: &str, binary: &str) -> Option<&Build> {
        let names = |build: &&Build| build.bins.iter().any(|bin| bin == binary);
        let of_package = |build: &&Build| build.packages.iter().any(|name| name == package);
        let all = || self.builds.iter().rev();
        all().find(names).or_else(|| all().find(of_package)).or_else(|| all().next())
    }

    /// Files of the project in the image, from the context or from the stage that compiles.
    fn copies(&mut self, context: &Context<'_>, root: &str) {
        let folder = context.folder;
        let mut add = |path: Utf8PathBuf, dest: &str, line: usize| {
            let is_folder = folder.has_folder(&path);
            if !is_folder && !folder.has(&path) {
                return;
            }
            let name = path.file_name().unwrap_or_default();
            let dest = match (is_folder, dest.ends_with('/')) {
                (false, true) => format!("{dest}{name}"),
                _ => dest.trim_end_matches('/').to_owned(),
            };
            self.copied.push(Told { value: Artifact { path, folder: is_folder, dest: dest.into() }, line });
        };
        for told in &context.declared.copies {
            add(told.value.source.clone(), &told.value.dest, told.line);
        }
        self.everything = context.declared.copies_everything;
        for told in context.declared.copies_from.iter().filter(|told| told.value.in_image) {
            for source in &told.value.sources {
                let Some(below) = below(source, root) else { continue };
                if below.is_empty() {
                    self.everything = true;
                    continue;
                }
                let dest = &told.value.dest;
                add(below.into(), dest, told.line);
            }
        }
    }
}

/// Returns what is left of a path below a folder.
pub(super) fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let rest = path.trim_end_matches('/').strip_prefix(root.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// The folder of the project in the stage that compiles.
fn root(compiles: Option<&RunCommand>, stage: Option<&Stage>) -> String {
    let cwd = compiles.map(|command| command.cwd.clone()).filter(|cwd| !cwd.is_empty());
    cwd.or_else(|| stage.and_then(|stage| stage.workdir.clone())).unwrap_or_else(|| "/".to_owned())
}

/// The arguments of cargo without the toolchain, and the subcommand.
fn cargo(words: &[String]) -> Option<(&str, &[String])> {
    let (program, rest) = words.split_first()?;
    if !matches!(program.rsplit('/').next(), Some("cargo" | "cross")) {
        return None;
    }
    let rest = match rest.split_first() {
        Some((toolchain, rest)) if toolchain.starts_with('+') => rest,
        _ => rest,
    };
    match rest.split_first()? {
        // wrappers of `build`
        (wrapper, rest) if matches!(wrapper.as_str(), "auditable" | "with") => {
            Some((rest.first()?.as_str(), &rest[1..]))
        }
        (subcommand, rest) => Some((subcommand.as_str(), rest)),
    }
}

fn is_build(command: &RunCommand) -> bool {
    build(command).is_some()
}

/// Reads the options of a command that makes binaries.
fn build(command: &RunCommand) -> Option<Build> {
    let (subcommand, arguments) = cargo(&command.words)?;
    let installs = subcommand == "install";
    if !matches!(subcommand, "build" | "b" | "rustc" | "zigbuild" | "install") {
        return None;
    }
    // a tool from the registry is not the program
    if installs && !arguments.iter().any(|word| word == "--path" || word.starts_with("--path=")) {
        return None;
    }
    let mut build = Build { line: command.line, ..Build::default() };
    if installs {
        build.profile = Some("release".to_owned());
    }
    let env = |name: &str| command.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    build.rustflags = env("RUSTFLAGS");
    build.target = env("CARGO_BUILD_TARGET");
    let mut words = arguments.iter().map(String::as_str).take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value)),
            _ => (word, None),
        };
        let mut value = || inline.or_else(|| words.next()).unwrap_or_default().to_owned();
        match option {
            "--release" | "-r" => build.profile = Some("release".to_owned()),
            "--debug" if installs => build.profile = None,
            "--profile" => build.profile = Some(value()).filter(|name| name != "dev"),
            "--package" | "-p" => build.packages.push(package_name(&value())),
            "--bin" => build.bins.push(value()),
            "--features" | "-F" => {
                build.features.names.extend(value().split([',', ' ']).filter(|name| !name.is_empty()).map(Into::into));
            }
            "--no-default-features" => build.features.no_default = true,
            "--all-features" => build.features.all = true,
            "--target" => build.target = Some(value()),
            "--path" => {
                value();
            }
            _ => {}
        }
    }
    Some(build)
}

/// `api@1.0` and `path#api` name a package as well.
fn package_name(spec: &str) -> String {
    let name = spec.rsplit('#').next().unwrap_or(spec);
    name.split(['@', ':']).next().unwrap_or(name).to_owned()
}

/// Where the binaries are in the image.
fn placed(context: &Context<'_>, commands: &[RunCommand]) -> Vec<Placed> {
    // files that commands have made: absolute path, binary, whether the image has it, line
    let mut known: Vec<(String, String, bool, usize)> = Vec::new();
    for command in commands {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let Some((program, arguments)) = words.split_first() else { continue };
        if !matches!(program.rsplit('/').next(), Some("cp" | "mv" | "install" | "ln" | "strip" | "upx" | "objcopy")) {
            continue;
        }
        let files: Vec<String> =
            arguments.iter().filter(|word| !word.starts_with('-')).map(|word| absolute(&command.cwd, word)).collect();
        let [source, .., dest] = files.as_slice() else { continue };
        let binary =
            of_target(source).or_else(|| known.iter().find(|file| file.0 == *source).map(|file| file.1.clone()));
        if let Some(binary) = binary {
            let into = arguments.last().is_some_and(|word| word.ends_with('/') || *word == ".");
            let name = source.rsplit('/').next().unwrap_or_default();
            let dest = if into { format!("{}/{name}", dest.trim_end_matches('/')) } else { dest.clone() };
            known.push((dest, binary, command.in_image, command.line));
        }
    }
    let mut placed: Vec<Placed> = Vec::new();
    for (dest, binary, _, line) in known.iter().filter(|file| file.2) {
        placed.push(Placed { binary: binary.clone(), dest: dest.clone(), line: *line });
    }
    for told in &context.declared.copies_from {
        for source in &told.value.sources {
            let made = known.iter().find(|file| file.0 == *source).map(|file| file.1.clone());
            let Some(binary) = of_target(source).or(made).or_else(|| installed(source)) else { continue };
            let name = source.rsplit('/').next().unwrap_or_default();
            let into = &told.value.dest;
            let dest = if into.ends_with('/') { format!("{into}{name}") } else { into.clone() };
            if told.value.in_image {
                placed.push(Placed { binary, dest, line: told.line });
            } else {
                known.push((dest, binary, false, told.line));
            }
        }
    }
    placed
}

/// The binary's name in `…/target/release/NAME` and `…/target/TRIPLE/release/NAME`.
pub(super) fn of_target(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let target = parts.iter().rposition(|part| *part == "target")?;
    match &parts[target + 1..] {
        [_, name] | [_, _, name] if !name.is_empty() && !name.contains(['*', '.']) => Some((*name).to_owned()),
        _ => None,
    }
}

/// The binary's name in `/usr/local/cargo/bin/NAME`.
fn installed(path: &str) -> Option<String> {
    path.split_once("/cargo/bin/").map(|(_, name)| name.to_owned()).filter(|name| !name.contains('/'))
}

pub(super) fn absolute(cwd: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", cwd.trim_end_matches('/')) };
    let mut parts: Vec<&str> = Vec::new();
    for part in Utf8Path::new(&joined).components() {
        match part.as_str() {
            "/" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Build> {
        let words = crate::parse_command(text).unwrap();
        build(&RunCommand { words, line: 7, ..RunCommand::default() })
    }

    #[test]
    fn options_of_cargo_are_read() {
        let build =
            read("cargo +nightly build -r -p api@1.0 --bin=server -F tls,metrics --no-default-features --locked")
                .unwrap();
        assert_eq!(build.packages, ["api"]);
        assert_eq!(build.bins, ["server"]);
        assert_eq!(build.features.names, ["tls", "metrics"]);
        assert!(build.features.no_default);
        assert_eq!(build.profile.as_deref(), Some("release"));
        assert_eq!(read("cargo build --profile dist").unwrap().profile.as_deref(), Some("dist"));
        assert_eq!(read("cargo build").unwrap().profile, None);
        assert_eq!(read("cargo install --path . --root /usr").unwrap().profile.as_deref(), Some("release"));
        assert_eq!(read("cargo auditable build --release").unwrap().profile.as_deref(), Some("release"));
    }

    #[test]
    fn tools_and_checks_make_no_binary() {
        for text in ["cargo install cargo-chef", "cargo test", "cargo fetch", "cargo chef cook --release", "make"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn binaries_are_known_by_their_place() {
        assert_eq!(of_target("/app/target/release/shop").as_deref(), Some("shop"));
        assert_eq!(of_target("target/x86_64-unknown-linux-musl/release/shop").as_deref(), Some("shop"));
        assert_eq!(of_target("./target/release/libshop.so"), None);
        assert_eq!(of_target("/app/target"), None);
        assert_eq!(absolute("/app/x", "../target/./a"), "/app/target/a");
        assert_eq!(below("/app/static/", "/app"), Some("static"));
        assert_eq!(below("/app", "/app/"), Some(""));
        assert_eq!(below("/application", "/app"), None);
    }
}
