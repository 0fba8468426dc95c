//! The tables of an ELF file: symbols, libraries, versions, notes, and a plugin's metadata.

use object::Endianness;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};

use super::contents::{ENTRY, Elf, Glibc, NAMES_MAX, Names};
use super::headers::{DYNAMIC_MAX, read_head};
use crate::file::meta;
use crate::log::text::printable;

/// Exported symbols whose names are looked at; a plugin has one.
const SYMBOLS_MAX: u64 = 16_384;
/// Entries of symbol versions that are looked at; real files have some hundred.
const VERSIONS_MAX: usize = 4096;
/// Segments with notes that are looked at, and the largest of them in bytes; real files have two or three small ones.
const NOTES_MAX: usize = 16;
const NOTE_BYTES_MAX: u64 = 64 * 1024;
/// Longest build id shown, in bytes.
const BUILD_ID_BYTES_MAX: usize = 64;
/// Section with a plugin's metadata.
const META_SECTION: &[u8] = b".tickerd.meta";

/// All that the file says.
pub fn read_all<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    data: R,
) -> object::read::Result<Elf> {
    let head = read_head::<E, R>(data)?;
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let (exports, exports_entry) = read_exports(&sections, endian, data)?;
    let (needed, runpath) = read_dynamic(&sections, endian, data)?;
    let has_symbols = sections.iter().any(|section| section.sh_type(endian) == elf::SHT_SYMTAB);
    Ok(Elf {
        exports,
        exports_entry,
        meta: read_meta(&sections, endian, data),
        needed,
        runpath,
        glibc_needed: read_needed_glibc(&sections, endian, data)?,
        glibc_defined: read_defined_glibc(&sections, endian, data)?,
        build_id: read_build_id::<E, R>(header, endian, data)?,
        stripped: !has_symbols,
        head,
    })
}

fn read_dynamic<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    sections: &SectionTable<'d, E, R>,
    endian: Endianness,
    data: R,
) -> object::read::Result<(Names, Option<String>)> {
    let table = sections.dynamic_table(endian, data)?;
    let (mut needed, mut runpath) = (Names::default(), None);
    for entry in table.iter().take(DYNAMIC_MAX) {
        match entry.tag {
            elf::DT_NEEDED if needed.names.len() < NAMES_MAX => needed.push(table.string(entry)?),
            elf::DT_NEEDED => needed.left_out += 1,
            // RPATH is the older of the two, and counts only if there is no RUNPATH.
            elf::DT_RUNPATH => runpath = Some(table.string(entry)?),
            elf::DT_RPATH if runpath.is_none() => runpath = Some(table.string(entry)?),
            _ => {}
        }
    }
    Ok((needed, runpath.map(|path| printable(&String::from_utf8_lossy(path)))))
}

fn read_exports<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    sections: &SectionTable<'d, E, R>,
    endian: Endianness,
    data: R,
) -> object::read::Result<(Names, bool)> {
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let (mut exports, mut entry, mut looked_at) = (Names::default(), false, 0);
    for symbol in symbols.iter() {
        let is_seen = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED)
            && matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE)
            && !symbol.is_undefined(endian);
        if !is_seen {
            continue;
        }
        looked_at += 1;
        if looked_at > SYMBOLS_MAX {
            exports.left_out += 1;
            continue;
        }
        let name = symbol.name(endian, symbols.strings())?;
        entry |= name == ENTRY.as_bytes();
        if !name.is_empty() {
            exports.push(name);
        }
    }
    Ok((exports, entry))
}

fn read_meta<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    sections: &SectionTable<'d, E, R>,
    endian: Endianness,
    data: R,
) -> Option<Vec<u8>> {
    let (_, section) = sections.section_by_name(endian, META_SECTION)?;
    let (at, bytes) = section.file_range(endian)?;
    let kept = bytes.min(meta::BYTES_MAX as u64 + 1);
    data.read_bytes_at(at, kept).ok().map(<[u8]>::to_vec)
}

fn read_needed_glibc<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    sections: &SectionTable<'d, E, R>,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<Glibc>> {
    let Some((mut libraries, link)) = sections.gnu_verneed(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, link)?;
    let (mut newest, mut looked_at) = (None, 0);
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            looked_at += 1;
            if looked_at > VERSIONS_MAX {
                return Ok(newest);
            }
            newest = newest.max(Glibc::of(version.name(endian, strings)?));
        }
    }
    Ok(newest)
}

fn read_defined_glibc<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    sections: &SectionTable<'d, E, R>,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<Glibc>> {
    let Some((mut versions, link)) = sections.gnu_verdef(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, link)?;
    let (mut newest, mut looked_at) = (None, 0);
    while let Some((_, mut names)) = versions.next()? {
        looked_at += 1;
        if looked_at > VERSIONS_MAX {
            break;
        }
        // The first name is the version's own; the others are those of its parents.
        if let Some(name) = names.next()? {
            newest = newest.max(Glibc::of(name.name(endian, strings)?));
        }
    }
    Ok(newest)
}

fn read_build_id<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    header: &E,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<String>> {
    let is_note = |segment: &&E::ProgramHeader| {
        segment.p_type(endian) == elf::PT_NOTE && segment.p_filesz(endian).into() <= NOTE_BYTES_MAX
    };
    for segment in header.program_headers(endian, data)?.iter().filter(is_note).take(NOTES_MAX) {
        let Some(mut notes) = segment.notes(endian, data)? else { continue };
        let mut looked_at = 0;
        while let Some(note) = notes.next()? {
            looked_at += 1;
            if looked_at > NAMES_MAX {
                break;
            }
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                let id = note.desc().iter().take(BUILD_ID_BYTES_MAX);
                return Ok(Some(id.map(|byte| format!("{byte:02x}")).collect()));
            }
        }
    }
    Ok(None)
}
