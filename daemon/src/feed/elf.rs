//! Tells a shared library from a program by its ELF header.
//!
//! Both are of the same type since programs are position independent: a program names its interpreter, or carries the flag
//! that its linker set. Format: elf(5), System V ABI chapters 4 and 5, as of 2026; 64 bits in this machine's byte order.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC_64: &[u8] = b"\x7fELF\x02";
const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const DYNAMIC_BYTES: usize = 16;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;
/// Bytes of a search path that are looked at.
const SEARCH_PATH_BYTES_MAX: usize = 4096;
/// Entries of a dynamic section that are looked at; real ones have some thirty.
const DYNAMIC_MAX: u64 = 4096;

/// Whether the file is a shared library. One that cannot be read is not.
pub fn is_shared_library(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| judge(&file) == Some(true))
}

/// Whether a library looks for others in folders named after where it lies itself (`$ORIGIN`; ld.so(8)).
pub fn looks_beside_itself(file: &File) -> bool {
    search_paths(file).is_some_and(|paths| {
        let names = |path: &Vec<u8>| [&b"$ORIGIN"[..], b"${ORIGIN}"].iter().any(|name| holds(path, name));
        paths.iter().any(names)
    })
}

fn holds(text: &[u8], name: &[u8]) -> bool {
    text.windows(name.len()).any(|part| part == name)
}

/// The search paths of its dynamic section; `None`: no ELF file, or a broken one.
fn search_paths(file: &File) -> Option<Vec<Vec<u8>>> {
    let header: [u8; HEADER_BYTES] = read(file, 0)?;
    if !header.starts_with(MAGIC_64) {
        return None;
    }
    let (start, count) = (word(&header, 32)?, half(&header, 56)?);
    let (mut loads, mut dynamic) = (Vec::new(), None);
    for n in 0..u64::from(count) {
        let segment: [u8; PROGRAM_HEADER_BYTES] =
            read(file, start.checked_add(n * PROGRAM_HEADER_BYTES as u64)?)?;
        let (offset, address, size) = (word(&segment, 8)?, word(&segment, 16)?, word(&segment, 32)?);
        match u32::from_ne_bytes(*segment.first_chunk()?) {
            PT_LOAD => loads.push((offset, address, size)),
            PT_DYNAMIC => dynamic = Some(offset),
            _ => {}
        }
    }
    let (mut strings, mut names) = (None, Vec::new());
    for n in 0..DYNAMIC_MAX {
        let entry: [u8; DYNAMIC_BYTES] = read(file, dynamic?.checked_add(n * DYNAMIC_BYTES as u64)?)?;
        match word(&entry, 0)? {
            DT_NULL => break,
            DT_STRTAB => strings = word(&entry, 8),
            DT_RPATH | DT_RUNPATH => names.push(word(&entry, 8)?),
            _ => {}
        }
    }
    // The table is named by its address in memory; where that is in the file, its segment says.
    let address = strings?;
    let (offset, start, _) = loads
        .into_iter()
        .find(|(_, start, size)| address.checked_sub(*start).is_some_and(|at| at < *size))?;
    let table = offset.checked_add(address - start)?;
    let path = |name: u64| {
        let mut bytes = vec![0; SEARCH_PATH_BYTES_MAX];
        let read = file.read_at(&mut bytes, table.checked_add(name)?).ok()?;
        bytes.truncate(read);
        bytes.split(|byte| *byte == 0).next().map(<[u8]>::to_vec)
    };
    names.into_iter().map(path).collect()
}

/// `None`: no ELF file, or a broken one.
fn judge(file: &File) -> Option<bool> {
    let header: [u8; HEADER_BYTES] = read(file, 0)?;
    if !header.starts_with(MAGIC_64) || half(&header, 16)? != ET_DYN {
        return None;
    }
    let (start, count) = (word(&header, 32)?, half(&header, 56)?);
    let mut flags = 0;
    for n in 0..u64::from(count) {
        let segment: [u8; PROGRAM_HEADER_BYTES] =
            read(file, start.checked_add(n * PROGRAM_HEADER_BYTES as u64)?)?;
        match u32::from_ne_bytes(*segment.first_chunk()?) {
            PT_INTERP => return Some(false),
            PT_DYNAMIC => flags = flags_1(file, word(&segment, 8)?)?,
            _ => {}
        }
    }
    Some(flags & DF_1_PIE == 0)
}

/// The value of `DT_FLAGS_1` in the dynamic section at `start`; 0 without one.
fn flags_1(file: &File, start: u64) -> Option<u64> {
    for n in 0..DYNAMIC_MAX {
        let entry: [u8; DYNAMIC_BYTES] = read(file, start.checked_add(n * DYNAMIC_BYTES as u64)?)?;
        match word(&entry, 0)? {
            DT_NULL => break,
            DT_FLAGS_1 => return word(&entry, 8),
            _ => {}
        }
    }
    Some(0)
}

fn read<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: this test is a program, and the C library that it has mapped is not.
    #[test]
    fn a_program_is_no_library() {
        assert!(!is_shared_library(&std::env::current_exe().unwrap()));
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), "#!/bin/sh\n").unwrap();
        assert!(!is_shared_library(script.path()));
        std::fs::write(script.path(), MAGIC_64).unwrap();
        assert!(!is_shared_library(script.path()), "cut off");
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let libraries: Vec<&str> =
            mapped.filter(|path| path.contains("libgcc_s") || path.contains("libm.so")).collect();
        let known = libraries.first().expect("the standard library needs one of them");
        assert!(is_shared_library(Path::new(known)), "{known}");
        assert!(!looks_beside_itself(&File::open(known).unwrap()), "{known}");
    }

    #[test]
    fn a_library_with_others_beside_it_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("x.c");
        std::fs::write(&source, "int x(void) { return 1; }\n").unwrap();
        for (name, flag, beside) in [
            ("plain.so", "-Wl,--build-id=none", false),
            ("elsewhere.so", "-Wl,-rpath,/opt/lib", false),
            ("runpath.so", "-Wl,--enable-new-dtags,-rpath,/opt/lib:$ORIGIN/lib", true),
            ("rpath.so", "-Wl,--disable-new-dtags,-rpath,${ORIGIN}", true),
        ] {
            let library = dir.path().join(name);
            let mut cc = std::process::Command::new("cc");
            let built = cc.args(["-shared", "-fPIC", flag, "-o"]).args([&library, &source]).status().unwrap();
            assert!(built.success(), "{name}");
            assert_eq!(looks_beside_itself(&File::open(&library).unwrap()), beside, "{name}");
        }
        assert!(!looks_beside_itself(&File::open(&source).unwrap()));
    }
}
