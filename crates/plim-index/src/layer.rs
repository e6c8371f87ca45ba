//! The index of one layer.

use std::fmt;

use bstr::BString;
use plim_oci::{Digest, EntryHead};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::facts::{
    CopyrightFact, ElfFact, FileList, InstallerFact, OsReleaseFact, PackageFact, ScriptFact, SecretFact,
};

/// The version of [`LayerIndex`] and of what the collectors write into it. It is raised whenever either
/// changes, so an index of another version is never read; a test over a fixed layer guards it.
pub const SCHEMA: u32 = 4;

/// What one read of a layer found: facts, never judgements. Facts name their file by its position in
/// [`entries`](Self::entries) and stand in the order of the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerIndex {
    /// Version of this structure, [`SCHEMA`].
    pub schema: u32,
    /// Digest of the uncompressed layer tar.
    pub diff_id: Digest,
    /// Size of the uncompressed layer tar in bytes.
    pub size: u64,
    /// The entries as they stand in the tar, without whiteouts.
    pub entries: Vec<Entry>,
    /// What the layer takes away from those below it.
    pub whiteouts: Vec<Whiteout>,
    /// Records of package databases.
    pub packages: Vec<PackageFact>,
    /// Lists of the files that belong to packages.
    pub file_lists: Vec<FileList>,
    /// Which tool installed a Python distribution.
    pub installers: Vec<InstallerFact>,
    /// Licences named in Debian copyright files.
    pub copyrights: Vec<CopyrightFact>,
    /// ELF files.
    pub elves: Vec<ElfFact>,
    /// Files that begin with `#!`.
    pub scripts: Vec<ScriptFact>,
    /// Operating system identification files.
    pub os_releases: Vec<OsReleaseFact>,
    /// What looks like a secret.
    pub secrets: Vec<SecretFact>,
    /// Files that a collector wanted to read but that are too large.
    pub skipped: Vec<Skipped>,
}

impl LayerIndex {
    /// Returns the index of a layer of which nothing has been read.
    pub(crate) fn empty() -> Self {
        Self {
            schema: SCHEMA,
            diff_id: Digest::of(b""),
            size: 0,
            entries: Vec::new(),
            whiteouts: Vec::new(),
            packages: Vec::new(),
            file_lists: Vec::new(),
            installers: Vec::new(),
            copyrights: Vec::new(),
            elves: Vec::new(),
            scripts: Vec::new(),
            os_releases: Vec::new(),
            secrets: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Returns the position of the entry that collectors are looking at: the last one.
    pub fn current(&self) -> u32 {
        u32::try_from(self.entries.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Returns how many facts there are of each kind.
    pub(crate) fn mark(&self) -> Mark {
        Mark([
            self.packages.len(),
            self.file_lists.len(),
            self.installers.len(),
            self.copyrights.len(),
            self.elves.len(),
            self.scripts.len(),
            self.os_releases.len(),
            self.secrets.len(),
        ])
    }

    /// Returns the bytes that the facts written since then take when stored.
    pub(crate) fn weight_since(&self, mark: &Mark) -> usize {
        let Mark([packages, lists, installers, copyrights, elves, scripts, os_releases, secrets]) = *mark;
        weight(&self.packages[packages..])
            + weight(&self.file_lists[lists..])
            + weight(&self.installers[installers..])
            + weight(&self.copyrights[copyrights..])
            + weight(&self.elves[elves..])
            + weight(&self.scripts[scripts..])
            + weight(&self.os_releases[os_releases..])
            + weight(&self.secrets[secrets..])
    }

    /// Takes back the facts written since then.
    pub(crate) fn roll_back(&mut self, mark: &Mark) {
        let Mark([packages, lists, installers, copyrights, elves, scripts, os_releases, secrets]) = *mark;
        self.packages.truncate(packages);
        self.file_lists.truncate(lists);
        self.installers.truncate(installers);
        self.copyrights.truncate(copyrights);
        self.elves.truncate(elves);
        self.scripts.truncate(scripts);
        self.os_releases.truncate(os_releases);
        self.secrets.truncate(secrets);
    }

    /// Says whether a collector did not get an entry that it wanted.
    pub(crate) fn is_skipped(&self, entry: u32) -> bool {
        !run(&self.skipped, entry, |skipped| skipped.entry).is_empty()
    }

    /// Adds what another index says of one of its files, as facts about the current entry.
    pub(crate) fn take_over(&mut self, other: &Self, entry: u32) {
        let here = self.current();
        /// Copies the facts of an entry of a list.
        macro_rules! copy {
            ($($list:ident),*) => {$(
                self.$list.extend(run(&other.$list, entry, |fact| fact.entry).iter().map(|fact| {
                    let mut fact = fact.clone();
                    fact.entry = here;
                    fact
                }));
            )*};
        }
        copy!(packages, file_lists, installers, copyrights, elves, scripts, os_releases, secrets);
    }

    /// Returns the package records that an entry holds.
    pub fn packages_of(&self, entry: u32) -> &[PackageFact] {
        run(&self.packages, entry, |fact| fact.entry)
    }

    /// Returns the file lists that an entry holds.
    pub fn file_lists_of(&self, entry: u32) -> &[FileList] {
        run(&self.file_lists, entry, |fact| fact.entry)
    }

    /// Returns what an entry says of the tool that installed its distribution.
    pub fn installer_of(&self, entry: u32) -> Option<&InstallerFact> {
        run(&self.installers, entry, |fact| fact.entry).last()
    }

    /// Returns the licences that an entry names.
    pub fn copyright_of(&self, entry: u32) -> Option<&CopyrightFact> {
        run(&self.copyrights, entry, |fact| fact.entry).last()
    }

    /// Returns what is known of an entry as an ELF file.
    pub fn elf_of(&self, entry: u32) -> Option<&ElfFact> {
        run(&self.elves, entry, |fact| fact.entry).last()
    }

    /// Returns what is known of an entry as a script.
    pub fn script_of(&self, entry: u32) -> Option<&ScriptFact> {
        run(&self.scripts, entry, |fact| fact.entry).last()
    }

    /// Returns an entry's operating system identification.
    pub fn os_release_of(&self, entry: u32) -> Option<&OsReleaseFact> {
        run(&self.os_releases, entry, |fact| fact.entry).last()
    }

    /// Returns what looks like a secret in an entry.
    pub fn secrets_of(&self, entry: u32) -> &[SecretFact] {
        run(&self.secrets, entry, |fact| fact.entry)
    }
}

/// A moment while an index is written.
pub(crate) struct Mark([usize; 8]);

fn weight<T: Serialize>(facts: &[T]) -> usize {
    facts.iter().map(|fact| postcard::experimental::serialized_size(fact).unwrap_or(0)).sum()
}

/// Returns the facts of one entry, out of facts that stand in the order of the entries.
fn run<T>(facts: &[T], entry: u32, key: impl Fn(&T) -> u32) -> &[T] {
    let start = facts.partition_point(|fact| key(fact) < entry);
    let length = facts[start..].partition_point(|fact| key(fact) == entry);
    &facts[start..start + length]
}

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its metadata.
    pub head: EntryHead,
    /// Digest of the content, for regular files.
    pub digest: Option<ContentDigest>,
}

/// Something that a layer takes away (OCI image layer specification, "Whiteouts").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whiteout {
    /// What is taken away; for an opaque whiteout the directory whose lower children are.
    pub path: BString,
    /// Everything below the directory goes, the directory stays.
    pub opaque: bool,
    /// How many of the layer's entries stand before it.
    pub at: u32,
}

/// A file that a collector wanted whole and did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Position of the file among the entries.
    pub entry: u32,
    /// The collector's name.
    pub collector: String,
}

/// The SHA-256 digest of a file's content; 32 bytes where [`Digest`] is a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentDigest(pub [u8; 32]);

impl ContentDigest {
    /// Returns the digest as text, `sha256:…`.
    pub fn to_digest(self) -> Digest {
        Digest::from_sha256(self.0)
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_digest().as_str())
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ContentDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for ContentDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let digest = Digest::deserialize(deserializer)?;
        let hex = digest.hex().as_bytes();
        if digest.algorithm() != "sha256" {
            return Err(serde::de::Error::custom("a content digest is sha256"));
        }
        let nibble = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
        Ok(Self(std::array::from_fn(|i| nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]))))
    }
}
