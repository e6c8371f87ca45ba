//! What collectors write down. Every fact names its file by the position among the layer's entries.

use std::collections::BTreeMap;

use bstr::BString;
use serde::{Deserialize, Serialize};

mod records;

pub use records::{
    ApkRecord, CargoRecord, DebRecord, GemRecord, GoRecord, JavaEvidence, JavaRecord, NpmRecord, PackageFact,
    PackageRecord, PythonRecord, RpmRecord,
};

/// Where a list of files comes from, which says how to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListKind {
    /// dpkg `NAME.list`: files, links and directories.
    DpkgList,
    /// dpkg `NAME.md5sums`: regular files that are no configuration.
    DpkgMd5sums,
    /// Python `RECORD`.
    Record,
    /// setuptools `installed-files.txt`.
    InstalledFiles,
    /// setuptools `top_level.txt`: each path stands for a module file or a package directory.
    TopLevel,
}

/// The files that belong to a package, as its database lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    /// Position of the file that holds the list.
    pub entry: u32,
    /// What kind of list it is.
    pub kind: ListKind,
    /// The paths relative to the root of the image, normalised but with symbolic links as they are.
    pub paths: Vec<BString>,
}

/// The tool that installed a Python distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallerFact {
    /// Position of the `INSTALLER` file.
    pub entry: u32,
    /// Name of the tool, such as `pip` or `uv`.
    pub name: String,
}

/// The licences that a machine-readable Debian copyright file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyrightFact {
    /// Position of the file.
    pub entry: u32,
    /// Short names of the licences, sorted, each once.
    pub licenses: Vec<String>,
}

/// A `#!` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptFact {
    /// Position of the script.
    pub entry: u32,
    /// The interpreter's path, as written.
    pub interpreter: BString,
    /// The one argument that Linux hands to the interpreter.
    pub argument: Option<BString>,
}

/// An os-release(5) file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsReleaseFact {
    /// Position of the file.
    pub entry: u32,
    /// The assignments, unquoted.
    pub fields: BTreeMap<String, String>,
}

/// What an ELF file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElfKind {
    /// A program, position-independent or not.
    Executable,
    /// A shared library or plugin.
    Library,
    /// An object file or kernel module.
    Object,
    /// A core dump.
    Core,
    /// Anything else.
    Other,
}

/// A C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Libc {
    /// GNU libc.
    Glibc,
    /// musl.
    Musl,
}

/// The versions that an ELF file needs of one library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionNeed {
    /// Name of the library, as in `needed`.
    pub library: BString,
    /// Version names, such as `GLIBC_2.34`.
    pub versions: Vec<BString>,
}

/// What an ELF file says of itself (System V ABI, chapters 4 and 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFact {
    /// Position of the file.
    pub entry: u32,
    /// It begins like an ELF file but cannot be understood; the other fields hold what could be read.
    pub malformed: bool,
    /// What it is for.
    pub kind: ElfKind,
    /// 32 or 64.
    pub bits: u8,
    /// Byte order.
    pub little_endian: bool,
    /// `e_machine`, such as 62 for x86-64.
    pub machine: u16,
    /// The program interpreter (`PT_INTERP`).
    pub interpreter: Option<BString>,
    /// Libraries that must be there (`DT_NEEDED`), in order.
    pub needed: Vec<BString>,
    /// Its name as a library (`DT_SONAME`).
    pub soname: Option<BString>,
    /// Search path of the old kind (`DT_RPATH`), colon-separated.
    pub rpath: Option<BString>,
    /// Search path (`DT_RUNPATH`), colon-separated.
    pub runpath: Option<BString>,
    /// Libraries named by `DT_AUXILIARY` and `DT_FILTER`.
    pub filters: Vec<BString>,
    /// Symbol versions that it needs.
    pub version_needs: Vec<VersionNeed>,
    /// Symbol versions that it offers.
    pub version_definitions: Vec<BString>,
    /// A program that needs neither interpreter nor library.
    pub static_linked: bool,
    /// There is no symbol table beside the dynamic one.
    pub stripped: bool,
    /// Bytes of debugging sections.
    pub debug_bytes: u64,
    /// Bytes of the symbol table and its strings.
    pub symbol_bytes: u64,
    /// The C library that it names, if any.
    pub libc: Option<Libc>,
    /// GNU build id, in hex.
    pub build_id: Option<String>,
    /// Words in its read-only data and `dlopen` notes that look like names of shared libraries: what it
    /// may load while it runs.
    pub mentions: Vec<BString>,
}

/// Bytes of a text file that look like a secret. The bytes themselves are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFact {
    /// Position of the file.
    pub entry: u32,
    /// The rule that recognised it, a short stable name such as `github-token`.
    pub rule: String,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u32,
}
