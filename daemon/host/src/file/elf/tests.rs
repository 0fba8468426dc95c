//! Real files, files that are wrong by design, and files that are broken by chance.

use super::contents::NAMES_MAX;
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
    assert!(version("GLIBC_2.34") > version("GLIBC_2.4") && version("GLIBC_2.4") > version("GLIBC_2.3.4"));
    assert_eq!(version("GLIBC_2.34").unwrap().to_string(), "2.34");
    for other in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GCC_3.0", "GLIBC_", "GLIBC_2..3"] {
        assert_eq!(version(other), None, "{other}");
    }
}

/// Goal: a file cannot make this use much time or memory by saying the same thing many times. Method: as many segments of
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
