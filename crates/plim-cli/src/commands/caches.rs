//! Texts of the flags that name caches of builds.

use plim_engine::Failure;
use plim_engine::build::{CacheMode, CachePlace, CacheTo, Caches, MountsTo};

use crate::args::build::Build;

/// Reads `--cache-from`, `--cache-to`, `--cache-mounts-from` and `--cache-mounts-to`.
pub(crate) fn caches(args: &Build) -> Result<Caches, Failure> {
    let sources = |flag, texts: &[String]| texts.iter().map(|text| source(flag, text)).collect::<Result<Vec<_>, _>>();
    let mut caches = Caches {
        from: sources("--cache-from", &args.cache_from)?,
        mounts_from: sources("--cache-mounts-from", &args.cache_mounts_from)?,
        mounts_to: args.cache_mounts_to.iter().map(|text| mounts(text)).collect::<Result<_, _>>()?,
        ..Caches::default()
    };
    for text in &args.cache_to {
        match target(text)? {
            Some(target) => caches.to.push(target),
            None => caches.inline = true,
        }
    }
    Ok(caches)
}

/// A name in a registry, or `type=registry,ref=NAME`, `type=local,src=FOLDER`.
fn source(flag: &'static str, text: &str) -> Result<CachePlace, Failure> {
    let hint = "write a name in a registry, type=registry,ref=NAME or type=local,src=FOLDER";
    let spec = Spec::read(flag, text, hint)?;
    if let Some((key, _)) = spec.rest.first() {
        return Err(spec.wrong(&format!("`{key}` is not known")));
    }
    spec.place("src")
}

/// `type=registry,ref=NAME`, `type=local,dest=FOLDER`, with `mode`, `compression` and `ignore-error`; none for
/// `type=inline`.
fn target(text: &str) -> Result<Option<CacheTo>, Failure> {
    let hint = "write --cache-to type=registry,ref=NAME, type=local,dest=FOLDER or type=inline, with mode=min|max, \
                compression=KIND and ignore-error=true";
    let mut spec = Spec::read("--cache-to", text, hint)?;
    let (mut mode, mut compression, mut level, mut ignore_error) = (CacheMode::Min, None, None, false);
    for (key, value) in std::mem::take(&mut spec.rest) {
        match (key, value) {
            ("mode", "min") => mode = CacheMode::Min,
            ("mode", "max") => mode = CacheMode::Max,
            ("compression", value) => compression = Some(value),
            ("compression-level", value) => level = Some(value),
            ("ignore-error", "true" | "1") => ignore_error = true,
            ("ignore-error", "false" | "0") => ignore_error = false,
            // what plim does anyway
            ("oci-mediatypes" | "image-manifest", "true") => {}
            _ => return Err(spec.wrong(&format!("`{key}={value}` is not known"))),
        }
    }
    if spec.kind == "inline" {
        if mode == CacheMode::Max {
            return Err(spec.wrong("an image has layers for mode=min only"));
        }
        return Ok(None);
    }
    let compression = match (compression, level) {
        (None, Some(_)) => return Err(spec.wrong("compression-level is nothing without compression")),
        (kind, None) => kind.map(str::to_owned),
        (Some(kind), Some(level)) => Some(format!("{kind}:{level}")),
    };
    let compression = compression.map(|kind| kind.parse()).transpose().map_err(|error: String| spec.wrong(&error))?;
    Ok(Some(CacheTo { place: spec.place("dest")?, mode, compression, ignore_error }))
}

/// `type=registry,ref=NAME` or `type=local,dest=FOLDER`, with `ignore-error`.
fn mounts(text: &str) -> Result<MountsTo, Failure> {
    let hint = "write --cache-mounts-to type=registry,ref=NAME or type=local,dest=FOLDER, with ignore-error=true";
    let mut spec = Spec::read("--cache-mounts-to", text, hint)?;
    let mut ignore_error = false;
    for (key, value) in std::mem::take(&mut spec.rest) {
        match (key, value) {
            ("ignore-error", "true" | "1") => ignore_error = true,
            ("ignore-error", "false" | "0") => ignore_error = false,
            _ => return Err(spec.wrong(&format!("`{key}={value}` is not known"))),
        }
    }
    Ok(MountsTo { place: spec.place("dest")?, ignore_error })
}

/// `type=KIND` with keys, or a bare name.
struct Spec<'a> {
    flag: &'static str,
    text: &'a str,
    hint: &'static str,
    kind: &'a str,
    reference: Option<&'a str>,
    dir: Option<(&'a str, &'a str)>,
    rest: Vec<(&'a str, &'a str)>,
}

impl<'a> Spec<'a> {
    fn read(flag: &'static str, text: &'a str, hint: &'static str) -> Result<Self, Failure> {
        let mut spec = Self { flag, text, hint, kind: "registry", reference: None, dir: None, rest: Vec::new() };
        if !text.contains('=') {
            spec.reference = Some(text);
            return Ok(spec);
        }
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("type", kind)) => spec.kind = kind,
                Some(("ref", name)) => spec.reference = Some(name),
                Some((key @ ("src" | "dest"), dir)) => spec.dir = Some((key, dir)),
                Some(pair) => spec.rest.push(pair),
                None => return Err(spec.wrong(&format!("`{part}` is no KEY=VALUE"))),
            }
        }
        Ok(spec)
    }

    fn place(&self, key: &str) -> Result<CachePlace, Failure> {
        match (self.kind, self.reference, self.dir) {
            ("registry", Some(name), None) if !name.is_empty() => Ok(CachePlace::Registry(name.to_owned())),
            ("registry", _, None) => Err(self.wrong("it has no ref=NAME")),
            ("local", None, Some((given, dir))) if given == key && !dir.is_empty() => Ok(CachePlace::Local(dir.into())),
            ("local", None, _) => Err(self.wrong(&format!("it has no {key}=FOLDER"))),
            ("registry" | "local", ..) => Err(self.wrong("ref and a folder exclude each other")),
            (kind, ..) => Err(self.wrong(&format!("there is no type {kind}"))),
        }
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::tool(format!("{} {}: {what}", self.flag, self.text)).hint(self.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_have_the_forms_that_buildx_knows() {
        let registry = |name: &str| CachePlace::Registry(name.to_owned());
        assert_eq!(source("--cache-from", "r.example/a:cache").unwrap(), registry("r.example/a:cache"));
        assert_eq!(source("--cache-from", "type=registry,ref=r.example/a").unwrap(), registry("r.example/a"));
        assert_eq!(source("--cache-from", "type=local,src=dir").unwrap(), CachePlace::Local("dir".into()));
        let to =
            target("type=registry,ref=r.example/a,mode=max,compression=zstd,compression-level=7,ignore-error=true");
        let expected = CacheTo {
            place: registry("r.example/a"),
            mode: CacheMode::Max,
            compression: Some("zstd:7".parse().unwrap()),
            ignore_error: true,
        };
        assert_eq!(to.unwrap(), Some(expected));
        assert_eq!(target("type=local,dest=d").unwrap().unwrap().mode, CacheMode::Min);
        assert_eq!(target("type=inline").unwrap(), None);
        let to = MountsTo { place: registry("r.example/m"), ignore_error: true };
        assert_eq!(mounts("type=registry,ref=r.example/m,ignore-error=true").unwrap(), to);
        assert!(mounts("type=inline").is_err() && mounts("ref=a,mode=max").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in
            ["type=gha", "type=local,dest=d", "type=registry", "type=local,src=", "ref=a,src=b", "type=local,src=d,x=y"]
        {
            assert!(source("--cache-from", wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "type=s3,bucket=b",
            "type=inline,mode=max",
            "type=local,src=d",
            "type=registry,ref=a,mode=all",
            "ref=a,compression=xz",
            "ref=a,compression-level=3",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
