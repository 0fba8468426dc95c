//! What an ELF file can say about itself.

use std::fmt;

use object::elf;
use serde::{Serialize, Serializer};

use crate::log::text::printable;

/// Names kept of one list (symbols, libraries); more are counted.
pub const NAMES_MAX: usize = 256;

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

/// What the headers alone say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Library or program.
    pub kind: Kind,
    /// Its processor.
    pub machine: Machine,
    /// The program's dynamic loader; none: it has none, as libraries do.
    pub interpreter: Option<String>,
}

/// A version of glibc, such as 2.34.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(Vec<u32>);

/// A list of names, of which the first 256 are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The first, in the file's order.
    pub names: Vec<String>,
    /// How many more there are.
    pub left_out: u64,
}

/// All that an ELF file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elf {
    /// What the headers say.
    #[serde(flatten)]
    pub head: Head,
    /// Symbols that it offers to others.
    pub exports: Names,
    /// Whether a plugin's entry function is among them.
    pub exports_entry: bool,
    /// The bytes of its metadata section, up to one more than a [`Meta`](crate::Meta) may have.
    #[serde(skip)]
    pub meta: Option<Vec<u8>>,
    /// Libraries it needs.
    pub needed: Names,
    /// Folders that are searched for these before the system's own.
    pub runpath: Option<String>,
    /// The newest glibc that a symbol of it needs.
    pub glibc_needed: Option<Glibc>,
    /// The newest glibc whose symbols it defines. For the C library itself, that is its version.
    #[serde(skip)]
    pub glibc_defined: Option<Glibc>,
    /// The id that its linker gave it, in hexadecimal.
    pub build_id: Option<String>,
    /// Whether its table of all symbols was removed.
    pub stripped: bool,
}

/// Why a file cannot be read as an ELF file.
#[derive(Debug)]
pub enum ElfError {
    /// It does not begin like one.
    NotElf,
    /// It begins like one, and then makes no sense.
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
    /// The version in a symbol version's name, such as `GLIBC_2.34`. None for other names, and for `GLIBC_PRIVATE`.
    pub fn of(version: &[u8]) -> Option<Glibc> {
        let numbers = std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?;
        numbers.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>().map(Glibc)
    }
}

impl Names {
    /// Adds a name, or counts it when there are too many.
    pub fn push(&mut self, name: &[u8]) {
        if self.names.len() < NAMES_MAX {
            self.names.push(printable(&String::from_utf8_lossy(name)));
        } else {
            self.left_out += 1;
        }
    }
}
