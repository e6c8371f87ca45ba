//! Which package a file belongs to.

use std::collections::{HashMap, HashSet};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryKind;

use super::below;
use super::packages::Found;
use crate::facts::{FileList, GemRecord, ListKind, PackageRecord};
use crate::inventory::{Inventory, Package};
use crate::paths;

/// The top-level directories that a merged /usr has moved.
const MOVED: [&[u8]; 6] = [b"bin/", b"sbin/", b"lib/", b"lib32/", b"lib64/", b"libx32/"];

/// Fills in the files of every package and the owner of every file. A file that several packages hold belongs to the
/// first; the system's packages come before those of languages, so a distribution that a Debian package ships is known
/// as such.
pub(super) fn assign(inventory: &mut Inventory, found: Vec<Found<'_>>) {
    let (packages, records): (Vec<Package>, Vec<&PackageRecord>) =
        found.into_iter().map(|found| (found.package, found.record)).unzip();
    inventory.packages = packages;
    let files: Vec<Vec<BString>> = {
        let mut directories = directory_files(inventory, &records);
        let mut finder = Finder { inventory, lists: dpkg_lists(inventory), dirs: HashMap::new() };
        let numbered = inventory.packages.iter().zip(&records).enumerate();
        numbered
            .map(|(number, (package, record))| {
                finder.files(package, record, directories.remove(&number).unwrap_or_default())
            })
            .collect()
    };
    for (number, paths) in files.into_iter().enumerate() {
        inventory.packages[number].files = paths;
    }
    for system in [true, false] {
        let packages = inventory.packages.iter().enumerate();
        for (number, package) in packages.filter(|(_, package)| package.kind.is_system() == system) {
            for path in &package.files {
                if let Some(node) = inventory.nodes.get_mut(path) {
                    node.owner.get_or_insert(number);
                }
            }
        }
        assign_bytecode(inventory);
    }
    for number in 0..inventory.packages.len() {
        let package = &inventory.packages[number];
        if package.kind.is_system() {
            continue;
        }
        let metadata = ["METADATA", "PKG-INFO", "package.json", ""].map(|name| match name {
            "" => package.location.clone(),
            name => paths::join(package.location.as_bstr(), name.into()),
        });
        let owner = metadata.iter().find_map(|path| inventory.nodes.get(path)?.owner);
        let is_system = |owner: &usize| inventory.packages[*owner].kind.is_system();
        inventory.packages[number].within = owner.filter(is_system);
    }
}

/// Finds the files of packages that own directories: everything below one that is not below a deeper one.
fn directory_files(inventory: &Inventory, records: &[&PackageRecord]) -> HashMap<usize, Vec<BString>> {
    let mut directories: HashMap<BString, usize> = HashMap::new();
    for (number, (package, record)) in inventory.packages.iter().zip(records).enumerate() {
        match record {
            PackageRecord::Npm(_) => {
                directories.entry(package.location.clone()).or_insert(number);
            }
            PackageRecord::Gem(record) => {
                for directory in gem_directories(package, record) {
                    directories.entry(directory).or_insert(number);
                }
            }
            _ => {}
        }
    }
    let mut files: HashMap<usize, Vec<BString>> = HashMap::new();
    if directories.is_empty() {
        return files;
    }
    for (path, node) in &inventory.nodes {
        if node.head.kind == EntryKind::Dir {
            continue;
        }
        let mut directory = paths::split(path.as_bstr()).0;
        while !directory.is_empty() {
            if let Some(number) = directories.get(directory) {
                files.entry(*number).or_default().push(path.clone());
                break;
            }
            directory = paths::split(directory).0;
        }
    }
    files
}

/// Returns where a gem's files are: beside the directory of specifications, which default gems have one more of.
fn gem_directories(package: &Package, record: &GemRecord) -> Vec<BString> {
    let mut home = paths::split(package.location.as_bstr()).0;
    if paths::name(home) == "default" {
        home = paths::split(home).0;
    }
    let home = paths::split(home).0;
    let platform = if record.platform == "ruby" { String::new() } else { format!("-{}", record.platform) };
    let full = format!("gems/{}-{}{platform}", record.name, record.version);
    vec![paths::join(home, full.as_bytes().as_bstr())]
}

/// Gives compiled Python files, which are often made after the installation, to the owner of their source.
fn assign_bytecode(inventory: &mut Inventory) {
    let mut found: Vec<(BString, usize)> = Vec::new();
    for (path, node) in &inventory.nodes {
        if node.owner.is_some() || node.head.kind != EntryKind::File || !path.ends_with(b".pyc") {
            continue;
        }
        let (cache, name) = paths::split(path.as_bstr());
        let (dir, cache) = paths::split(cache);
        let module = name.split_str(".").next().unwrap_or_default();
        let source = paths::join(dir, [module, b".py"].concat().as_bstr());
        if cache == "__pycache__"
            && let Some(owner) = inventory.nodes.get(&source).and_then(|node| node.owner)
        {
            found.push((path.clone(), owner));
        }
    }
    for (path, owner) in found {
        if let Some(node) = inventory.nodes.get_mut(&path) {
            node.owner = Some(owner);
        }
        let files = &mut inventory.packages[owner].files;
        if let Err(at) = files.binary_search(&path) {
            files.insert(at, path);
        }
    }
}

/// The lists of dpkg's database by package name and, where the file name has one, architecture.
type Lists<'a> = HashMap<(&'a BStr, Option<&'a BStr>), Vec<&'a FileList>>;

fn dpkg_lists(inventory: &Inventory) -> Lists<'_> {
    let mut lists: Lists<'_> = HashMap::new();
    for dir in ["var/lib/dpkg/info", "var/lib/dpkg/status.d"] {
        for (path, node) in inventory.below(dir) {
            let Some(origin) = node.origin else { continue };
            let name = paths::name(path.as_bstr());
            let stem = name.rfind_byte(b'.').map_or(name, |dot| name[..dot].as_bstr());
            let key = match stem.split_once_str(":") {
                Some((name, architecture)) => (name.as_bstr(), Some(architecture.as_bstr())),
                None => (stem, None),
            };
            let found = inventory.indexes[origin.layer].file_lists_of(origin.entry);
            lists.entry(key).or_default().extend(found);
        }
    }
    lists
}

/// Finds the files of packages in the merged tree.
struct Finder<'a> {
    inventory: &'a Inventory,
    lists: Lists<'a>,
    /// Directories as listed, and as they are called in the tree.
    dirs: HashMap<BString, Option<BString>>,
}

impl Finder<'_> {
    /// Returns the files of a package that exist, by their paths in the tree, sorted.
    fn files(&mut self, package: &Package, record: &PackageRecord, below: Vec<BString>) -> Vec<BString> {
        let own = || package.location.clone();
        let mut files = match record {
            PackageRecord::Deb(_) => self.deb_files(package),
            PackageRecord::Apk(record) => self.existing(&record.files),
            PackageRecord::Rpm(record) => self.existing(&record.files),
            PackageRecord::Python(_) => self.python_files(package),
            PackageRecord::Npm(_) => below,
            PackageRecord::Gem(_) => below.into_iter().chain([own()]).collect(),
            // the program or archive belongs to what it is made of first of all
            PackageRecord::Java(record) if record.main && record.inside.is_empty() => vec![own()],
            PackageRecord::Go(record) if record.main => vec![own()],
            PackageRecord::Cargo(record) if record.root => vec![own()],
            PackageRecord::Java(_) | PackageRecord::Go(_) | PackageRecord::Cargo(_) => Vec::new(),
        };
        files.sort_unstable();
        files.dedup();
        files
    }

    fn deb_files(&mut self, package: &Package) -> Vec<BString> {
        let name: &BStr = package.name.as_bytes().as_bstr();
        let architecture = package.architecture.as_deref().map(|text| text.as_bytes().as_bstr());
        // the file of a distroless package may be named otherwise than the package
        let file: &BStr = paths::name(package.location.as_bstr());
        let keys = [(name, architecture), (name, None), (file, None)];
        let Some(lists) = keys.iter().find_map(|key| self.lists.get(key)).cloned() else { return Vec::new() };
        // md5sums leave out links and configuration, so they only stand in for a missing list
        let kind = if lists.iter().any(|list| list.kind == ListKind::DpkgList) {
            ListKind::DpkgList
        } else {
            ListKind::DpkgMd5sums
        };
        let listed = || lists.iter().filter(|list| list.kind == kind).flat_map(|list| &list.paths);
        // what has files below it is a directory to this package, though it may be a link here: `/bin`
        let dirs: HashSet<&BStr> = listed().map(|path| paths::split(path.as_bstr()).0).collect();
        self.existing(listed().filter(|path| !dirs.contains(path.as_bstr())))
    }

    fn python_files(&mut self, package: &Package) -> Vec<BString> {
        let location = package.location.as_bstr();
        let inventory = self.inventory;
        let list = |name: &str| {
            let origin = inventory.get(paths::join(location, name.into()))?.origin?;
            inventory.indexes[origin.layer].file_lists_of(origin.entry).last()
        };
        let mut files = match list("RECORD").or_else(|| list("installed-files.txt")) {
            Some(found) => self.existing(&found.paths),
            None => list("top_level.txt").map(|found| self.modules(&found.paths)).unwrap_or_default(),
        };
        match inventory.nodes.get(location).map(|node| node.head.kind) {
            Some(EntryKind::Dir) => files.extend(self.leaves_below(location)),
            Some(_) => files.push(location.to_owned()),
            None => {}
        }
        files
    }

    /// Returns the files of top-level modules and packages.
    fn modules(&mut self, names: &[BString]) -> Vec<BString> {
        let mut files = Vec::new();
        for name in names {
            files.extend(self.leaves_below(name.as_bstr()));
            // `name.py`, `name.cpython-313-x86_64-linux-gnu.so`
            let dotted = BString::from([name.as_bytes(), b"."].concat());
            let named = self.inventory.nodes.range(dotted.clone()..).take_while(|(path, _)| path.starts_with(&dotted));
            let modules = named.filter(|(path, node)| {
                node.head.kind != EntryKind::Dir
                    && (path.ends_with(b".py") || path.ends_with(b".so"))
                    && !path[dotted.len()..].contains(&b'/')
            });
            files.extend(modules.map(|(path, _)| path.clone()));
        }
        files
    }

    fn leaves_below(&self, dir: &BStr) -> impl Iterator<Item = BString> + use<'_> {
        below(&self.inventory.nodes, dir)
            .filter(|(_, node)| node.head.kind != EntryKind::Dir)
            .map(|(path, _)| path.clone())
    }

    fn existing<'p>(&mut self, listed: impl IntoIterator<Item = &'p BString>) -> Vec<BString> {
        listed.into_iter().filter_map(|path| self.find(path.as_bstr())).collect()
    }

    /// Finds a listed path: as it is, through links of its directories, or where a merged /usr has it although the
    /// link is gone.
    fn find(&mut self, path: &BStr) -> Option<BString> {
        if let Some(node) = self.inventory.nodes.get(path) {
            return (node.head.kind != EntryKind::Dir).then(|| path.to_owned());
        }
        if let Some(found) = self.through_links(path) {
            return Some(found);
        }
        let moved = if MOVED.iter().any(|dir| path.starts_with(dir)) {
            paths::join(b"usr".as_bstr(), path)
        } else {
            let rest = path.strip_prefix(b"usr/")?;
            MOVED.iter().any(|dir| rest.starts_with(dir)).then(|| rest.into())?
        };
        match self.inventory.nodes.get(&moved) {
            Some(node) => (node.head.kind != EntryKind::Dir).then_some(moved),
            None => self.through_links(moved.as_bstr()),
        }
    }

    fn through_links(&mut self, path: &BStr) -> Option<BString> {
        let (dir, name) = paths::split(path);
        if !self.dirs.contains_key(dir) {
            let resolved = self.inventory.resolve(dir);
            self.dirs.insert(dir.to_owned(), resolved);
        }
        let found = paths::join(self.dirs.get(dir)?.as_ref()?.as_bstr(), name);
        let node = self.inventory.nodes.get(&found)?;
        (node.head.kind != EntryKind::Dir).then_some(found)
    }
}
