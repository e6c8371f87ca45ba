//! A chain of diff directories as one tree, the way overlayfs would show it, without mounting it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::node::is_absent;
use super::tree::{self, Last, Tree};
use super::{Chain, Node, OnDisk, marks, read_node};

/// A read-only look at the root file system of a [`Chain`]. Clones share what was looked up; the chain must
/// not change meanwhile.
#[derive(Debug, Clone)]
pub struct View {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    layers: Vec<PathBuf>,
    /// Directories met so far, `None` where no directory is.
    dirs: Mutex<HashMap<BString, Option<Arc<Dir>>>>,
}

/// A directory that one or more layers have a part of.
#[derive(Debug)]
struct Dir {
    node: Node,
    /// Its parts, topmost first.
    parts: Vec<PathBuf>,
}

/// What the layers have at a name of a directory.
enum Found {
    Nothing,
    File(Box<Node>),
    Dir(Arc<Dir>),
}

impl View {
    /// Returns the tree of a chain.
    pub fn new(chain: &Chain) -> Self {
        Self { inner: Arc::new(Inner { layers: chain.lower.clone(), dirs: Mutex::default() }) }
    }

    /// Returns what is at a path. Symbolic links before the last component are followed inside the root, the
    /// last is not.
    pub fn lookup(&self, path: &BStr) -> io::Result<Option<Node>> {
        self.node(tree::resolve(self, "".into(), path, Last::Keep)?.as_bstr())
    }

    /// Returns the path without symbolic links and without a leading slash; `None` if nothing is there.
    pub fn resolve(&self, path: &BStr) -> io::Result<Option<BString>> {
        let resolved = tree::resolve(self, "".into(), path, Last::Follow)?;
        Ok(self.node(resolved.as_bstr())?.map(|_| resolved))
    }

    /// Returns the content of a regular file, following symbolic links; `None` if there is none. A file of
    /// more than `limit` bytes is an error.
    pub fn read(&self, path: &BStr, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let resolved = tree::resolve(self, "".into(), path, Last::Follow)?;
        let Some(node) = self.node(resolved.as_bstr())?.filter(|node| node.head.kind == EntryKind::File) else {
            return Ok(None);
        };
        if node.head.size > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("/{resolved} has {} bytes", node.head.size),
            ));
        }
        let mut content = Vec::with_capacity(node.head.size as usize);
        node.open()?.take(limit).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Returns the names in a directory and what they are, sorted bytewise; symbolic links in the path are
    /// followed. Nothing if there is no such directory.
    pub fn read_dir(&self, path: &BStr) -> io::Result<Vec<(BString, Node)>> {
        let resolved = tree::resolve(self, "".into(), path, Last::Follow)?;
        let mut out = Vec::new();
        for name in self.names(resolved.as_bstr())? {
            if let Some(node) = self.node(tree::join(resolved.as_bstr(), name.as_bstr()).as_bstr())? {
                out.push((name, node));
            }
        }
        Ok(out)
    }

    fn dir(&self, path: &BStr) -> io::Result<Option<Arc<Dir>>> {
        if let Some(known) = self.known().get(path) {
            return Ok(known.clone());
        }
        let dir = match tree::parent(path) {
            None => Some(Arc::new(self.root()?)),
            Some(above) => match self.dir(above)? {
                Some(above) => match find(&above.parts, path)? {
                    Found::Dir(dir) => Some(dir),
                    Found::File(_) | Found::Nothing => None,
                },
                None => None,
            },
        };
        self.known().insert(path.to_owned(), dir.clone());
        Ok(dir)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<BString, Option<Arc<Dir>>>> {
        // the map is only ever inserted into: another thread's panic leaves it whole
        self.inner.dirs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn root(&self) -> io::Result<Dir> {
        let mut node = None;
        let mut parts = Vec::new();
        for layer in &self.inner.layers {
            let Some(OnDisk::Node(part)) = read_node(layer, BString::default())? else {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", layer.display())));
            };
            parts.push(layer.clone());
            let opaque = part.opaque;
            node.get_or_insert(*part);
            if opaque {
                break;
            }
        }
        let node = node.unwrap_or_else(|| Node::made(EntryHead::new("", EntryKind::Dir, 0o755)));
        Ok(Dir { node, parts })
    }
}

impl Tree for View {
    fn node(&self, path: &BStr) -> io::Result<Option<Node>> {
        let Some(above) = tree::parent(path) else { return Ok(self.dir(path)?.map(|dir| dir.node.clone())) };
        let Some(above) = self.dir(above)? else { return Ok(None) };
        Ok(match find(&above.parts, path)? {
            Found::Nothing => None,
            Found::File(node) => Some(*node),
            Found::Dir(dir) => {
                let node = dir.node.clone();
                self.known().insert(path.to_owned(), Some(dir));
                Some(node)
            }
        })
    }

    fn names(&self, path: &BStr) -> io::Result<Vec<BString>> {
        let Some(dir) = self.dir(path)? else { return Ok(Vec::new()) };
        // the topmost part that has a name decides whether it is there
        let mut names: HashMap<BString, bool> = HashMap::new();
        for part in &dir.parts {
            for entry in std::fs::read_dir(part)? {
                let entry = entry?;
                let name = BString::from(entry.file_name().into_vec());
                if let std::collections::hash_map::Entry::Vacant(slot) = names.entry(name) {
                    slot.insert(!marks::is_whiteout(&entry)?);
                }
            }
        }
        let mut names: Vec<BString> = names.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// Looks the last component of a path up in the parts of its directory, topmost first.
fn find(parts: &[PathBuf], path: &BStr) -> io::Result<Found> {
    let name = OsStr::from_bytes(tree::file_name(path));
    let mut top: Option<Box<Node>> = None;
    let mut dirs = Vec::new();
    for part in parts {
        let host = part.join(name);
        let node = match read_node(&host, path.to_owned()) {
            Ok(Some(OnDisk::Node(node) | OnDisk::Socket(node))) => node,
            Ok(Some(OnDisk::Whiteout)) => break,
            Ok(None) => continue,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(error),
        };
        if !node.is_dir() {
            if top.is_none() {
                return Ok(Found::File(node));
            }
            // a directory above hides a file below, and all that is under it
            break;
        }
        dirs.push(host);
        let opaque = node.opaque;
        top.get_or_insert(node);
        if opaque {
            break;
        }
    }
    Ok(match top {
        Some(node) => Found::Dir(Arc::new(Dir { node: *node, parts: dirs })),
        None => Found::Nothing,
    })
}
