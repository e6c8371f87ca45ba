//! The package index of a suite: read from `Packages`, kept in a form that loads without parsing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::deb822;
use crate::relation;
use crate::version;

/// The layout of [`Index`] on disk; another layout gets another number.
pub(crate) const SCHEMA: u32 = 1;

/// The fields that are kept, in the order of [`Field`].
const NAMES: [&str; KEPT] = [
    "Package",
    "Version",
    "Architecture",
    "Source",
    "Depends",
    "Pre-Depends",
    "Provides",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Recommends",
    "Priority",
    "Essential",
    "Multi-Arch",
    "Filename",
];
const KEPT: usize = 15;

#[derive(Clone, Copy)]
enum Field {
    Package,
    Version,
    Architecture,
    Source,
    Depends,
    PreDepends,
    Provides,
    Conflicts,
    Breaks,
    Replaces,
    Recommends,
    Priority,
    Essential,
    MultiArch,
    Filename,
}

/// The packages of one suite and architecture: one text that holds all values, and rows that point into it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    text: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Start and length in `text` of each kept field; empty where the package has none.
    spans: [(u32, u32); KEPT],
    size: u64,
    sha256: [u8; 32],
}

impl Index {
    /// Parses a `Packages` file. Packages without name, version, file name, size or digest are skipped: they could not
    /// be fetched. The error is a text that says what is wrong.
    pub fn parse(packages: &str) -> Result<Self, String> {
        if u32::try_from(packages.len()).is_err() {
            return Err("it is larger than 4 GiB".to_owned());
        }
        let mut index =
            Self { text: String::with_capacity(packages.len() / 2), rows: Vec::with_capacity(packages.len() / 800) };
        for paragraph in deb822::paragraphs(packages) {
            let mut row = Row { spans: [(0, 0); KEPT], size: 0, sha256: [0; 32] };
            let (mut has_size, mut has_digest) = (false, false);
            for (name, value) in paragraph.fields() {
                match name {
                    "Size" => {
                        row.size = value.parse().map_err(|_| format!("`{value}` is no size"))?;
                        has_size = true;
                    }
                    "SHA256" => {
                        row.sha256 = parse_hex(value).ok_or_else(|| format!("`{value}` is no SHA-256 digest"))?;
                        has_digest = true;
                    }
                    _ => {
                        if let Some(at) = NAMES.iter().position(|kept| *kept == name) {
                            row.spans[at] = (index.text.len() as u32, value.len() as u32);
                            index.text.push_str(value);
                        }
                    }
                }
            }
            let complete =
                [Field::Package, Field::Version, Field::Filename].iter().all(|field| row.spans[*field as usize].1 > 0);
            if complete && has_size && has_digest {
                index.rows.push(row);
            }
        }
        Ok(index)
    }

    /// Reads what [`Index::to_bytes`] wrote; `None` if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let index: Self = postcard::from_bytes(bytes).ok()?;
        let whole = |(start, length): &(u32, u32)| {
            index.text.get(*start as usize..(*start as usize).saturating_add(*length as usize)).is_some()
        };
        index.rows.iter().all(|row| row.spans.iter().all(whole)).then_some(index)
    }

    /// Returns the form that is kept on disk.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("an index holds nothing that postcard cannot write")
    }

    /// Returns the number of packages.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there is no package.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the packages in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.rows.iter().map(|row| Entry { text: &self.text, row })
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut raw = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in raw.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(raw)
}

/// One package of an index.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    text: &'a str,
    row: &'a Row,
}

impl<'a> Entry<'a> {
    fn field(self, field: Field) -> &'a str {
        let (start, length) = self.row.spans[field as usize];
        &self.text[start as usize..(start + length) as usize]
    }

    /// Returns the name.
    pub fn name(self) -> &'a str {
        self.field(Field::Package)
    }

    /// Returns the version.
    pub fn version(self) -> &'a str {
        self.field(Field::Version)
    }

    /// Returns the architecture, `all` for packages without machine code.
    pub fn architecture(self) -> &'a str {
        self.field(Field::Architecture)
    }

    /// Returns the name of the source package.
    pub fn source(self) -> &'a str {
        match self.field(Field::Source).split(' ').next() {
            Some(source) if !source.is_empty() => source,
            _ => self.name(),
        }
    }

    /// Returns the relations that must hold: `Pre-Depends`, then `Depends`.
    pub fn depends(self) -> impl Iterator<Item = Vec<relation::Relation<'a>>> {
        relation::parse(self.field(Field::PreDepends)).chain(relation::parse(self.field(Field::Depends)))
    }

    /// Returns the relations that are met when the recipe asks for it.
    pub fn recommends(self) -> impl Iterator<Item = Vec<relation::Relation<'a>>> {
        relation::parse(self.field(Field::Recommends))
    }

    /// Returns what must not be there: `Conflicts` and `Breaks`.
    pub fn conflicts(self) -> impl Iterator<Item = relation::Relation<'a>> {
        relation::parse(self.field(Field::Conflicts)).chain(relation::parse(self.field(Field::Breaks))).flatten()
    }

    /// Returns the virtual packages that this one provides, with the version where it has one.
    pub fn provides(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        relation::parse(self.field(Field::Provides))
            .flatten()
            .map(|relation| (relation.name, relation.version.map(|(_, v)| v)))
    }

    /// Returns the packages whose files this one may take over.
    pub fn replaces(self) -> &'a str {
        self.field(Field::Replaces)
    }

    /// Returns the priority (`required`, `optional`).
    pub fn priority(self) -> &'a str {
        self.field(Field::Priority)
    }

    /// Says whether every Debian system has this package.
    pub fn is_essential(self) -> bool {
        self.field(Field::Essential) == "yes"
    }

    /// Says whether the package can be installed for several architectures at once.
    pub fn is_multi_arch_same(self) -> bool {
        self.field(Field::MultiArch) == "same"
    }

    /// Returns the path of the package below the mirror.
    pub fn filename(self) -> &'a str {
        self.field(Field::Filename)
    }

    /// Returns the size of the package in bytes.
    pub fn size(self) -> u64 {
        self.row.size
    }

    /// Returns the digest of the package.
    pub fn digest(self) -> plim_oci::Digest {
        plim_oci::Digest::from_sha256(self.row.sha256)
    }
}

/// Names one package among those of all suites.
pub type Id = usize;

/// The packages of several suites, found by name and by what they provide.
#[derive(Debug)]
pub struct Universe<'a> {
    entries: Vec<(usize, Entry<'a>)>,
    /// Newest version first; of equal versions that of the earlier suite first.
    by_name: HashMap<&'a str, Vec<Id>>,
    by_provided: HashMap<&'a str, Vec<(Id, Option<&'a str>)>>,
}

impl<'a> Universe<'a> {
    /// Puts suites together; their order decides between equal versions.
    pub fn new(suites: impl IntoIterator<Item = &'a Index>) -> Self {
        let mut universe = Self { entries: Vec::new(), by_name: HashMap::new(), by_provided: HashMap::new() };
        for (suite, index) in suites.into_iter().enumerate() {
            universe.entries.reserve(index.len());
            universe.by_name.reserve(index.len());
            for entry in index.entries() {
                let id = universe.entries.len();
                universe.entries.push((suite, entry));
                universe.by_name.entry(entry.name()).or_default().push(id);
                for (name, version) in entry.provides() {
                    universe.by_provided.entry(name).or_default().push((id, version));
                }
            }
        }
        let Self { entries, by_name, by_provided } = &mut universe;
        for ids in by_name.values_mut().filter(|ids| ids.len() > 1) {
            ids.sort_by(|a, b| version::compare(entries[*b].1.version(), entries[*a].1.version()));
        }
        for ids in by_provided.values_mut() {
            // a stable, meaningful order among providers: the archive's priorities, then names, then newest first
            ids.sort_by(|(a, _), (b, _)| {
                let (a, b) = (entries[*a].1, entries[*b].1);
                rank(a.priority())
                    .cmp(&rank(b.priority()))
                    .then_with(|| a.name().cmp(b.name()))
                    .then_with(|| version::compare(b.version(), a.version()))
            });
        }
        universe
    }

    /// Returns a package.
    pub fn entry(&self, id: Id) -> Entry<'a> {
        self.entries[id].1
    }

    /// Returns the number of the suite that a package comes from.
    pub fn suite(&self, id: Id) -> usize {
        self.entries[id].0
    }

    /// Returns all versions of a package, newest first.
    pub fn versions(&self, name: &str) -> &[Id] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns who provides a name, and in which version.
    pub fn providers(&self, name: &str) -> &[(Id, Option<&'a str>)] {
        self.by_provided.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the newest version of every package that every system has, sorted by name: `Essential: yes` and
    /// `Priority: required`.
    pub fn required(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self
            .by_name
            .values()
            .map(|ids| self.entry(ids[0]))
            .filter(|entry| entry.is_essential() || entry.priority() == "required")
            .map(Entry::name)
            .collect();
        names.sort_unstable();
        names
    }
}

fn rank(priority: &str) -> usize {
    ["required", "important", "standard", "optional", "extra"].iter().position(|known| *known == priority).unwrap_or(5)
}

#[cfg(test)]
pub(crate) mod tests;
