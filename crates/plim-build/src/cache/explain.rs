//! What the last build of a Dockerfile looked like, to say why a step was not answered by the cache.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use plim_oci::{Compression, Digest};
use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::{FilePrint, Key, write_whole};
use crate::report::Miss;

/// What a step depended on when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StepNote {
    parent: Option<Digest>,
    op: Digest,
    inputs: Vec<(String, Digest)>,
}

impl From<&Key> for StepNote {
    fn from(key: &Key) -> Self {
        Self { parent: key.parent.clone(), op: key.op.clone(), inputs: key.inputs.clone() }
    }
}

/// The directory of the notes about frames, below that of the cache.
pub(crate) const FRAMES: &str = "frames";

/// The notes of the last build of one Dockerfile over one context, and those of this build.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    frames: PathBuf,
    before: BTreeMap<String, StepNote>,
    now: Mutex<BTreeMap<String, StepNote>>,
}

impl Journal {
    /// Reads the notes for a project; none or damaged ones read as empty.
    pub(crate) fn load(cache: &Path, context: &Path, dockerfile: &str) -> Self {
        let mut op = super::Op::new("project");
        op.field("context", context.as_os_str().as_encoded_bytes()).field("dockerfile", dockerfile);
        let path = cache.join("journal").join(format!("{}.json", op.finish().hex()));
        let before = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, frames: cache.join(FRAMES), before, now: Mutex::default() }
    }

    /// Notes which files a step took, unless that is known; `files` lists them.
    pub(crate) fn note_files(&self, place: &str, key: &Key, files: &dyn Fn() -> Vec<(String, FilePrint)>) {
        let [(_, input)] = &key.inputs[..] else { return };
        let known = self.before.get(place).is_some_and(|before| before.inputs == key.inputs);
        let path = self.listing(place);
        if known && path.exists() {
            return;
        }
        if let Err(error) = Listing::new(input.clone(), files()).save(&path) {
            tracing::debug!(%error, place, "the files of a step are not noted");
        }
    }

    /// Returns where the frames of the layers are noted that the step at `place` makes of this project.
    pub(crate) fn frames(&self, place: &str, compression: Compression) -> PathBuf {
        let mut op = super::Op::new("frames");
        op.field("project", self.path.as_os_str().as_encoded_bytes()).field("place", place);
        op.field("compression", compression.to_string());
        self.frames.join(op.finish().hex())
    }

    /// Notes a step of this build; `place` names it (`builder/3`).
    pub(crate) fn note(&self, place: &str, key: &Key) {
        self.lock().insert(place.to_owned(), key.into());
    }

    /// Says why a step with this key was not in the cache; `files` lists what it takes, where it takes files.
    pub(crate) fn explain(&self, place: &str, key: &Key, files: Option<&dyn Fn() -> Vec<(String, FilePrint)>>) -> Miss {
        let Some(before) = self.before.get(place) else { return Miss::FirstBuild };
        if before.op != key.op {
            return Miss::InstructionChanged;
        }
        let changed = key.inputs.iter().find(|input| !before.inputs.contains(input));
        if let Some((input, digest)) = changed {
            let listed = || {
                let [(_, old)] = &before.inputs[..] else { return None };
                let before = Listing::load(&self.listing(place), old)?;
                Some(Listing::new(digest.clone(), files?()).changes_since(&before))
            };
            let (files, more) = listed().unwrap_or_default();
            return Miss::InputChanged { input: input.clone(), files, more };
        }
        if before.parent == key.parent { Miss::Forgotten } else { Miss::ParentChanged }
    }

    /// Where the files of a step are listed: beside the notes, because they are many and seldom asked for.
    fn listing(&self, place: &str) -> PathBuf {
        self.path.with_extension("files").join(format!("{}.json", Digest::of(place.as_bytes()).hex()))
    }

    /// Keeps the notes for the next build. Steps that this build did not reach keep their old notes.
    pub(crate) fn save(&self) -> io::Result<()> {
        let mut all = self.before.clone();
        all.extend(self.lock().iter().map(|(place, note)| (place.clone(), note.clone())));
        if all == self.before {
            return Ok(());
        }
        write_whole(&self.path, &serde_json::to_vec(&all).map_err(io::Error::other)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, StepNote>> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ChangedFile, FileChange};

    fn key(parent: &str, op: &str, input: &str) -> Key {
        Key {
            parent: Some(Digest::of(parent.as_bytes())),
            op: Digest::of(op.as_bytes()),
            inputs: vec![("src".to_owned(), Digest::of(input.as_bytes()))],
        }
    }

    fn changed(files: &[&str], more: usize) -> Miss {
        let file = |path: &&str| ChangedFile { path: (*path).to_owned(), change: FileChange::Changed };
        Miss::InputChanged { input: "src".to_owned(), files: files.iter().map(file).collect(), more }
    }

    #[test]
    fn files_that_changed_are_named_when_those_before_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let load = || Journal::load(dir.path(), Path::new("/project"), "Dockerfile");
        let files = |print: u64| move || vec![("a".to_owned(), 1), ("b".to_owned(), print)];
        let first = load();
        first.note("x/1", &key("p", "o", "i"));
        first.note_files("x/1", &key("p", "o", "i"), &files(1));
        first.save().unwrap();
        let second = load();
        assert_eq!(second.explain("x/1", &key("p", "o", "i2"), Some(&files(2))), changed(&["b"], 0));
        assert_eq!(second.explain("x/1", &key("p", "o", "i2"), None), changed(&[], 0));
        // what is known is not listed again
        second.note_files("x/1", &key("p", "o", "i"), &|| panic!("asked again"));
        second.note("x/1", &key("p", "o", "i2"));
        second.note_files("x/1", &key("p", "o", "i2"), &files(2));
        second.save().unwrap();
        assert_eq!(load().explain("x/1", &key("p", "o", "i3"), Some(&files(1))), changed(&["b"], 0));
    }

    #[test]
    fn a_miss_is_explained_by_what_changed_since_the_last_build() {
        let dir = tempfile::tempdir().unwrap();
        let load = || Journal::load(dir.path(), Path::new("/project"), "Dockerfile");
        let first = load();
        assert_eq!(first.explain("a/1", &key("p", "o", "i"), None), Miss::FirstBuild);
        first.note("a/1", &key("p", "o", "i"));
        first.save().unwrap();

        let second = load();
        assert_eq!(second.explain("a/1", &key("p", "o", "i"), None), Miss::Forgotten);
        assert_eq!(second.explain("a/1", &key("p", "o2", "i2"), None), Miss::InstructionChanged);
        assert_eq!(second.explain("a/1", &key("p2", "o", "i2"), None), changed(&[], 0));
        assert_eq!(second.explain("a/1", &key("p2", "o", "i"), None), Miss::ParentChanged);
        assert_eq!(second.explain("a/2", &key("p", "o", "i"), None), Miss::FirstBuild);
    }

    #[test]
    fn projects_do_not_share_notes() {
        let dir = tempfile::tempdir().unwrap();
        let one = Journal::load(dir.path(), Path::new("/one"), "Dockerfile");
        one.note("a/1", &key("p", "o", "i"));
        one.save().unwrap();
        let two = Journal::load(dir.path(), Path::new("/two"), "Dockerfile");
        assert_eq!(two.explain("a/1", &key("p", "o", "i"), None), Miss::FirstBuild);
    }
}
