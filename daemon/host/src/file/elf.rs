//! What an ELF file says about itself, read without running any of it.
//!
//! The file is a stranger's: every count and every text that is taken from it is bounded, and what is broken is an error
//! or is left out. Format: elf(5), System V ABI chapters 4 and 5, and glibc's symbol versions, as of 2026.

mod tables;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};
use serde::{Serialize, Serializer};

use crate::log::text::printable;

/// Names kept of one list (symbols, libraries); what is more is counted.
const NAMES_MAX: usize = 256;
/// Entries of a dynamic section that are looked at; real ones have some thirty.
const DYNAMIC_MAX: usize = 4096;
/// Longest interpreter's name, in bytes; `PATH_MAX` of Linux.
const INTERPRETER_BYTES_MAX: u64 = 4096;

/// The one symbol that a plugin exports.
pub const ENTRY: &str = "tickerd_plugin_v1";

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// To be loaded.
    Library,
    /// To be run.
    Program,
    /// An object file, a core, or something newer.
    Other,
}

/// What processor a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// 32 or 64.
    pub bits: u8,
    /// Byte order.
    pub big_endian: bool,
    /// `e_machine`.
    pub number: u16,
}

/// What is told by the headers alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Library or program.
    pub kind: Kind,
    /// Its processor.
    pub machine: Machine,
    /// What runs it, of a program that is linked dynamically.
    pub interpreter: Option<String>,
}

/// A version of glibc, such as 2.34.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(Vec<u32>);

/// A list of names, of which the first are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The first, in the file's order.
    pub names: Vec<String>,
    /// How many more there are.
    pub left_out: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elf {
    /// What the headers say.
    #[serde(flatten)]
    pub head: Head,
    /// Dynamic symbols that others can use.
    pub exports: Names,
    /// Whether a plugin's entry function is among them.
    pub exports_entry: bool,
    /// The metadata section, as it is; cut at what a [`Meta`](crate::Meta) may have.
    #[serde(skip)]
    pub meta: Option<Vec<u8>>,
    /// Libraries it needs.
    pub needed: Names,
    /// Where it says that these lie, before the system's own folders.
    pub runpath: Option<String>,
    /// The newest glibc that a symbol of it needs.
    pub glibc_needed: Option<Glibc>,
    /// The newest glibc whose symbols it defines: of the C library, its version.
    #[serde(skip)]
    pub glibc_defined: Option<Glibc>,
    /// What its linker called it, in hexadecimal.
    pub build_id: Option<String>,
    /// Whether its table of all symbols was taken out.
    pub stripped: bool,
}

/// Why a file cannot be read as one.
#[derive(Debug)]
pub enum ElfError {
    /// It does not begin as one.
    NotElf,
    /// It begins as one, and then makes no sense.
    Broken(String),
    /// It cannot be read at all.
    Unreadable(std::io::Error),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfError::NotElf => f.write_str("it is no ELF file"),
            ElfError::Broken(why) => write!(f, "it is a broken or cut off ELF file ({why})"),
            ElfError::Unreadable(e) => write!(f, "it cannot be read: {e}"),
        }
    }
}

impl std::error::Error for ElfError {}

impl From<object::Error> for ElfError {
    fn from(e: object::Error) -> ElfError {
        ElfError::Broken(e.to_string())
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match elf::Machine(self.number) {
            elf::EM_X86_64 => "x86_64",
            elf::EM_AARCH64 => "aarch64",
            elf::EM_386 => "x86",
            elf::EM_ARM => "arm",
            elf::EM_RISCV => "riscv",
            elf::EM_PPC64 => "powerpc64",
            elf::EM_S390 => "s390",
            elf::EM_LOONGARCH => "loongarch",
            elf::EM_MIPS => "mips",
            _ => return write!(f, "machine {} ({} bits)", self.number, self.bits),
        };
        let order = if self.big_endian { "big" } else { "little" };
        write!(f, "{name} ({} bits, {order} endian)", self.bits)
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

impl Serialize for Glibc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Glibc {
    /// Of a symbol version's name: `GLIBC_2.34`; not of others, `GLIBC_PRIVATE` included.
    fn of(version: &[u8]) -> Option<Glibc> {
        let numbers = std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?;
        numbers.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>().map(Glibc)
    }
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        if self.names.len() < NAMES_MAX {
            self.names.push(printable(&String::from_utf8_lossy(name)));
        } else {
            self.left_out += 1;
        }
    }
}

/// Whether the file is a shared library. One that cannot be read is not.
pub fn is_shared_library(path: &Path) -> bool {
    head(path).is_ok_and(|head| head.kind == Kind::Library)
}

/// Whether a library looks for others in folders named after where it lies itself (`$ORIGIN`; ld.so(8)).
pub fn looks_beside_itself(file: &File) -> bool {
    let beside = |path: &String| path.contains("$ORIGIN") || path.contains("${ORIGIN}");
    parse(&ReadCache::new(At { file, at: 0 })).is_ok_and(|elf| elf.runpath.as_ref().is_some_and(beside))
}

/// Reads a file without moving the place where others read it.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl io::Seek for At<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            io::SeekFrom::Start(at) => (at, 0),
            io::SeekFrom::End(by) => (self.file.metadata()?.len(), by),
            io::SeekFrom::Current(by) => (self.at, by),
        };
        let at = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = at;
        Ok(at)
    }
}

/// What the headers of the file say.
pub fn head(path: &Path) -> Result<Head, ElfError> {
    let cache = ReadCache::new(File::open(path).map_err(ElfError::Unreadable)?);
    match class_of(&cache)? {
        64 => Ok(read_head::<elf::FileHeader64<Endianness>, _>(&cache)?),
        _ => Ok(read_head::<elf::FileHeader32<Endianness>, _>(&cache)?),
    }
}

/// All that the file says.
pub fn read(path: &Path) -> Result<Elf, ElfError> {
    parse(&ReadCache::new(File::open(path).map_err(ElfError::Unreadable)?))
}

/// All that the bytes of a file say.
pub fn parse<'d, R: ReadRef<'d>>(data: R) -> Result<Elf, ElfError> {
    match class_of(data)? {
        64 => Ok(tables::read_all::<elf::FileHeader64<Endianness>, _>(data)?),
        _ => Ok(tables::read_all::<elf::FileHeader32<Endianness>, _>(data)?),
    }
}

fn class_of<'d, R: ReadRef<'d>>(data: R) -> Result<u8, ElfError> {
    let start = data.read_bytes_at(0, 5).map_err(|()| ElfError::NotElf)?;
    match (start.starts_with(&elf::ELFMAG), start.last()) {
        (true, Some(1)) => Ok(32),
        (true, Some(2)) => Ok(64),
        (true, _) => Err(ElfError::Broken("neither of 32 nor of 64 bits".into())),
        (false, _) => Err(ElfError::NotElf),
    }
}

/// Libraries and programs are of the same type since programs are position independent: a program names its
/// interpreter, or carries the flag that its linker set.
fn read_head<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(data: R) -> object::read::Result<Head> {
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let machine = Machine {
        bits: if header.is_type_64() { 64 } else { 32 },
        big_endian: header.is_big_endian(),
        number: header.e_machine(endian).0,
    };
    // The loader takes one of each; a stranger's file may have thousands, each as large as the file.
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

const DF_1_PIE: u32 = 0x0800_0000;
