//! What becomes of COPY and ADD.

use super::judge::Judge;
use super::paths::{Realm, inside};
use crate::evidence::{CopyFrom, Ecosystem, Kept, Placed, PlacedSource, Purpose};
use crate::project::{Carried, Place, StackProfile};
use crate::rewrite::text;

/// Images that bring tools of a build, by the last part of their names.
const TOOL_IMAGES: &[(&str, Option<Ecosystem>)] = &[
    ("uv", None),
    ("poetry", None),
    ("pdm", None),
    ("composer", Some(Ecosystem::Php)),
    ("node", Some(Ecosystem::Node)),
    ("bun", Some(Ecosystem::Node)),
    ("golang", Some(Ecosystem::Go)),
    ("rust", Some(Ecosystem::Rust)),
    ("maven", Some(Ecosystem::Java)),
    ("gradle", Some(Ecosystem::Java)),
    ("xx", None),
    ("cargo-chef", None),
    ("hadolint", None),
    ("install-php-extensions", None),
    ("protoc", None),
];

/// What becomes of a COPY from elsewhere.
pub(super) enum From {
    Dropped(&'static str),
    Carried(Place),
    /// The stage is kept as it is.
    Stage(usize, Place),
}

/// Decides on a COPY from a stage or an image.
pub(super) fn from(judge: &Judge<'_>, copy: &CopyFrom, own: Ecosystem) -> From {
    let place = place(judge, &copy.dest);
    let Some(stage) = copy.stage else {
        let name = copy.from.split(['@', ':']).next().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        let tool = TOOL_IMAGES.iter().find(|(known, _)| *known == name || copy.from.contains(&format!("/{known}:")));
        return match tool {
            Some((_, ecosystem)) => {
                let builds = |ecosystem: &Ecosystem| {
                    *ecosystem != own
                        && judge.declared.commands.iter().any(|command| {
                            command.in_image
                                && matches!(command.purpose(), Purpose::Build(other) | Purpose::LanguagePackages(other) if other == *ecosystem)
                        })
                };
                if ecosystem.as_ref().is_some_and(builds) {
                    From::Carried(Place::Build)
                } else {
                    From::Dropped("it brings a tool of the build, which the new build stage has itself")
                }
            }
            None => From::Carried(place),
        };
    };
    let replaced = &judge.profile.replaced;
    if copy.sources.iter().all(|source| is_of_system(source, replaced.stages.contains_key(&stage))) {
        return From::Dropped("the base image has it, or it comes as a package");
    }
    if !replaced.sources.is_empty() {
        let of_build = !copy.in_image && replaced.stages.contains_key(&stage);
        return if of_build { From::Dropped("the new build stage makes the same") } else { From::Stage(stage, place) };
    }
    if makes_the_same(judge, copy, stage, own) {
        return From::Dropped("the new build stage makes the same");
    }
    From::Stage(stage, place)
}

/// Whether a file of another stage is one that the base image has, or that Debian packages bring.
fn is_of_system(source: &str, replaced: bool) -> bool {
    const HAD: &[&str] = &[
        "/etc/group",
        "/etc/nsswitch.conf",
        "/etc/passwd",
        "/etc/pki",
        "/etc/ssl",
        "/usr/share/ca-certificates",
        "/usr/share/zoneinfo",
    ];
    const LIBRARIES: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
    let among = |folders: &[&str]| folders.iter().any(|path| inside(source.trim_end_matches('*'), path));
    among(HAD) || (replaced && among(LIBRARIES))
}

/// Whether the new build stage makes what is copied: the stage installs or builds for this stack, and the files are none
/// that it fetched or wrote by other means.
fn makes_the_same(judge: &Judge<'_>, copy: &CopyFrom, stage: usize, own: Ecosystem) -> bool {
    let of_stage = || judge.declared.commands.iter().filter(|command| command.stage == stage && !command.nested);
    let of_stack = of_stage().any(|command| match command.purpose() {
        Purpose::LanguagePackages(ecosystem) | Purpose::Build(ecosystem) => ecosystem == own,
        _ => false,
    });
    let fetched = of_stage()
        .filter(|command| matches!(command.purpose(), Purpose::Download | Purpose::Files))
        .flat_map(|command| command.outputs().paths)
        .any(|made| made.len() > 1 && copy.sources.iter().any(|source| inside(source, &made)));
    of_stack && !fetched
}

/// Where a copy goes: what is in the working directory passes through the build stage, so that its commands see it.
fn place(judge: &Judge<'_>, dest: &str) -> Place {
    match judge.realm(dest.trim_end_matches('/')) {
        Realm::Program => Place::Build,
        _ => Place::Image,
    }
}

/// Returns the instruction for a copy from elsewhere.
pub(super) fn from_instruction(judge: &Judge<'_>, copy: &CopyFrom, name: &str) -> String {
    let mut words = vec![format!("--from={name}")];
    words.extend(owner(copy.chown.as_deref()));
    let sources: Vec<&camino::Utf8Path> =
        copy.sources.iter().map(|source| camino::Utf8Path::new(source.as_str())).collect();
    words.push(text::copy(sources, &judge.map(&copy.dest)));
    format!("COPY {}", words.join(" "))
}

/// Files of a named user belong to the program's user; root's stay root's.
fn owner(chown: Option<&str>) -> Option<String> {
    let user = chown?.split(':').next()?;
    match user {
        "root" | "0" => None,
        number if number.parse::<u32>().is_ok() => Some(format!("--chown={}", chown?)),
        _ => Some("--chown=65532:65532".to_owned()),
    }
}

/// Decides on files of the project.
pub(super) fn placed(
    judge: &Judge<'_>,
    placed: &Placed,
    later: &[Carried],
    profile: &StackProfile,
) -> (Kept, Vec<Carried>) {
    let replaced = || (Kept::Dropped("replaced by the copies of the new stages".to_owned()), Vec::new());
    let realm = judge.realm(placed.dest.trim_end_matches('/'));
    let as_written = placed.needs_add() || placed.sources.iter().any(|source| matches!(source, PlacedSource::Text(..)));
    let is_manifest = |path: &str| {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        profile.manifests.iter().chain(&profile.locks).any(|known| known == path)
    };
    let everything = placed.sources.iter().any(|source| {
        matches!(source, PlacedSource::Path(path) if matches!(path.trim_start_matches("./").trim_end_matches('/'), "" | "."))
    });
    let manifests = placed.sources.iter().all(|source| matches!(source, PlacedSource::Path(path) if is_manifest(path)));
    let sources =
        placed.sources.iter().all(|source| matches!(source, PlacedSource::Path(path) if is_source(path, profile)));
    let artifacts = placed.sources.iter().all(
        |source| matches!(source, PlacedSource::Path(path) if is_artifact(path, &judge.map(&placed.dest), profile)),
    );
    let by_stack = !profile.replaced.sources.is_empty() && (sources || artifacts);
    if !as_written && (realm == Realm::Program || everything || manifests || by_stack) {
        return replaced();
    }
    let named = later.iter().any(|carried| carried.command.contains(placed.dest.trim_end_matches('/')))
        && placed.dest.trim_end_matches('/').len() > 1;
    let places: &[Place] = match realm {
        Realm::Scratch | Realm::OldImage if !named => &[],
        Realm::Program | Realm::Scratch | Realm::OldImage => &[Place::Build],
        _ if named => &[Place::Build, Place::Image],
        _ => &[Place::Image],
    };
    if places.is_empty() {
        return (Kept::Dropped("what it brings is for the build or the old image only".to_owned()), Vec::new());
    }
    let carried = places.iter().map(|place| Carried {
        line: placed.line,
        place: *place,
        instruction: placed_instruction(judge, placed),
        ..Carried::default()
    });
    (Kept::Kept, carried.collect())
}

/// Whether the build alone reads a file or folder.
fn is_source(path: &str, profile: &StackProfile) -> bool {
    let path = camino::Utf8Path::new(path.trim_start_matches("./").trim_matches('/'));
    path.extension() == Some("rs")
        || path.as_str() == "src"
        || profile.manifests.iter().any(|manifest| manifest.starts_with(path))
}

/// Whether the stack puts a file or folder in that place.
fn is_artifact(path: &str, dest: &str, profile: &StackProfile) -> bool {
    let path = camino::Utf8Path::new(path.trim_start_matches("./").trim_matches('/'));
    let name = path.file_name().unwrap_or_default();
    let workdir = camino::Utf8Path::new(&profile.workdir);
    profile.artifacts.iter().any(|artifact| {
        let place = workdir.join(&artifact.dest);
        artifact.path == path
            && (place == dest.trim_end_matches('/') || place == format!("{}/{name}", dest.trim_end_matches('/')))
    })
}

/// Puts copies into the working directory where they are needed when it does not come into the image as a whole: into the
/// image, and into the build stage too when commands that come later may read them.
pub(super) fn apart(all: &[Carried]) -> Vec<Carried> {
    let mut result = Vec::new();
    for (number, carried) in all.iter().enumerate() {
        let is_copy = carried.place == Place::Build && !carried.instruction.is_empty();
        if !is_copy {
            result.push(carried.clone());
            continue;
        }
        let read = all.iter().skip(number).any(|later| later.place == Place::Build && !later.command.is_empty());
        if read {
            result.push(carried.clone());
        }
        if !read || carried.outputs.is_empty() {
            result.push(Carried { place: Place::Image, outputs: Vec::new(), ..carried.clone() });
        }
    }
    result
}

fn placed_instruction(judge: &Judge<'_>, placed: &Placed) -> String {
    let dest = judge.map(&placed.dest);
    if let [PlacedSource::Text(name, content)] = placed.sources.as_slice() {
        // not every builder knows here-documents
        let dest = if dest.ends_with('/') { format!("{dest}{name}") } else { dest };
        let folder = dest.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let lines: Vec<String> = content.lines().map(|line| format!("'{}'", line.replace('\'', "'\\''"))).collect();
        let mode = placed.flags.iter().find_map(|flag| flag.strip_prefix("--chmod="));
        let mode = mode.map(|mode| format!(" && chmod {mode} {dest}")).unwrap_or_default();
        let folder = if folder.is_empty() { String::new() } else { format!("mkdir -p {folder} && ") };
        return format!("RUN {folder}printf '%s\\n' {} > {dest}{mode}", lines.join(" "));
    }
    let mut words = vec![if placed.needs_add() { "ADD" } else { "COPY" }.to_owned()];
    words.extend(placed.flags.iter().cloned());
    words.extend(owner(placed.chown.as_deref()));
    let sources: Vec<&camino::Utf8Path> = placed
        .sources
        .iter()
        .map(|source| match source {
            PlacedSource::Path(path) | PlacedSource::Url(path) | PlacedSource::Text(path, _) => {
                camino::Utf8Path::new(path.as_str())
            }
        })
        .collect();
    words.push(text::copy(sources, &dest));
    words.join(" ")
}
