//! What an ELF file says about itself, read without running any of it.
//!
//! The file is a stranger's: every count and every text that is taken from it is bounded, and what is broken is an error or
//! is left out. Format: elf(5), System V ABI chapters 4 and 5, and glibc's symbol versions, as of 2026.
//!
//! `contents` is what can be learnt; `headers` and `tables` read it.

mod contents;
mod headers;
mod tables;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::{ReadCache, ReadRef};

pub use contents::{ENTRY, Elf, ElfError, Glibc, Head, Kind, Machine, Names};
use headers::{class_of, read_head};

/// Whether the file is a shared library. A file that cannot be read counts as none.
pub fn is_shared_library(path: &Path) -> bool {
    head(path).is_ok_and(|head| head.kind == Kind::Library)
}

/// Whether a library looks for other libraries beside its own file (`$ORIGIN`; ld.so(8)).
pub fn looks_beside_itself(file: &File) -> bool {
    let beside = |path: &String| path.contains("$ORIGIN") || path.contains("${ORIGIN}");
    parse(&ReadCache::new(At { file, at: 0 })).is_ok_and(|elf| elf.runpath.as_ref().is_some_and(beside))
}

/// Reads a file from a position of its own, which no other reader of the descriptor sees.
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
///
/// # Errors
/// It is no ELF file, or cannot be read.
pub fn head(path: &Path) -> Result<Head, ElfError> {
    let cache = ReadCache::new(File::open(path).map_err(ElfError::Unreadable)?);
    match class_of(&cache)? {
        64 => Ok(read_head::<elf::FileHeader64<Endianness>, _>(&cache)?),
        _ => Ok(read_head::<elf::FileHeader32<Endianness>, _>(&cache)?),
    }
}

/// All that the file says.
///
/// # Errors
/// It is no ELF file, is broken, or cannot be read.
pub fn read(path: &Path) -> Result<Elf, ElfError> {
    parse(&ReadCache::new(File::open(path).map_err(ElfError::Unreadable)?))
}

/// All that the bytes of a file say.
///
/// # Errors
/// They are none of an ELF file, or broken.
pub fn parse<'d, R: ReadRef<'d>>(data: R) -> Result<Elf, ElfError> {
    match class_of(data)? {
        64 => Ok(tables::read_all::<elf::FileHeader64<Endianness>, _>(data)?),
        _ => Ok(tables::read_all::<elf::FileHeader32<Endianness>, _>(data)?),
    }
}
