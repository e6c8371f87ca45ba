//! ELF files: what they need to run, and what of them only debuggers need.

use std::cell::Cell;
use std::fs::File;

use bstr::BString;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable};
use object::{Endianness, ReadCache};
use plim_oci::EntryHead;

use self::mentions::Mentions;
use super::{Collector, Want};
use crate::facts::{ElfFact, ElfKind, Libc, PackageFact, PackageRecord, VersionNeed};
use crate::{LayerIndex, MAX_WHOLE};

mod mentions;
mod programs;

/// How many names of each kind are kept of one file. The largest real libraries define a few hundred versions.
const MAX_NAMES: usize = 4096;

/// The longest name or search path that is believed (`PATH_MAX`). Many entries may share one long string, so without
/// it a small file could fill the memory.
const MAX_NAME: u64 = 4096;

/// How much of one file's read-only data is searched for names of libraries.
const MAX_SEARCHED: u64 = 256 * 1024 * 1024;

/// Reads the headers and the dynamic section of ELF files.
pub(super) struct Elf;

impl Collector for Elf {
    fn name(&self) -> &'static str {
        "elf"
    }

    fn wants(&self, _head: &EntryHead) -> Want {
        Want::Magic(b"\x7fELF")
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        push(index, content);
    }

    fn take_file(&self, _head: &EntryHead, content: &mut File, index: &mut LayerIndex) {
        let cache = ReadCache::new(&*content);
        let left = Cell::new(MAX_WHOLE as u64);
        push(index, Bounded { cache: &cache, left: &left });
    }
}

/// Writes down what a file says of itself and of the packages that it was built from.
fn push<'a, R: ReadRef<'a>>(index: &mut LayerIndex, data: R) {
    let entry = index.current();
    let mut packages = Vec::new();
    index.elves.push(fact(entry, data, &mut packages));
    index.packages.extend(packages.into_iter().map(|record| PackageFact { entry, record }));
}

/// A large file of which only so many bytes are held in memory: a hostile file cannot claim tables of any size.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    cache: &'a ReadCache<&'a File>,
    left: &'a Cell<u64>,
}

impl<'a> ReadRef<'a> for Bounded<'a> {
    fn len(self) -> Result<u64, ()> {
        self.cache.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.left.set(self.left.get().checked_sub(size).ok_or(())?);
        self.cache.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: std::ops::Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.left.set(self.left.get().checked_sub(256).ok_or(())?);
        self.cache.read_bytes_at_until(range, delimiter)
    }
}

/// Reads what can be read of a file that begins with the magic bytes.
fn fact<'a, R: ReadRef<'a>>(entry: u32, data: R, packages: &mut Vec<PackageRecord>) -> ElfFact {
    let mut fact = ElfFact {
        entry,
        malformed: false,
        kind: ElfKind::Other,
        bits: 0,
        little_endian: true,
        machine: 0,
        interpreter: None,
        needed: Vec::new(),
        soname: None,
        rpath: None,
        runpath: None,
        filters: Vec::new(),
        version_needs: Vec::new(),
        version_definitions: Vec::new(),
        static_linked: false,
        stripped: true,
        debug_bytes: 0,
        symbol_bytes: 0,
        libc: None,
        build_id: None,
        mentions: Vec::new(),
    };
    let read = match data.read_bytes_at(4, 1) {
        Ok([1]) => read::<elf::FileHeader32<Endianness>, R>(data, &mut fact, packages),
        Ok([2]) => read::<elf::FileHeader64<Endianness>, R>(data, &mut fact, packages),
        _ => None,
    };
    fact.malformed = read.is_none();
    fact
}

/// Fills in the facts as far as the file makes sense; `None` when it stops making sense.
fn read<'a, H, R>(data: R, fact: &mut ElfFact, packages: &mut Vec<PackageRecord>) -> Option<()>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    fact.bits = if header.is_class_64() { 64 } else { 32 };
    fact.little_endian = header.is_little_endian();
    fact.machine = header.e_machine(endian).0;

    let segments = header.program_headers(endian, data).ok()?;
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data).ok()? {
            fact.interpreter = Some(name(path)?);
        }
    }
    let pie = dynamic::<H, R>(segments, endian, data, fact)?;
    fact.kind = match header.e_type(endian) {
        elf::ET_EXEC => ElfKind::Executable,
        elf::ET_REL => ElfKind::Object,
        elf::ET_CORE => ElfKind::Core,
        elf::ET_DYN if pie => ElfKind::Executable,
        // libraries such as libc.so.6 may be run too, and have an interpreter for it
        elf::ET_DYN if fact.soname.is_none() && fact.interpreter.is_some() => ElfKind::Executable,
        elf::ET_DYN => ElfKind::Library,
        _ => ElfKind::Other,
    };
    fact.static_linked = fact.kind == ElfKind::Executable && fact.interpreter.is_none() && fact.needed.is_empty();
    fact.libc = libc(fact);

    let sections = header.sections(endian, data).ok()?;
    sizes::<H, R>(&sections, endian, data, fact);
    programs::read::<H, R>(segments, &sections, endian, data, packages);
    versions::<H, R>(&sections, endian, data, fact)?;
    notes::<H, R>(&sections, endian, data, fact)?;
    Some(())
}

/// Reads the dynamic segment, by segments alone: section headers may be stripped. Returns whether the file says
/// that it is a position-independent program.
fn dynamic<'a, H, R>(segments: &'a [H::ProgramHeader], endian: Endianness, data: R, fact: &mut ElfFact) -> Option<bool>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let Some(segment) = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC) else {
        return Some(false);
    };
    let items: &[H::Dyn] = segment.dynamic(endian, data).ok()??;
    let items = || items.iter().take_while(|item| item.tag(endian) != elf::DT_NULL);
    let value = |tag| items().find(|item| item.tag(endian) == tag).map(|item| item.val(endian));
    let pie = value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_PIE.0 != 0);

    let Some(table) = value(elf::DT_STRTAB) else {
        return Some(pie);
    };
    let start = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
        let within = table.checked_sub(segment.p_vaddr(endian).into())?;
        (within < segment.p_filesz(endian).into()).then(|| segment.p_offset(endian).into().checked_add(within))?
    })?;
    let end = start.saturating_add(value(elf::DT_STRSZ).unwrap_or(u64::MAX)).min(data.len().ok()?);
    let string = |offset: u64| {
        let at = start.checked_add(offset).filter(|at| *at < end)?;
        data.read_bytes_at_until(at..end.min(at.saturating_add(MAX_NAME)), 0).ok()
    };
    for item in items().filter(|item| item.tag(endian) == elf::DT_NEEDED).take(MAX_NAMES) {
        fact.needed.push(string(item.val(endian))?.into());
    }
    for item in items().filter(|item| matches!(item.tag(endian), elf::DT_AUXILIARY | elf::DT_FILTER)).take(MAX_NAMES) {
        fact.filters.push(string(item.val(endian))?.into());
    }
    let text = |tag| value(tag).map_or(Some(None), |offset| string(offset).map(|text| Some(text.into())));
    fact.soname = text(elf::DT_SONAME)?;
    fact.rpath = text(elf::DT_RPATH)?;
    fact.runpath = text(elf::DT_RUNPATH)?;
    Some(pie)
}

/// Tells the C library by the names of the interpreter and the needed libraries.
fn libc(fact: &ElfFact) -> Option<Libc> {
    let interpreter = fact.interpreter.as_ref().map(|path| crate::paths::name(path.as_ref()));
    let names = fact.needed.iter().chain(&fact.soname).map(AsRef::as_ref).chain(interpreter);
    for name in names {
        let name: &bstr::BStr = name;
        if name.starts_with(b"libc.so.6")
            || name.starts_with(b"ld-linux")
            || *name == "ld64.so.1"
            || *name == "ld64.so.2"
        {
            return Some(Libc::Glibc);
        }
        if name.starts_with(b"libc.musl-") || name.starts_with(b"ld-musl-") || *name == "libc.so" {
            return Some(Libc::Musl);
        }
    }
    None
}

/// Adds up what stripping would take away.
fn sizes<'a, H, R>(sections: &SectionTable<'a, H, R>, endian: Endianness, data: R, fact: &mut ElfFact)
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let length = data.len().unwrap_or(0);
    let mut symbols_strings = None;
    for section in sections.iter() {
        let bytes = section.file_range(endian).map_or(0, |(start, size)| size.min(length.saturating_sub(start)));
        let name = sections.section_name(endian, section).unwrap_or_default();
        if section.sh_type(endian) == elf::SHT_SYMTAB {
            fact.stripped = false;
            fact.symbol_bytes = fact.symbol_bytes.saturating_add(bytes);
            symbols_strings = Some(section.sh_link(endian));
        } else if name.starts_with(b".debug_") || name.starts_with(b".zdebug_") || name == b".gdb_index" {
            fact.debug_bytes = fact.debug_bytes.saturating_add(bytes);
        }
    }
    let strings = symbols_strings.and_then(|link| sections.section(object::SectionIndex(link as usize)).ok());
    if let Some((start, size)) = strings.and_then(|section| section.file_range(endian)) {
        fact.symbol_bytes = fact.symbol_bytes.saturating_add(size.min(length.saturating_sub(start)));
    }
    fact.debug_bytes = fact.debug_bytes.min(length);
    fact.symbol_bytes = fact.symbol_bytes.min(length);
}

/// Reads the symbol versions that the file needs and offers.
fn versions<'a, H, R>(sections: &SectionTable<'a, H, R>, endian: Endianness, data: R, fact: &mut ElfFact) -> Option<()>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let mut left = MAX_NAMES;
    if let Some((mut needs, link)) = sections.gnu_verneed(endian, data).ok()? {
        let strings = sections.strings(endian, data, link).ok()?;
        while let Some((need, mut versions)) = needs.next().ok()? {
            let mut names = Vec::new();
            while let Some(version) = versions.next().ok()? {
                left = left.checked_sub(1)?;
                names.push(name(version.name(endian, strings).ok()?)?);
            }
            left = left.checked_sub(1)?;
            let library = name(need.file(endian, strings).ok()?)?;
            fact.version_needs.push(VersionNeed { library, versions: names });
        }
    }
    if let Some((mut definitions, link)) = sections.gnu_verdef(endian, data).ok()? {
        let strings = sections.strings(endian, data, link).ok()?;
        while let Some((definition, mut names)) = definitions.next().ok()? {
            // the base definition repeats the name of the library
            if definition.vd_flags.get(endian).0 & elf::VER_FLG_BASE.0 != 0 {
                continue;
            }
            // the first name is the version's own, the others are those that it builds on
            if let Some(first) = names.next().ok()? {
                left = left.checked_sub(1)?;
                fact.version_definitions.push(name(first.name(endian, strings).ok()?)?);
            }
        }
    }
    Some(())
}

/// Reads the build id, and searches read-only data for names of libraries.
fn notes<'a, H, R>(sections: &SectionTable<'a, H, R>, endian: Endianness, data: R, fact: &mut ElfFact) -> Option<()>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let mut mentions = Mentions::new(MAX_NAMES);
    let mut searched = 0;
    for section in sections.iter() {
        let name = sections.section_name(endian, section).unwrap_or_default();
        if name == b".note.gnu.build-id" {
            let mut notes = section.notes(endian, data).ok()??;
            while let Some(note) = notes.next().ok()? {
                if note.name() == elf::ELF_NOTE_GNU
                    && note.n_type(endian) == elf::NT_GNU_BUILD_ID
                    && note.desc().len() <= 64
                {
                    fact.build_id = Some(hex(note.desc()));
                }
            }
        }
        let readable = name == b".rodata" || name.starts_with(b".rodata.") || name == b".note.dlopen";
        if let Some((start, size)) = section.file_range(endian).filter(|_| readable) {
            let end = start.saturating_add(size).min(data.len().ok()?);
            mentions.search(data, start..end.min(start.saturating_add(MAX_SEARCHED - searched)));
            searched = (searched + size).min(MAX_SEARCHED);
        }
    }
    fact.mentions = mentions.finish();
    Some(())
}

/// Keeps a name of believable length.
fn name(bytes: &[u8]) -> Option<BString> {
    (bytes.len() as u64 <= MAX_NAME).then(|| bytes.into())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nonsense_after_the_magic_is_malformed() {
        assert!(fact(7, &b"\x7fELF"[..], &mut Vec::new()).malformed);
        assert!(
            fact(
                7,
                &b"\x7fELF\x02\x01\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..],
                &mut Vec::new()
            )
            .malformed
        );
    }

    /// The program that runs this test is an ELF file at hand, if this is Linux.
    fn own_program() -> Option<Vec<u8>> {
        std::fs::read(std::env::current_exe().ok()?).ok().filter(|bytes| bytes.starts_with(b"\x7fELF"))
    }

    #[test]
    fn a_real_program_tells_what_it_needs_whether_in_memory_or_in_a_file() {
        let Some(bytes) = own_program() else {
            println!("skipped: the test program is no ELF file");
            return;
        };
        let fact = fact(0, &bytes[..], &mut Vec::new());
        assert!(!fact.malformed);
        assert_eq!(fact.kind, ElfKind::Executable);
        assert!(!fact.stripped && fact.symbol_bytes > 0 && fact.debug_bytes > 0);
        assert!(fact.static_linked || !fact.needed.is_empty());

        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        let mut index = LayerIndex::empty();
        Elf.take_file(&EntryHead::new("x", plim_oci::EntryKind::File, 0o755), &mut file, &mut index);
        assert_eq!(index.elves[0].needed, fact.needed);
        assert_eq!(index.elves[0].version_needs, fact.version_needs);
    }

    proptest! {
        #[test]
        fn damaged_headers_never_panic(damage in prop::collection::vec((0usize..4096, any::<u8>()), 1..40), cut in 64usize..60000) {
            static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| own_program().unwrap_or_default());
            let mut bytes = PROGRAM[..PROGRAM.len().min(cut)].to_vec();
            for (at, value) in damage {
                if let Some(byte) = bytes.get_mut(at.max(4)) {
                    *byte = value;
                }
            }
            let _ = fact(0, &bytes[..], &mut Vec::new());
        }
    }
}
