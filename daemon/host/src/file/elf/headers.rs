//! The headers of an ELF file.

use object::Endianness;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

use super::contents::{ElfError, Head, Kind, Machine};
use crate::log::text::printable;

/// Entries of a dynamic section that are looked at; real ones have some thirty.
pub const DYNAMIC_MAX: usize = 4096;
/// Longest interpreter's name, in bytes; `PATH_MAX` of Linux.
const INTERPRETER_BYTES_MAX: u64 = 4096;
/// The linker's mark of a program that can lie anywhere, in `DT_FLAGS_1`.
const DF_1_PIE: u32 = 0x0800_0000;

/// 32 or 64: the bits of the file's processor.
pub fn class_of<'d, R: ReadRef<'d>>(data: R) -> Result<u8, ElfError> {
    let start = data.read_bytes_at(0, 5).map_err(|()| ElfError::NotElf)?;
    match (start.starts_with(&elf::ELFMAG), start.last()) {
        (true, Some(1)) => Ok(32),
        (true, Some(2)) => Ok(64),
        (true, _) => Err(ElfError::Broken("neither of 32 nor of 64 bits".into())),
        (false, _) => Err(ElfError::NotElf),
    }
}

/// Reads the headers. Position independent programs have the same type as libraries: a program names its interpreter, or
/// carries a flag that its linker set.
pub fn read_head<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    data: R,
) -> object::read::Result<Head> {
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let machine = Machine {
        bits: if header.is_type_64() { 64 } else { 32 },
        big_endian: header.is_big_endian(),
        number: header.e_machine(endian).0,
    };
    // The system's loader takes the first segment of a kind, and so does this: a stranger's file may have thousands.
    let segments = header.program_headers(endian, data)?;
    let first = |kind| segments.iter().find(|segment| segment.p_type(endian) == kind);
    let interpreter = match first(elf::PT_INTERP) {
        Some(segment) if segment.p_filesz(endian).into() <= INTERPRETER_BYTES_MAX => {
            segment.interpreter(endian, data)?.map(|path| printable(&String::from_utf8_lossy(path)))
        }
        Some(_) => Some("(a name that is too long)".to_owned()),
        None => None,
    };
    let entries = match first(elf::PT_DYNAMIC) {
        Some(segment) => segment.dynamic(endian, data)?.unwrap_or_default(),
        None => &[],
    };
    let flags = entries
        .iter()
        .take(DYNAMIC_MAX)
        .take_while(|entry| entry.tag(endian) != elf::DT_NULL)
        .filter(|entry| entry.tag(endian) == elf::DT_FLAGS_1)
        .fold(0, |flags, entry| flags | entry.val(endian));
    let is_program = interpreter.is_some() || flags & u64::from(DF_1_PIE) != 0;
    let kind = match header.e_type(endian) {
        elf::ET_EXEC => Kind::Program,
        elf::ET_DYN if is_program => Kind::Program,
        elf::ET_DYN => Kind::Library,
        _ => Kind::Other,
    };
    Ok(Head { kind, machine, interpreter })
}
