//! Which programs need a file: directly, and by way of others from the start command on.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use bstr::{BStr, BString, ByteSlice};
use plim_index::facts::ElfFact;
use plim_index::{Inventory, Node};
use plim_oci::Image;

use super::{Need, SHOWN};

/// How many files are looked at on the way.
const MAX_SEEN: usize = 50_000;

/// Where the loader looks when a program does not say where (ld.so(8)); what lies elsewhere is taken as listed in
/// /etc/ld.so.conf.
const LIBRARY_DIRS: [&str; 6] = ["lib/", "usr/lib/", "lib64/", "usr/lib64/", "usr/local/lib/", "usr/local/lib64/"];

/// The search path of a container that sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// ELF files that need a library by its file name or its own name.
pub(super) fn library_of(inventory: &Inventory, path: &BString) -> Vec<String> {
    let Some(node) = inventory.lookup(path) else { return Vec::new() };
    let mut names: Vec<&[u8]> = vec![file_name(path.as_bstr())];
    if let Some(soname) = inventory.elf(node).and_then(|elf| elf.soname.as_ref()) {
        names.push(soname);
    }
    let users = inventory.nodes.iter().filter(|(_, node)| {
        let elf = inventory.elf(node);
        elf.is_some_and(|elf| elf.needed.iter().any(|needed| names.contains(&needed.as_slice())))
    });
    users.map(|(path, _)| format!("/{path}")).take(SHOWN).collect()
}

/// Scripts that name a file as their interpreter.
pub(super) fn interpreter_of(inventory: &Inventory, path: &BString) -> Vec<String> {
    let scripts = inventory.nodes.iter().filter(|(_, node)| {
        let script = inventory.script(node);
        script.is_some_and(|script| inventory.resolve(&script.interpreter).as_ref() == Some(path))
    });
    scripts.map(|(path, _)| format!("/{path}")).take(SHOWN).collect()
}

/// Finds the shortest way from the start command to one of the wanted files; empty when there is none.
pub(super) fn from_start(image: &Image, inventory: &Inventory, wanted: &[BString]) -> Vec<Need> {
    let wanted: HashSet<&BString> = wanted.iter().collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let search = Search::of(image, inventory);
    let mut came: HashMap<BString, (Option<BString>, &'static str)> = HashMap::new();
    let mut queue = VecDeque::new();
    for (path, how) in search.starts(image) {
        if !came.contains_key(&path) {
            came.insert(path.clone(), (None, how));
            queue.push_back(path);
        }
    }
    while let Some(path) = queue.pop_front() {
        if wanted.contains(&path) {
            let way = std::iter::successors(Some(path), |path| came.get(path).and_then(|(before, _)| before.clone()));
            let mut way: Vec<Need> = way
                .map(|path| Need {
                    how: came.get(&path).map_or("start", |(_, how)| how).to_owned(),
                    path: format!("/{path}"),
                })
                .collect();
            way.reverse();
            return way;
        }
        for (next, how) in search.needs(&path) {
            if came.len() < MAX_SEEN && !came.contains_key(&next) {
                came.insert(next.clone(), (Some(path.clone()), how));
                queue.push_back(next);
            }
        }
    }
    Vec::new()
}

/// Finds what files need.
struct Search<'a> {
    inventory: &'a Inventory,
    /// `PATH` of the container.
    path: String,
    /// Shared libraries by file name.
    libraries: HashMap<&'a [u8], Vec<&'a BString>>,
}

impl<'a> Search<'a> {
    fn of(image: &Image, inventory: &'a Inventory) -> Self {
        let env = &image.config.config.env;
        let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH).to_owned();
        let mut libraries: HashMap<&[u8], Vec<&BString>> = HashMap::new();
        for path in inventory.nodes.keys() {
            let name = file_name(path.as_bstr());
            if name.contains_str(".so") {
                libraries.entry(name).or_default().push(path);
            }
        }
        Self { inventory, path, libraries }
    }

    /// Returns what the start command names: its program, and the arguments that are files of the image.
    fn starts(&self, image: &Image) -> Vec<(BString, &'static str)> {
        let config = &image.config.config;
        let mut words: Vec<&str> = Vec::new();
        for list in [&config.entrypoint, &config.cmd].into_iter().flatten() {
            words.extend(list.iter().map(String::as_str));
        }
        let mut found = Vec::new();
        let Some((program, arguments)) = words.split_first() else { return found };
        found.extend(self.program(program, &config.working_dir).map(|path| (path, "start")));
        let shell = matches!(arguments.first(), Some(&"-c"));
        for argument in arguments {
            // of a shell's text the words that name programs or files
            let words = if shell { argument.split_whitespace().collect() } else { vec![*argument] };
            for word in words.into_iter().take(64) {
                let word = word.trim_matches(|c| matches!(c, '"' | '\'' | ';' | '(' | ')' | '&' | '|'));
                let program = shell.then(|| self.program(word, &config.working_dir)).flatten();
                let file = || self.file(word, &config.working_dir);
                found.extend(program.or_else(file).map(|path| (path, "argument")));
            }
        }
        found
    }

    fn program(&self, name: &str, working_dir: &str) -> Option<BString> {
        if name.contains('/') && !name.starts_with('/') {
            return self.file(name, working_dir);
        }
        (!name.is_empty()).then(|| self.inventory.which(name, &self.path))?.map(|(_, file)| file)
    }

    /// A file that a word names, from the working directory.
    fn file(&self, word: &str, working_dir: &str) -> Option<BString> {
        let path = if word.starts_with('/') { word.to_owned() } else { format!("{working_dir}/{word}") };
        let found = self.inventory.resolve(&path)?;
        let is_file = self.inventory.get(&found)?.head.kind == plim_oci::EntryKind::File;
        (is_file && !word.is_empty()).then_some(found)
    }

    /// Returns the files that a file needs to run.
    fn needs(&self, path: &BString) -> Vec<(BString, &'static str)> {
        let Some(node) = self.inventory.get(path) else { return Vec::new() };
        let mut needs = Vec::new();
        if let Some(script) = self.inventory.script(node) {
            needs.extend(self.inventory.resolve(&script.interpreter).map(|path| (path, "interpreter")));
            let env = file_name(script.interpreter.as_bstr()) == b"env";
            let argument = script.argument.as_ref().filter(|_| env).and_then(|argument| argument.to_str().ok());
            // `-S` and assignments stand before the program
            let mut words = argument.unwrap_or_default().split_whitespace();
            let program = words.find(|word| !word.starts_with('-') && !word.contains('='));
            needs.extend(program.and_then(|program| self.program(program, "")).map(|path| (path, "interpreter")));
        }
        if let Some(elf) = self.inventory.elf(node) {
            let loader = elf.interpreter.as_ref().and_then(|loader| self.inventory.resolve(loader));
            needs.extend(loader.map(|path| (path, "interpreter")));
            let libraries = |names: &[BString], how: &'static str| -> Vec<(BString, &'static str)> {
                names.iter().filter_map(|name| Some((self.library(path, elf, name)?, how))).collect()
            };
            needs.extend(libraries(&elf.needed, "library"));
            needs.extend(libraries(&elf.filters, "library"));
            needs.extend(libraries(&elf.mentions, "mentioned"));
        }
        needs
    }

    /// Finds a library as the loader does, as far as files tell.
    fn library(&self, user: &BString, elf: &ElfFact, name: &BString) -> Option<BString> {
        if name.contains(&b'/') {
            return self.inventory.resolve(name);
        }
        let origin = user.rfind_byte(b'/').map_or(&b""[..], |slash| &user[..slash]);
        for list in [&elf.runpath, &elf.rpath].into_iter().flatten() {
            for dir in list.split_str(":").take(64).filter(|dir| !dir.is_empty()) {
                let dir = dir.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
                let found = self.inventory.resolve(bstr::concat([&dir[..], b"/", name.as_slice()]));
                if let Some(found) = found.filter(|found| self.fits(elf, found)) {
                    return Some(found);
                }
            }
        }
        let places = self.libraries.get(name.as_slice())?;
        let rank = |path: &BString| {
            let dir = LIBRARY_DIRS.iter().any(|dir| path.starts_with(dir.as_bytes()));
            (!dir, path.find_iter("/").count())
        };
        let places: BTreeSet<((bool, usize), &BString)> = places.iter().map(|path| (rank(path), *path)).collect();
        places.into_iter().find_map(|(_, path)| self.inventory.resolve(path).filter(|found| self.fits(elf, found)))
    }

    /// Says whether a file is for the same kind of machine.
    fn fits(&self, user: &ElfFact, path: &BString) -> bool {
        let elf = self.inventory.get(path).and_then(|node: &Node| self.inventory.elf(node));
        elf.is_some_and(|elf| (elf.machine, elf.bits) == (user.machine, user.bits))
    }
}

fn file_name(path: &BStr) -> &[u8] {
    path.rsplit_str("/").next().unwrap_or(path)
}
