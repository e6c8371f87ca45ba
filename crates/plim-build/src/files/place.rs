//! From a selection to entries: where each file goes, with which metadata.

use std::collections::HashMap;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::archive;
use super::canvas::{Canvas, Inode, Laid};
use super::chmod::Chmod;
use super::select::{Chosen, Entry, What};
use super::{CopyOp, FilesError, Selection, Unpack};
use crate::snapshot::View;
use crate::snapshot::tree::{self, Last};

/// Lays a selection over the destination; returns the entries of the diff directory. Archives are unpacked to
/// nameless files in `scratch`.
pub(super) fn place(selection: &Selection, op: &CopyOp, dest: &View, scratch: &Path) -> Result<Vec<Laid>, FilesError> {
    let chmod = op.chmod.as_deref().map(str::parse).transpose()?;
    let mut placer = Placer { canvas: Canvas::new(dest), op, chmod, scratch, written_by: HashMap::new() };
    for chosen in &selection.chosen {
        placer.chosen(chosen)?;
    }
    Ok(placer.canvas.finish())
}

struct Placer<'a> {
    canvas: Canvas<'a>,
    op: &'a CopyOp,
    chmod: Option<Chmod>,
    scratch: &'a Path,
    /// Which source wrote the destination itself, where that is a file.
    written_by: HashMap<BString, usize>,
}

impl Placer<'_> {
    fn chosen(&mut self, chosen: &Chosen) -> Result<(), FilesError> {
        if self.unpacked(chosen)? {
            return Ok(());
        }
        let parents = self.parents();
        let dest = self.op.dest.as_bstr();
        let named_dir = dest.ends_with(b"/") || tree::file_name(dest) == ".";
        let (directory, last) = if named_dir {
            (dest, BStr::new(""))
        } else {
            (tree::parent(dest).unwrap_or(BStr::new("")), tree::file_name(dest))
        };
        let directory = self.resolve(directory)?;
        self.canvas.make_dirs(directory.as_bstr(), &parents)?;
        let target = self.resolve(tree::join(directory.as_bstr(), last).as_bstr())?;
        let there = self.canvas.at(target.as_bstr())?;
        match &chosen.what {
            What::Tree(entries) => {
                if there.is_some_and(|node| !node.is_dir()) {
                    return Err(FilesError::Subject(format!(
                        "`{}` is a directory and cannot be copied over the file /{target}",
                        chosen.word
                    )));
                }
                self.canvas.make_dirs(target.as_bstr(), &parents)?;
                self.tree(entries, target.as_bstr())
            }
            What::File(entry) => {
                let target = if there.is_some_and(|node| node.is_dir()) {
                    tree::join(target.as_bstr(), chosen.name.as_bstr())
                } else {
                    self.claim(&target, chosen)?;
                    target
                };
                let above = tree::parent(target.as_bstr()).unwrap_or(BStr::new(""));
                self.canvas.make_dirs(above, &parents)?;
                self.file(entry, target)
            }
        }
    }

    /// Lays down what a directory holds. The directory itself keeps the metadata that it has or was given.
    fn tree(&mut self, entries: &[Entry], target: &BStr) -> Result<(), FilesError> {
        for entry in entries {
            if entry.head.path.is_empty() {
                continue;
            }
            let path = tree::join(target, entry.head.path.as_bstr());
            if entry.head.kind != EntryKind::Dir {
                self.file(entry, path)?;
                continue;
            }
            if entry.passing && self.canvas.at(path.as_bstr())?.is_some_and(|node| node.is_dir()) {
                // only a way to what is in it: one that is there stays as it is
                self.canvas.make_dirs(path.as_bstr(), &entry.head)?;
                continue;
            }
            self.canvas.put_dir(self.dressed(&entry.head, path))?;
        }
        Ok(())
    }

    fn file(&mut self, entry: &Entry, path: BString) -> Result<(), FilesError> {
        let inode = entry.inode.map(|(device, inode)| Inode::Source(device, inode));
        self.canvas.put(self.dressed(&entry.head, path), entry.content.clone(), inode)
    }

    fn dressed(&self, head: &EntryHead, path: BString) -> EntryHead {
        let mut head = head.clone();
        head.path = path;
        if let Some((uid, gid)) = self.op.owner {
            (head.uid, head.gid) = (uid, gid);
        }
        if let Some(chmod) = self.chmod.as_ref().filter(|_| head.kind != EntryKind::Symlink) {
            head.mode = chmod.apply(head.mode, head.kind == EntryKind::Dir);
        }
        head
    }

    /// What directories on the way to the destination look like.
    fn parents(&self) -> EntryHead {
        let mode = self.chmod.as_ref().map_or(0o755, Chmod::of_parents);
        let mut head = EntryHead::new("", EntryKind::Dir, mode);
        (head.uid, head.gid) = self.op.owner.unwrap_or((0, 0));
        head.mtime = self.op.epoch;
        head
    }

    fn resolve(&self, path: &BStr) -> Result<BString, FilesError> {
        tree::resolve(&self.canvas, BStr::new(""), path, Last::Follow).map_err(FilesError::inside("read", path))
    }

    /// Refuses that one source overwrites what another source of the same step has just written. Matches of
    /// one pattern may: the last wins.
    fn claim(&mut self, target: &BString, chosen: &Chosen) -> Result<(), FilesError> {
        match self.written_by.insert(target.clone(), chosen.index) {
            Some(index) if index != chosen.index => Err(FilesError::Subject(format!(
                "several sources are copied to the one file {}: end the destination with a slash to make it a directory",
                self.op.dest
            ))),
            _ => Ok(()),
        }
    }

    /// Unpacks an archive, if the step asks for that and it is one.
    fn unpacked(&mut self, chosen: &Chosen) -> Result<bool, FilesError> {
        let What::File(entry) = &chosen.what else { return Ok(false) };
        if self.op.unpack == Unpack::Never || chosen.inline && self.op.unpack == Unpack::Auto {
            return Ok(false);
        }
        let format = if entry.head.kind == EntryKind::File {
            archive::detect(&entry.content).map_err(FilesError::inside("read", chosen.word.as_bstr()))?
        } else {
            None
        };
        let Some(format) = format else {
            if self.op.unpack == Unpack::Always {
                return Err(FilesError::Subject(format!("`{}` is no tar archive and cannot be unpacked", chosen.word)));
            }
            return Ok(false);
        };
        let target = self.resolve(self.op.dest.as_bstr())?;
        let parents = EntryHead { mode: 0o755, ..self.parents() };
        self.canvas.make_dirs(target.as_bstr(), &parents)?;
        archive::unpack(&mut self.canvas, &entry.content, format, target.as_bstr(), self.op, self.scratch).map_err(
            |error| match error {
                FilesError::Archive { source, .. } => FilesError::Archive { what: chosen.word.to_string(), source },
                error => error,
            },
        )?;
        Ok(true)
    }
}
