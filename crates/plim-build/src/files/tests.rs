//! COPY and ADD, as they were measured on BuildKit and where plim differs on purpose.

mod archives;
mod destination;
mod ignoring;
mod keys;
mod metadata;
mod parents;
mod properties;
mod sources;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bstr::BString;
use plim_dockerfile::ignore::Patterns;
use plim_oci::{EntryHead, Layer, Silent};
use plim_testkit::TempLayout;

use super::{CopyOp, FileDigests, FilesError, Inline, InlineContent, Source, Unpack, apply, select, write_layer};
use crate::snapshot::tests::{chain, entries, listing, make, names, options, root};
use crate::snapshot::{View, layer_from_dir};

/// The time that everything made in these tests has.
const EPOCH: i64 = 1_700_000_000;

/// A context, a destination and what becomes of it.
struct Bench {
    store: TempLayout,
    overrides: BTreeMap<BString, Vec<u8>>,
    ignore: Option<Patterns>,
}

impl Bench {
    fn new(context: &[&str], dest: &[&str]) -> Self {
        let store = TempLayout::new();
        for (name, lines) in [("context", context), ("dest", dest)] {
            std::fs::create_dir(store.dir().join(name)).unwrap();
            make(&store.dir().join(name), lines);
        }
        Self { store, overrides: BTreeMap::new(), ignore: None }
    }

    fn ignoring(context: &[&str], ignore: &str) -> Self {
        Self { ignore: Some(Patterns::parse(ignore).unwrap()), ..Self::new(context, &[]) }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.store.dir().join(path)
    }

    fn source(&self) -> (PathBuf, Option<&Patterns>) {
        (self.path("context"), self.ignore.as_ref())
    }

    fn dest(&self) -> View {
        View::new(&chain(&[&self.path("dest")]))
    }

    /// Carries out a step from the context, both ways, and returns the root file system after it.
    fn copy(&self, op: &CopyOp) -> Result<Vec<String>, FilesError> {
        let (root, ignore) = self.source();
        self.carry_out(&Source::Context { root: &root, ignore, overrides: &self.overrides, known: None }, op).map(short)
    }

    /// Carries out a step from the context directory as if it were a stage.
    fn copy_from(&self, op: &CopyOp) -> Result<Vec<String>, FilesError> {
        let op = CopyOp { from_context: false, ..op.clone() };
        self.carry_out(&Source::View(&View::new(&chain(&[&self.path("context")]))), &op).map(short)
    }

    fn carry_out(&self, source: &Source<'_>, op: &CopyOp) -> Result<Vec<String>, FilesError> {
        let into = tempfile::tempdir_in(self.store.dir()).unwrap();
        let into = into.path().join("fs");
        std::fs::create_dir(&into).unwrap();
        let dest = self.dest();
        let mut selection = select(source, op)?;
        selection.digest(&FileDigests::default())?;
        apply(&selection, op, &dest, &into)?;
        let layer = self.layer_of(&into);
        let direct = write_layer(&selection, op, &dest, &self.store, &options(), None, &Silent)?;
        assert_eq!(direct.diff_id, layer.diff_id, "{:?} and {:?}", self.names(&direct), self.names(&layer));
        Ok(listing(&View::new(&chain(&[&self.path("dest"), &into]))))
    }

    fn layer(&self, op: &CopyOp) -> Vec<String> {
        let (root, ignore) = self.source();
        let source = Source::Context { root: &root, ignore, overrides: &self.overrides, known: None };
        let selection = select(&source, op).unwrap();
        let layer = write_layer(&selection, op, &self.dest(), &self.store, &options(), None, &Silent).unwrap();
        self.names(&layer)
    }

    fn heads(&self, op: &CopyOp) -> Vec<EntryHead> {
        let (root, ignore) = self.source();
        let source = Source::Context { root: &root, ignore, overrides: &self.overrides, known: None };
        let selection = select(&source, op).unwrap();
        let layer = write_layer(&selection, op, &self.dest(), &self.store, &options(), None, &Silent).unwrap();
        entries(&self.store, &layer).into_iter().map(|(head, _)| head).collect()
    }

    fn layer_of(&self, dir: &Path) -> Layer {
        layer_from_dir(dir, &self.dest(), &self.store, &options(), None, &Silent).unwrap()
    }

    fn names(&self, layer: &Layer) -> Vec<String> {
        names(&self.store, layer)
    }
}

/// Drops what is usual from a listing.
fn short(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| line.replace(" 644 0:0", "").replace(" 755 0:0", "")).collect()
}

/// `COPY words…`, the last of which is the destination.
fn op(words: &[&str]) -> CopyOp {
    let (dest, sources) = words.split_last().unwrap();
    CopyOp {
        sources: sources.iter().map(|word| BString::from(*word)).collect(),
        inline: Vec::new(),
        dest: (*dest).into(),
        owner: None,
        chmod: None,
        parents: false,
        exclude: Vec::new(),
        unpack: Unpack::Never,
        from_context: true,
        made_after: None,
        epoch: EPOCH,
    }
}

/// `ADD words…`
fn add(words: &[&str]) -> CopyOp {
    CopyOp { unpack: Unpack::Auto, ..op(words) }
}

fn exclude(words: &[&str], patterns: &[&str]) -> CopyOp {
    CopyOp { exclude: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), ..op(words) }
}

fn parents(words: &[&str]) -> CopyOp {
    CopyOp { parents: true, ..op(words) }
}

fn heredoc(name: &str, text: &str) -> Inline {
    Inline { name: name.into(), content: InlineContent::Bytes(text.as_bytes().to_vec()), mode: 0o644, mtime: None }
}
