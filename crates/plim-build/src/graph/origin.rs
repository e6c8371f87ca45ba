//! What a name after FROM, `--from=` or `from=` means.

use plim_oci::{Platform, Reference};

use super::{ImageKey, Origin, Stage};
use crate::request::{NamedContext, Request};

/// The name of the empty base.
const SCRATCH: &str = "scratch";

/// Says what names mean: named contexts first, then stages, then images.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    request: &'a Request,
}

impl<'a> Names<'a> {
    /// Returns the meaning of names under a request.
    pub(crate) fn new(request: &'a Request) -> Self {
        Self { request }
    }

    /// Returns what a FROM means; it sees only the stages before it, later ones of the same name first.
    pub(crate) fn base(&self, name: &str, before: &[Stage], platform: &Platform) -> Origin {
        match find(name, before) {
            Some(index) => Origin::Stage(index),
            None => self.outside(name, platform),
        }
    }

    /// Returns what `--from=` means: a stage by name or number, or an image. `Err` is a number that no stage
    /// has.
    pub(crate) fn from(&self, name: &str, stages: &[Stage], platform: &Platform) -> Result<Origin, usize> {
        if let Ok(index) = name.parse::<usize>() {
            return if index < stages.len() { Ok(Origin::Stage(index)) } else { Err(index) };
        }
        Ok(self.base(name, stages, platform))
    }

    /// Returns the named context that replaces the stage of this name.
    pub(crate) fn replaces_stage(&self, name: &str, platform: &Platform) -> Option<Origin> {
        self.named(name, platform)
    }

    fn outside(&self, name: &str, platform: &Platform) -> Origin {
        if name == SCRATCH {
            return Origin::Scratch;
        }
        self.named(name, platform)
            .unwrap_or_else(|| Origin::Image(ImageKey { name: name.to_owned(), platform: platform.clone() }))
    }

    fn named(&self, name: &str, platform: &Platform) -> Option<Origin> {
        if name.eq_ignore_ascii_case(SCRATCH) || name.eq_ignore_ascii_case("context") {
            return None;
        }
        let wanted = familiar(name);
        let of_platform = format!("{wanted}::{platform}");
        let find = |wanted: &str| {
            self.request.named_contexts.iter().position(|(known, _)| known == wanted || familiar(known) == wanted)
        };
        let index = find(&of_platform).or_else(|| find(&wanted))?;
        Some(match &self.request.named_contexts[index].1 {
            NamedContext::Dir { .. } => Origin::Dir(index),
            NamedContext::Image(image) if image == SCRATCH => Origin::Scratch,
            NamedContext::Image(image) => Origin::Image(ImageKey { name: image.clone(), platform: platform.clone() }),
        })
    }
}

/// Returns the index of the last stage of a name.
pub(crate) fn find(name: &str, stages: &[Stage]) -> Option<usize> {
    let name = name.to_lowercase();
    stages.iter().rposition(|stage| stage.name.as_deref() == Some(name.as_str()))
}

/// Brings a name to the form in which named contexts are compared: `docker.io/library/alpine:latest` and
/// `alpine` are one.
fn familiar(name: &str) -> String {
    match name.parse::<Reference>() {
        Ok(reference) => {
            let familiar = reference.familiar();
            familiar.strip_suffix(":latest").unwrap_or(&familiar).to_owned()
        }
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn stage(name: &str) -> Stage {
        Stage {
            label: name.to_owned(),
            name: Some(name.to_owned()),
            line: 1,
            text: String::new(),
            base_name: SCRATCH.to_owned(),
            base: Origin::Scratch,
            platform: Platform::new("linux", "amd64"),
            steps: Vec::new(),
        }
    }

    fn request() -> Request {
        let mut request = Request::new(PathBuf::from("/"), Vec::new());
        request.named_contexts = vec![
            ("alpine".to_owned(), NamedContext::Image("registry.example/alpine@pinned".to_owned())),
            ("files".to_owned(), NamedContext::Dir { root: PathBuf::from("/files"), ignore: None }),
            ("empty".to_owned(), NamedContext::Image(SCRATCH.to_owned())),
        ];
        request
    }

    #[test]
    fn stages_win_over_images_and_the_last_of_a_name_wins() {
        let request = request();
        let names = Names::new(&request);
        let platform = Platform::new("linux", "amd64");
        let stages = [stage("build"), stage("busybox"), stage("build")];
        assert_eq!(names.base("Build", &stages, &platform), Origin::Stage(2));
        assert_eq!(names.base("build", &stages[..1], &platform), Origin::Stage(0));
        assert!(matches!(names.base("busybox", &stages[..1], &platform), Origin::Image(_)));
        assert_eq!(names.from("1", &stages, &platform), Ok(Origin::Stage(1)));
        assert_eq!(names.from("3", &stages, &platform), Err(3));
        assert_eq!(names.base(SCRATCH, &stages, &platform), Origin::Scratch);
    }

    #[test]
    fn named_contexts_replace_images_under_all_their_spellings() {
        let request = request();
        let names = Names::new(&request);
        let platform = Platform::new("linux", "amd64");
        for name in ["alpine", "alpine:latest", "docker.io/library/alpine"] {
            let Origin::Image(key) = names.base(name, &[], &platform) else { panic!("{name}") };
            assert_eq!(key.name, "registry.example/alpine@pinned");
        }
        assert!(matches!(names.base("alpine:3.20", &[], &platform), Origin::Image(key) if key.name == "alpine:3.20"));
        assert_eq!(names.base("files", &[], &platform), Origin::Dir(1));
        assert_eq!(names.base("empty", &[], &platform), Origin::Scratch);
    }
}
