//! What an ELF file says about itself, read without running any of it.
//!
//! The file is a stranger's: every count and every text that is taken from it is bounded, and what is broken is an error
//! or is left out. Format: elf(5), System V ABI chapters 4 and 5, and glibc's symbol versions, as of 2026.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef};
use serde::{Serialize, Serializer};

use crate::feed::journal::printable;

/// Names kept of one list (symbols, libraries); what is more is counted.
const NAMES_MAX: usize = 256;
/// Exported symbols whose names are looked at; a plugin has one.
const SYMBOLS_MAX: u64 = 16_384;
/// Entries of symbol versions that are looked at; real files have some hundred.
const VERSIONS_MAX: usize = 4096;
/// Entries of a dynamic section that are looked at; real ones have some thirty.
const DYNAMIC_MAX: usize = 4096;
/// Segments with notes that are looked at, and the largest of them in bytes; real files have two or three small ones.
const NOTES_MAX: usize = 16;
const NOTE_BYTES_MAX: u64 = 64 * 1024;
/// Longest interpreter's name, in bytes; `PATH_MAX` of Linux.
const INTERPRETER_BYTES_MAX: u64 = 4096;
/// Longest metadata, in bytes.
const META_BYTES_MAX: usize = 64 * 1024;
/// Longest build id shown, in bytes.
const BUILD_ID_BYTES_MAX: usize = 64;
/// Section with a plugin's metadata.
const META_SECTION: &[u8] = b".tickerd.meta";

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
    /// The metadata section, as it is; cut at [`META_BYTES_MAX`].
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
        64 => Ok(read_all::<elf::FileHeader64<Endianness>, _>(data)?),
        _ => Ok(read_all::<elf::FileHeader32<Endianness>, _>(data)?),
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

fn read_all<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(data: R) -> object::read::Result<Elf> {
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
            // RPATH is the older of the two, and counts only without the other.
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
    let kept = bytes.min(META_BYTES_MAX as u64 + 1);
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
        // The first is its name, the others are its parents'.
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

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn mapped_library() -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let mut libraries = mapped.filter(|path| path.contains("libgcc_s") || path.contains("libm.so"));
        libraries.next().expect("the standard library needs one of them").to_owned()
    }

    /// Method: this test is a program, and a library that it has mapped is not.
    #[test]
    fn a_program_is_no_library() {
        let program = head(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(program.kind, Kind::Program);
        assert!(program.interpreter.is_some_and(|path| path.starts_with('/')));
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), "#!/bin/sh\n").unwrap();
        assert!(matches!(head(script.path()), Err(ElfError::NotElf)));
        std::fs::write(script.path(), b"\x7fELF\x02").unwrap();
        assert!(matches!(head(script.path()), Err(ElfError::Broken(_))), "cut off");
        let library = mapped_library();
        assert!(is_shared_library(Path::new(&library)), "{library}");
    }

    #[test]
    fn a_library_tells_what_it_exports_and_needs() {
        let elf = read(Path::new(&mapped_library())).unwrap();
        assert!(elf.exports.names.len() == NAMES_MAX || elf.exports.left_out == 0);
        assert!(elf.needed.names.iter().any(|name| name.starts_with("libc.so")), "{:?}", elf.needed);
        assert!(elf.glibc_needed >= Glibc::of(b"GLIBC_2.2.5"), "{:?}", elf.glibc_needed);
        assert!(elf.build_id.is_some_and(|id| id.len() == 40));
        let mut elf = read(&std::env::current_exe().unwrap()).unwrap();
        elf.meta = Some(vec![1]);
        assert!(!elf.stripped && !serde_json::to_string(&elf).unwrap().contains("meta"));
    }

    #[test]
    fn a_library_with_others_beside_it_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("x.c");
        std::fs::write(&source, "int x(void) { return 1; }\n").unwrap();
        for (name, flag, beside) in [
            ("plain.so", "-Wl,--build-id=none", false),
            ("elsewhere.so", "-Wl,-rpath,/opt/lib", false),
            ("runpath.so", "-Wl,--enable-new-dtags,-rpath,/opt/lib:$ORIGIN/lib", true),
            ("rpath.so", "-Wl,--disable-new-dtags,-rpath,${ORIGIN}", true),
        ] {
            let library = folder.path().join(name);
            let mut cc = std::process::Command::new("cc");
            let built = cc.args(["-shared", "-fPIC", flag, "-o"]).args([&library, &source]).status().unwrap();
            assert!(built.success(), "{name}");
            assert_eq!(looks_beside_itself(&File::open(&library).unwrap()), beside, "{name}");
        }
        assert!(!looks_beside_itself(&File::open(&source).unwrap()));
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let version = |text: &str| Glibc::of(text.as_bytes());
        assert!(
            version("GLIBC_2.34") > version("GLIBC_2.4") && version("GLIBC_2.4") > version("GLIBC_2.3.4")
        );
        assert_eq!(version("GLIBC_2.34").unwrap().to_string(), "2.34");
        for other in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GCC_3.0", "GLIBC_", "GLIBC_2..3"] {
            assert_eq!(version(other), None, "{other}");
        }
    }

    /// Goal: a file cannot multiply the work, or the memory, by saying the same thing often. Method: as many segments of
    /// each kind as there can be, each of the whole file.
    #[test]
    fn a_thousand_times_the_same_segment_is_read_once() {
        let mut bytes = std::fs::read(mapped_library()).unwrap();
        let (count, size) = (60_000u16, 56);
        bytes.resize(64 + usize::from(count) * size, 1);
        bytes[32..40].copy_from_slice(&64u64.to_ne_bytes());
        bytes[56..58].copy_from_slice(&count.to_ne_bytes());
        for (n, segment) in bytes[64..].chunks_exact_mut(size).enumerate() {
            let kind = [elf::PT_DYNAMIC, elf::PT_NOTE, elf::PT_INTERP][n % 3];
            segment[..4].copy_from_slice(&kind.0.to_ne_bytes());
            segment[8..16].copy_from_slice(&(n as u64 % 16 * 16).to_ne_bytes());
            segment[32..40].copy_from_slice(&(3_000_000 - n as u64 * 16).to_ne_bytes());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        assert_eq!(head(file.path()).unwrap().kind, Kind::Program);
        let _ = (read(file.path()), parse(&bytes[..]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Goal: nothing in a file, however wrong, ends this process or keeps it busy. Method: a real library with bytes
        /// changed, mostly in its headers and tables, and cut off anywhere.
        #[test]
        fn a_mangled_file_is_no_danger(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..40),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = std::fs::read(mapped_library()).unwrap();
            let len = bytes.len();
            for (at, byte, in_head) in changes {
                // Sections are described at the end, segments and symbols at the beginning.
                let at = if in_head { at.index(4096) } else { len - 1 - at.index(len.min(8192)) };
                bytes[at] = byte;
            }
            bytes.truncate(cut.map_or(len, |cut| cut.index(len)));
            if let Ok(elf) = parse(&bytes[..]) {
                prop_assert!(elf.exports.names.len() <= NAMES_MAX && elf.needed.names.len() <= NAMES_MAX);
            }
        }
    }
}
