//! Which files a step takes from its source.

use std::io;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use plim_dockerfile::ignore::{ParentMatches, Patterns};
use plim_oci::{EntryHead, EntryKind};
use rayon::prelude::*;

use super::content::Content;
use super::context::ContextTree;
use super::glob;
use super::{CopyOp, FilesError, Inline, InlineContent, Source};
use crate::snapshot::tree::{self, Last, Tree};
use crate::snapshot::{DEPTH, Node, OnDisk, read_node};

/// The files that a step takes, in the order in which they are laid down.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub(super) chosen: Vec<Chosen>,
}

/// What one source, or one match of a pattern, gives.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The source as written.
    pub(super) word: BString,
    /// Which of the step's sources it is.
    pub(super) index: usize,
    /// Its name in a destination directory.
    pub(super) name: BString,
    pub(super) inline: bool,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    File(Box<Entry>),
    /// What a directory holds; paths are relative to it.
    Tree(Vec<Entry>),
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) head: EntryHead,
    pub(super) content: Content,
    /// Device and inode of a file with several names.
    pub(super) inode: Option<(u64, u64)>,
    /// A directory that is not taken itself but holds something that is.
    pub(super) passing: bool,
}

/// Finds the files of a step. No content is read.
///
/// A source without wildcards must be there; symbolic links in it are followed inside the source's root, its
/// last component included. A pattern may match nothing. A directory stands for what it holds.
pub fn select(source: &Source<'_>, op: &CopyOp) -> Result<Selection, FilesError> {
    let context = match source {
        Source::Context { root, ignore, overrides, known } => Some(ContextTree::new(root, *ignore, overrides, *known)),
        Source::View(_) => None,
    };
    let tree: &(dyn Tree + Sync) = match (source, &context) {
        (Source::View(view), _) => *view,
        (Source::Context { .. }, Some(context)) => context,
        (Source::Context { .. }, None) => return Ok(Selection::default()),
    };
    let mut selector =
        Selector { tree, context: context.as_ref(), op, exclude: patterns(&op.exclude)?, chosen: vec![] };
    for (index, word) in op.sources.iter().enumerate() {
        selector.source(index, word.as_bstr())?;
    }
    for (index, inline) in op.inline.iter().enumerate() {
        selector.inline(op.sources.len() + index, inline)?;
    }
    Ok(Selection { chosen: selector.chosen })
}

struct Selector<'a> {
    tree: &'a (dyn Tree + Sync),
    context: Option<&'a ContextTree<'a>>,
    op: &'a CopyOp,
    exclude: Patterns,
    chosen: Vec<Chosen>,
}

impl Selector<'_> {
    fn source(&mut self, index: usize, word: &BStr) -> Result<(), FilesError> {
        if self.op.parents {
            return self.with_parents(index, word);
        }
        for path in self.matches(word, tree::clean(word).as_bstr())? {
            self.choose(index, word, path.as_bstr(), None)?;
        }
        Ok(())
    }

    /// `--parents`: the source is a pattern of paths below the root, or below what stands before `/./`.
    fn with_parents(&mut self, index: usize, word: &BStr) -> Result<(), FilesError> {
        let (base, pattern) = match word.split_once_str("/./") {
            Some((base, pattern)) => (tree::clean(base.as_bstr()), tree::clean(pattern.as_bstr())),
            None => (BString::default(), tree::clean(word)),
        };
        if !glob::has_wildcard(base.as_bstr()) && !glob::has_wildcard(pattern.as_bstr()) {
            self.literal(word, tree::join(base.as_bstr(), pattern.as_bstr()).as_bstr())?;
        }
        // an empty pattern, from `dir/./`, takes all
        let include = if pattern.is_empty() { None } else { Some(patterns(&[pattern.to_string()])?) };
        for path in self.matches(word, base.as_bstr())? {
            self.choose(index, word, path.as_bstr(), include.as_ref())?;
        }
        Ok(())
    }

    /// Returns the paths that a source stands for, unresolved.
    fn matches(&self, word: &BStr, pattern: &BStr) -> Result<Vec<BString>, FilesError> {
        let names: Vec<&BStr> = tree::components(pattern).collect();
        let literal = names.iter().position(|name| glob::has_wildcard(name)).unwrap_or(names.len());
        let base: BString = bstr::join("/", &names[..literal]).into();
        if literal == names.len() {
            self.literal(word, base.as_bstr())?;
            return Ok(vec![base]);
        }
        let start = self.literal(word, base.as_bstr())?;
        let mut found = vec![start];
        for name in &names[literal..] {
            let mut next = Vec::new();
            for directory in found {
                for node in self.tree.children(directory.as_bstr()).map_err(FilesError::inside("read", word))? {
                    let file_name = tree::file_name(node.head.path.as_bstr());
                    let fits = glob::matches(name, file_name).map_err(|glob::BadPattern| {
                        FilesError::Subject(format!(
                            "`{word}` is no well-formed pattern: write `\\` before a `[` that is part of a name"
                        ))
                    })?;
                    if fits {
                        next.push(node.head.path);
                    }
                }
            }
            found = next;
        }
        Ok(found)
    }

    /// Returns the path without symbolic links of a source that must be there.
    fn literal(&self, word: &BStr, path: &BStr) -> Result<BString, FilesError> {
        let failed = FilesError::inside("read", path);
        let resolved = tree::resolve(self.tree, BStr::new(""), path, Last::Follow).map_err(&failed)?;
        match self.tree.node(resolved.as_bstr()).map_err(&failed)? {
            Some(_) => Ok(resolved),
            None => Err(self.missing(word, path).map_err(&failed)?),
        }
    }

    fn choose(&mut self, index: usize, word: &BStr, path: &BStr, include: Option<&Patterns>) -> Result<(), FilesError> {
        let failed = FilesError::inside("read", path);
        let resolved = tree::resolve(self.tree, BStr::new(""), path, Last::Follow).map_err(&failed)?;
        let Some(node) = self.tree.node(resolved.as_bstr()).map_err(&failed)? else {
            // a pattern matched a link to nowhere
            return Err(self.missing(word, path).map_err(&failed)?);
        };
        let what = if node.is_dir() {
            let mut entries = vec![self.entry(node, BString::default(), false)];
            let top = Above { path: BStr::new(""), included: false, excludes: ParentMatches::default(), depth: 0 };
            entries.extend(self.walk(resolved.as_bstr(), &top, include).map_err(&failed)?);
            What::Tree(entries)
        } else {
            What::File(Box::new(self.entry(node, BString::default(), false)))
        };
        let name = tree::file_name(path).to_owned();
        self.chosen.push(Chosen { word: word.to_owned(), index, name, inline: false, what });
        Ok(())
    }

    /// Takes what a directory holds.
    fn walk(&self, directory: &BStr, above: &Above<'_>, include: Option<&Patterns>) -> io::Result<Vec<Entry>> {
        if above.depth > DEPTH {
            return Err(io::Error::other(format!("more than {DEPTH} directories inside one another")));
        }
        let nodes = self.tree.children(directory).map_err(|error| too_long(directory, error))?;
        let take = |node: &Node| self.take_directory(node, above, include);
        // files are taken at once; deep down the tasks would be small and the stack of a worker is not endless
        let directories: Vec<&Node> = nodes.iter().filter(|node| node.is_dir()).collect();
        let below: Vec<Vec<Entry>> = if above.depth < 4 && directories.len() > 1 {
            directories.into_par_iter().map(take).collect::<io::Result<_>>()?
        } else {
            directories.into_iter().map(take).collect::<io::Result<_>>()?
        };
        let more = below.iter().map(Vec::len).sum::<usize>();
        let mut below = below.into_iter();
        let mut taken = Vec::with_capacity(nodes.len() + more);
        for node in nodes {
            if node.is_dir() {
                taken.extend(below.next().unwrap_or_default());
            } else {
                let path = tree::join(above.path, tree::file_name(node.head.path.as_bstr()));
                if self.matching(&path, above, include).taken {
                    taken.push(self.entry(node, path, false));
                }
            }
        }
        Ok(taken)
    }

    /// Says what the patterns of the step mean for a path.
    fn matching(&self, path: &BString, above: &Above<'_>, include: Option<&Patterns>) -> Matching {
        let included = above.included || include.is_none_or(|include| include.matches(path));
        let (excluded, excludes) = self.exclude.matches_below(path, &above.excludes);
        Matching { included, taken: included && !excluded, excluded, excludes }
    }

    /// Takes a directory with what it holds.
    fn take_directory(&self, node: &Node, above: &Above<'_>, include: Option<&Patterns>) -> io::Result<Vec<Entry>> {
        let path = tree::join(above.path, tree::file_name(node.head.path.as_bstr()));
        let Matching { included, taken, excluded, excludes } = self.matching(&path, above, include);
        let reachable = included || include.is_none_or(|include| include.may_match_below(&path));
        if !reachable || excluded && !self.exclude.may_reinclude_below(&path) {
            return Ok(Vec::new());
        }
        let here = Above { path: path.as_bstr(), included, excludes, depth: above.depth + 1 };
        let below = self.walk(node.head.path.as_bstr(), &here, include)?;
        if !taken && below.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::with_capacity(below.len() + 1);
        entries.push(self.entry(node.clone(), path, !taken));
        entries.extend(below);
        Ok(entries)
    }

    fn entry(&self, mut node: Node, path: BString, passing: bool) -> Entry {
        let content = match self.context {
            Some(context) => context.content(&mut node),
            None => Content::of(&mut node),
        };
        let linked = node.stamp.links > 1 && !node.is_dir();
        let inode = linked.then_some((node.stamp.device, node.stamp.inode));
        let mut head = EntryHead { path, ..node.head };
        if self.op.from_context {
            (head.uid, head.gid) = (0, 0);
            // An edited file must stay newer than what an earlier build made of the old one and keeps in a
            // cache mount: compilers decide by that. In the layer every file of the context has the epoch.
            head.mtime = if head.kind == EntryKind::Dir { self.op.epoch } else { head.mtime.max(self.op.epoch) };
        } else if self.op.made_after.is_some_and(|after| head.mtime >= after) {
            head.mtime = head.mtime.max(self.op.epoch);
        }
        Entry { head, content, inode, passing }
    }

    fn inline(&mut self, index: usize, inline: &Inline) -> Result<(), FilesError> {
        let mut head = EntryHead::new("", EntryKind::File, inline.mode);
        head.mtime = inline.mtime.unwrap_or(self.op.epoch);
        let content = match &inline.content {
            InlineContent::Bytes(bytes) => {
                head.size = bytes.len() as u64;
                Content::Bytes(Arc::from(bytes.as_slice()))
            }
            InlineContent::File(path) => {
                let found = read_node(path, BString::default()).map_err(|e| FilesError::io("read", path, e))?;
                let Some(OnDisk::Node(mut node)) = found else {
                    return Err(FilesError::io("read", path, io::ErrorKind::NotFound.into()));
                };
                head.size = node.head.size;
                Content::of(&mut node)
            }
        };
        self.chosen.push(Chosen {
            word: inline.name.clone(),
            index,
            name: tree::file_name(inline.name.as_bstr()).to_owned(),
            inline: true,
            what: What::File(Box::new(Entry { head, content, inode: None, passing: false })),
        });
        Ok(())
    }

    /// Says why a source is not there.
    fn missing(&self, word: &BStr, path: &BStr) -> io::Result<FilesError> {
        let place = if self.context.is_some() { "the build context" } else { "the image or stage it is copied from" };
        let (mut excluded, mut pattern) = (false, None);
        if let Some(context) = self.context {
            let all = context.unfiltered();
            let resolved = tree::resolve(&all, BStr::new(""), path, Last::Follow)?;
            if all.node(resolved.as_bstr())?.is_some() {
                excluded = true;
                pattern = context.excluded_by(resolved.as_bstr());
            }
        }
        if let Some(link) = self.link_to_nothing(path)?.filter(|_| !excluded) {
            return Ok(FilesError::Subject(format!(
                "{word} is not in {place}: the symbolic link {link} leads to nothing in it"
            )));
        }
        Ok(FilesError::Missing {
            path: word.to_string(),
            place,
            excluded,
            pattern,
            similar: if excluded { None } else { self.similar(path)? },
        })
    }

    /// Finds the first component of a path that is a symbolic link to what is not there, or not in this tree.
    fn link_to_nothing(&self, path: &BStr) -> io::Result<Option<BString>> {
        let mut above = BString::default();
        for name in tree::components(path) {
            let here = tree::join(above.as_bstr(), name);
            let resolved = tree::resolve(self.tree, BStr::new(""), here.as_bstr(), Last::Follow)?;
            if self.tree.node(resolved.as_bstr())?.is_none() {
                let link = self.tree.node(here.as_bstr())?.filter(|node| node.head.kind == EntryKind::Symlink);
                return Ok(link.map(|node| node.head.path));
            }
            above = resolved;
        }
        Ok(None)
    }

    /// Finds a name that differs little, in the first directory of the path that lacks the next component.
    fn similar(&self, path: &BStr) -> io::Result<Option<String>> {
        let mut above = BString::default();
        for name in tree::components(path) {
            let here = tree::join(above.as_bstr(), name);
            let resolved = tree::resolve(self.tree, BStr::new(""), here.as_bstr(), Last::Follow)?;
            if self.tree.node(resolved.as_bstr())?.is_some() {
                above = resolved;
                continue;
            }
            let wanted = name.to_str_lossy();
            let names = self.tree.names(above.as_bstr())?;
            let best = names
                .iter()
                .map(|name| (strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_str_lossy().to_lowercase()), name))
                .max_by(|one, other| one.0.total_cmp(&other.0));
            return Ok(best
                .filter(|(likeness, _)| *likeness > 0.85)
                .map(|(_, name)| tree::join(above.as_bstr(), name.as_bstr()).to_string()));
        }
        Ok(None)
    }
}

/// Names the place where paths become longer than the system allows: the error itself says nothing of it.
fn too_long(directory: &BStr, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::InvalidFilename {
        return error;
    }
    let name = directory.get(..120).unwrap_or(directory).as_bstr();
    let reason = format!("below {name}… a path of {} bytes is longer than the system allows", directory.len());
    io::Error::new(io::ErrorKind::InvalidFilename, reason)
}

/// What patterns say of a path.
struct Matching {
    /// It is asked for, or below something that is.
    included: bool,
    excluded: bool,
    taken: bool,
    /// Which patterns of `--exclude` match it.
    excludes: ParentMatches,
}

/// What is known of the directory that a walk is in.
struct Above<'a> {
    /// Its path below the source.
    path: &'a BStr,
    /// It is taken with all that is in it.
    included: bool,
    /// Which patterns of `--exclude` match it.
    excludes: ParentMatches,
    /// How many directories stand above it, up to the source.
    depth: usize,
}

fn patterns(texts: &[String]) -> Result<Patterns, FilesError> {
    Patterns::new(texts).map_err(|error| FilesError::Subject(error.to_string()))
}
