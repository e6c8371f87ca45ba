//! The environment of the build stage: how the program is linked, stripped, and what its sources read while it is compiled.

use toml::Value;

use super::author::{Author, Build};
use super::config::Config;
use super::native::Needs;
use super::packages::Packages;
use super::sources::Sources;
use super::workspace::Workspace;
use super::{Context, STATIC};
use crate::project::Finding;

/// Variables of the author's build that build scripts and macros read.
const READ_BY_BUILDS: &[&str] = &["SQLX_OFFLINE", "PROTOC", "PROTOC_INCLUDE", "LIBCLANG_PATH", "RUSTC_BOOTSTRAP"];

/// What the environment is made from.
pub(super) struct Environment<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) author: &'a Author,
    pub(super) config: &'a Config,
    pub(super) build: Option<&'a Build>,
    /// Cargo's profile.
    pub(super) profile: &'a str,
}

/// Decides whether the C library becomes a part of the program.
pub(super) fn linking(needs: &Needs, packages: &Packages, found: &mut Vec<Finding>) -> bool {
    let obstacle = needs.dynamic.clone().or_else(|| {
        let first = packages.runtime.first()?;
        Some((format!("the image has a C library anyway, for {first}"), "the packages above".to_owned()))
    });
    let is_static = obstacle.is_none();
    found.push(obstacle.map_or_else(
        || Finding::new("linked statically", "no dependency needs a library of the system"),
        |(reason, place)| Finding::new(format!("linked dynamically: {reason}"), place),
    ));
    is_static
}

impl Environment<'_> {
    /// Returns the variables of the build stage.
    pub(super) fn variables(
        &self,
        workspace: &Workspace,
        names: &[String],
        is_static: bool,
        found: &mut Vec<Finding>,
    ) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let author = self.rustflags(found);
        if is_static {
            // a variable takes the place of the flags in .cargo/config.toml, so that they are said again
            let flags = author.or_else(|| {
                let config = self.config;
                (!config.rustflags.is_empty()).then(|| {
                    found.push(Finding::new("flags for the compiler", config.rustflags_place.clone()));
                    without_linking(&config.rustflags.join(" "))
                })
            });
            let flags = flags.filter(|flags| !flags.is_empty());
            all.push((
                "RUSTFLAGS".to_owned(),
                flags.map_or_else(|| STATIC.to_owned(), |flags| format!("{flags} {STATIC}")),
            ));
        } else if let Some(flags) = author.filter(|flags| !flags.is_empty()) {
            all.push(("RUSTFLAGS".to_owned(), flags));
        }
        if !self.says_strip(workspace) {
            let profile = self.profile.to_uppercase().replace('-', "_");
            all.push((format!("CARGO_PROFILE_{profile}_STRIP"), "true".to_owned()));
        }
        for told in &self.author.variables {
            let (name, value) = &told.value;
            let read = READ_BY_BUILDS.contains(&name.as_str())
                || ["CARGO_PROFILE_", "OPENSSL_", "PKG_CONFIG_"].iter().any(|prefix| name.starts_with(prefix));
            if read && !value.is_empty() {
                found.push(Finding::new(format!("{name} for the build"), self.context.at(told.line)));
                all.retain(|(known, _)| known != name);
                all.push((name.clone(), value.clone()));
            }
        }
        let offline = self.context.folder.has_folder(".sqlx") || self.context.folder.has("sqlx-data.json");
        if offline && names.iter().any(|name| name == "sqlx") && !all.iter().any(|(name, _)| name == "SQLX_OFFLINE") {
            found.push(Finding::new(
                "SQLX_OFFLINE for the build",
                "queries are checked against .sqlx, without a database",
            ));
            all.push(("SQLX_OFFLINE".to_owned(), "true".to_owned()));
        }
        all
    }

    /// Flags that the author's Dockerfile gives to the compiler, those for another way of linking aside.
    fn rustflags(&self, found: &mut Vec<Finding>) -> Option<String> {
        let inline = self.build.and_then(|build| Some((build.rustflags.clone()?, build.line)));
        let (flags, line) = inline.or_else(|| {
            let told = self.author.variables.iter().rev().find(|told| told.value.0 == "RUSTFLAGS")?;
            Some((told.value.1.clone(), told.line))
        })?;
        let flags = without_linking(&flags);
        if !flags.is_empty() {
            found.push(Finding::new("flags for the compiler", self.context.at(line)));
        }
        Some(flags)
    }

    /// Whether the project's own profile says what becomes of the symbols.
    fn says_strip(&self, workspace: &Workspace) -> bool {
        let profile = workspace.root.section("profile").and_then(|profiles| profiles.get(self.profile));
        profile.and_then(Value::as_table).is_some_and(|profile| profile.contains_key("strip"))
    }

    /// Returns the arguments of the author's build that the sources read while they are compiled, with their defaults.
    pub(super) fn arguments(&self, sources: &Sources, found: &mut Vec<Finding>) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        for mention in &sources.mentions {
            let Some(name) = mention.build_variable() else { continue };
            let told = self.author.variables.iter().rev().find(|told| told.value.0 == name);
            if let Some(told) = told
                && all.iter().all(|(known, _)| known != name)
            {
                let place = format!("{}, read in {}", self.context.at(told.line), mention.place());
                found.push(Finding::new(format!("build argument {name}"), place));
                all.push(told.value.clone());
            }
        }
        all
    }
}

/// Drops what concerns the linking that plim decides: the C library, and linkers for another one.
fn without_linking(flags: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut parts = flags.split_whitespace();
    while let Some(part) = parts.next() {
        let whole = match part {
            "-C" | "--codegen" => format!("-C {}", parts.next().unwrap_or_default()),
            other => other.to_owned(),
        };
        let flag = whole.trim_start_matches("-C").trim();
        let linking = flag.starts_with("target-feature=") && flag.contains("crt-static")
            || flag.starts_with("linker=") && flag.contains("musl")
            || flag.starts_with("link-self-contained");
        if !linking && whole != "-C " {
            words.push(whole);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_for_another_way_of_linking_are_dropped() {
        assert_eq!(
            without_linking("-C target-feature=+crt-static -C linker=musl-gcc --cfg tokio_unstable"),
            "--cfg tokio_unstable"
        );
        assert_eq!(without_linking("-Ctarget-feature=-crt-static -C target-cpu=x86-64-v3"), "-C target-cpu=x86-64-v3");
    }
}
