//! What compilers write into programs about the packages that they were built from.

use object::Endianness;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};

use super::super::{cargo, go};
use crate::facts::PackageRecord;

/// Reads the lists of packages that compilers leave in programs.
pub(super) fn read<'a, H, R>(
    segments: &[H::ProgramHeader],
    sections: &SectionTable<'a, H, R>,
    endian: Endianness,
    data: R,
    packages: &mut Vec<PackageRecord>,
) where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'a>,
{
    let find = |name: &[u8]| sections.section_by_name(endian, name)?.1.file_range(endian);
    if let Some((start, size)) = find(cargo::SECTION).filter(|(_, size)| *size <= cargo::MAX_SECTION)
        && let Ok(section) = data.read_bytes_at(start, size)
    {
        packages.extend(cargo::records(section).into_iter().map(|record| PackageRecord::Cargo(Box::new(record))));
    }
    let loads = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    // without sections it is at the beginning of what the program may write to
    let writable = || {
        let mut data = loads.clone().filter(|segment| segment.p_flags(endian).0 & elf::PF_W.0 != 0);
        data.next().filter(|_| sections.is_empty()).map(|segment| segment.file_range(endian))
    };
    if let Some(place) = find(b".go.buildinfo").or_else(writable) {
        let loads: Vec<go::Load> = loads
            .map(|segment| go::Load {
                address: segment.p_vaddr(endian).into(),
                offset: segment.p_offset(endian).into(),
                size: segment.p_filesz(endian).into(),
            })
            .collect();
        packages.extend(go::records(data, place, &loads).into_iter().map(|record| PackageRecord::Go(Box::new(record))));
    }
}
