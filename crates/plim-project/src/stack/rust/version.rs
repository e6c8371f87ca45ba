//! Which compiler the project is built with.

use toml::Value;

use super::Context;
use super::author::Author;
use super::manifest::Manifest;
use crate::error::DetectError;

/// The compiler that is taken when nothing asks for another: the newest, because newer ones compile what older ones do.
const NEWEST: &str = "1";

/// Returns the version as the tags of the image `rust` have it, and where it is said.
pub(super) fn find(context: &Context<'_>, author: &Author) -> Result<(String, String), DetectError> {
    for file in ["rust-toolchain.toml", "rust-toolchain"] {
        let Some(text) = context.folder.text(file) else { continue };
        // the short form is the name alone
        let short = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some(channel) = short.filter(|line| !line.contains(['=', '['])) {
            return Ok((of_channel(channel), file.to_owned()));
        }
        let manifest = Manifest::read_file(context.folder, file.into())?;
        let channel = manifest.section("toolchain").and_then(|table| table.get("channel")).and_then(Value::as_str);
        if let Some(channel) = channel {
            return Ok((of_channel(channel), manifest.at("channel")));
        }
    }
    if let Some(image) = &author.image
        && let Some(version) = of_image(&image.value)
    {
        return Ok((version, context.at(image.line)));
    }
    Ok((NEWEST.to_owned(), "the newest compiler; nothing asks for another".to_owned()))
}

/// The version of a toolchain's channel: `1.75.0`, `stable`, `nightly-2025-01-01`.
fn of_channel(channel: &str) -> String {
    if channel.starts_with("nightly") {
        return "nightly".to_owned();
    }
    numbers(channel).unwrap_or_else(|| NEWEST.to_owned())
}

/// The version of `rust:1.75-slim-bookworm` and of `cargo-chef:latest-rust-1.75`; none for other images.
fn of_image(image: &str) -> Option<String> {
    let image = image.split('@').next().unwrap_or(image);
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    let name = repository.rsplit('/').next().unwrap_or(repository);
    if !name.contains("rust") && !name.contains("cargo") {
        return None;
    }
    if tag.starts_with("nightly") || repository.ends_with("rustlang/rust") {
        return Some("nightly".to_owned());
    }
    let tag = tag.rsplit_once("rust-").map_or(tag, |(_, version)| version);
    Some(numbers(tag).unwrap_or_else(|| NEWEST.to_owned()))
}

/// The digits and dots that a text begins with.
fn numbers(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let version = text[..end].trim_end_matches('.');
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_tags() {
        let of = |image| of_image(image).unwrap_or_default();
        assert_eq!(of("rust"), "1");
        assert_eq!(of("rust:1"), "1");
        assert_eq!(of("docker.io/library/rust:1.75-slim-bookworm"), "1.75");
        assert_eq!(of("rust:1.75.0@sha256:00"), "1.75.0");
        assert_eq!(of("rust:alpine3.20"), "1");
        assert_eq!(of("rust:bookworm"), "1");
        assert_eq!(of("lukemathwalker/cargo-chef:latest-rust-1.80-slim"), "1.80");
        assert_eq!(of("lukemathwalker/cargo-chef:latest-rust-1"), "1");
        assert_eq!(of("localhost:5000/rust"), "1");
        assert_eq!(of("rustlang/rust:nightly"), "nightly");
        assert_eq!(of_image("debian:bookworm-slim"), None);
        assert_eq!(of_channel("stable"), "1");
        assert_eq!(of_channel("1.81.0"), "1.81.0");
        assert_eq!(of_channel("nightly-2025-01-01"), "nightly");
    }
}
