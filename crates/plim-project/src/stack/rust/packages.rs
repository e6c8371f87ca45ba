//! Debian packages: which of those that the author installs, and that dependencies ask for, belong to which stage.

use super::native::{self, Needs};
use super::{Context, FULL_BASE};
use crate::project::Finding;

/// Packages that build other things.
const BUILD_TOOLS: &[&str] = &[
    "autoconf",
    "automake",
    "build-essential",
    "capnproto",
    "clang",
    "cmake",
    "flatbuffers-compiler",
    "g++",
    "git",
    "golang-go",
    "libclang1",
    "libtool",
    "lld",
    "llvm",
    "make",
    "mold",
    "nasm",
    "ninja-build",
    "perl",
    "pkg-config",
    "pkgconf",
    "protobuf-compiler",
    "swig",
    "yasm",
];

/// Packages that help with a build and leave nothing: fetchers, editors, the other C library.
const OF_NO_USE: &[&str] =
    &["apt-utils", "ca-certificates", "curl", "gcc", "libc6-dev", "musl", "musl-dev", "musl-tools", "wget"];

/// What the runtime base `cc` has, under the names of this and earlier releases of Debian.
const IN_BASE: &[&str] = &[
    "base-files",
    "ca-certificates",
    "libc6",
    "libgcc-s1",
    "libgcc1",
    "libgomp1",
    "libssl1.1",
    "libssl3",
    "libssl3t64",
    "libstdc++6",
    "libzstd1",
    "netbase",
    "openssl",
    "tzdata",
    "zlib1g",
];

/// What the full image of the compiler has, of the packages that are asked for often.
const IN_FULL: &[&str] = &[
    "autoconf",
    "automake",
    "default-libmysqlclient-dev",
    "g++",
    "git",
    "libcurl4-openssl-dev",
    "libpq-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "libtool",
    "libxml2-dev",
    "make",
    "perl",
    "pkg-config",
    "pkgconf",
    "python3",
];

/// From this many packages on, the full image is the better base.
const MANY: usize = 6;

/// The packages of both stages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packages {
    pub(super) build: Vec<String>,
    pub(super) runtime: Vec<String>,
}

/// Sorts them out. `git` is the place of a dependency from a repository, `known` says whether a lock file tells what is compiled.
pub(super) fn sort(
    context: &Context<'_>,
    needs: &Needs,
    git: Option<&str>,
    known: bool,
    found: &mut Vec<Finding>,
) -> Packages {
    let mut packages = Packages::default();
    if let Some(place) = git {
        found.push(Finding::new("the build needs git for a dependency", place));
        packages.build.push("git".to_owned());
    }
    for (package, by, place) in &needs.build {
        found.push(Finding::new(format!("the build needs {package} for {by}"), place.clone()));
        packages.build.push(package.clone());
    }
    for package in &context.declared.packages {
        let name = package.name.as_str();
        let place = || context.at(package.line);
        if is_build_tool(name) {
            let superfluous = known
                && native::headers_of_known_crates().any(|headers| headers == name)
                && !packages.build.iter().any(|own| own == name);
            if superfluous {
                found.push(Finding::new(format!("{name} is left out: no dependency asks for it"), place()));
            } else if !packages.build.iter().any(|own| own == name) {
                found.push(Finding::new(format!("the build needs {name}"), place()));
                packages.build.push(name.to_owned());
            }
        } else if !package.for_build && !OF_NO_USE.contains(&name) && !IN_BASE.contains(&name) {
            if needs.dynamic.is_none() && is_library(name) {
                found.push(Finding::new(format!("{name} is left out: the program is linked statically"), place()));
            } else {
                found.push(Finding::new(format!("system package {name}"), place()));
                packages.runtime.push(name.to_owned());
            }
        }
    }
    // finds headers, and is of no use where there are none
    if known && !packages.build.iter().any(|name| name.ends_with("-dev")) {
        packages.build.retain(|name| name != "pkg-config" && name != "pkgconf");
    }
    let libraries = needs.native.iter().flat_map(|native| &native.libraries);
    packages.runtime.extend(libraries.filter(|name| !IN_BASE.contains(&name.as_str())).cloned());
    for list in [&mut packages.build, &mut packages.runtime] {
        list.sort();
        list.dedup();
    }
    if let Some((reason, place)) = full_base(&mut packages.build, needs) {
        found.push(Finding::new(format!("{FULL_BASE}: {reason}"), place));
    }
    packages
}

/// Why the build needs the full image of the compiler, if it does; what that has is then left out of the list.
fn full_base(build: &mut Vec<String>, needs: &Needs) -> Option<(String, String)> {
    let reason = match &needs.full {
        Some(why) => Some(why.clone()),
        None if build.len() >= MANY => {
            Some((format!("the build needs {}", build.join(", ")), "the packages above".to_owned()))
        }
        None => None,
    };
    if reason.is_some() {
        build.retain(|name| !IN_FULL.contains(&name.as_str()));
    }
    reason
}

fn is_build_tool(name: &str) -> bool {
    if OF_NO_USE.contains(&name) {
        return false;
    }
    BUILD_TOOLS.contains(&name)
        || name.ends_with("-dev")
        || ["clang-", "libclang-", "llvm-", "g++-", "lld-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a package holds shared libraries and nothing else: `libpq5`, `libssl3t64`.
fn is_library(name: &str) -> bool {
    let base = name.strip_suffix("t64").unwrap_or(name);
    name.starts_with("lib") && base.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_programs() {
        for name in ["libpq5", "libssl3", "libssl3t64", "libavcodec61", "libmagickcore-7.q16-10"] {
            assert!(is_library(name), "{name}");
        }
        for name in ["ffmpeg", "libreoffice", "git", "libnss3-tools"] {
            assert!(!is_library(name), "{name}");
        }
    }
}
