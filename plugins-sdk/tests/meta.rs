//! The `.tickerd.meta` section: C and C++ plugins write what Rust ones do, and no linker or strip takes it away.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tickerd_sdk::export::{meta, meta_len};

const ENTRY: &str = "const tkr_plugin *tickerd_plugin_v1(void) { return 0; }\n";

fn compile(compiler: &str, flags: &[&str], source: &Path, library: &Path) -> Output {
    Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC", "-shared", "-fvisibility=hidden"])
        .args(flags)
        .arg("-I")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
        .arg("-o")
        .args([library, source])
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}; install a C and C++ compiler"))
}

/// The text of the section, as binutils' reader sees it.
fn section(library: &Path) -> String {
    let text = library.with_extension("json");
    let output = Command::new("objcopy")
        .arg(format!("--dump-section=.tickerd.meta={}", text.display()))
        .args([library, Path::new("/dev/null")])
        .output()
        .unwrap_or_else(|e| panic!("objcopy: {e}; install binutils"));
    assert!(output.status.success(), "{}: {}", library.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(std::fs::read(text).unwrap()).unwrap()
}

fn source(folder: &Path, name: &str, macro_call: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#include <tickerd.h>\n{ENTRY}\n{macro_call}\n")).unwrap();
    path
}

#[test]
fn c_and_cpp_write_what_rust_writes() {
    let folder = tempfile::tempdir().unwrap();
    let one = "TKR_META(\"1.2.3\", \"org.a\");";
    let three = "#define VERSION \"1.2.3\"\nTKR_META(VERSION, \"org.a\", \"org.b\",\n  \"org.c\");";
    let eight = "TKR_META(\"1.2.3\", \"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\");";
    /// As `export!` writes it.
    macro_rules! rust {
        ($($id:literal),*) => {{
            const IDS: &[&str] = &[$($id),*];
            String::from_utf8(meta::<{ meta_len("1.2.3", IDS) }>("1.2.3", IDS).to_vec()).unwrap()
        }};
    }
    let cases = [
        (one, rust!("org.a")),
        (three, rust!("org.a", "org.b", "org.c")),
        (eight, rust!("a", "b", "c", "d", "e", "f", "g", "h")),
    ];
    for (at, (macro_call, expected)) in cases.iter().enumerate() {
        for (compiler, extension, flags) in [
            ("cc", "c", &["-std=c99"][..]),
            ("cc", "c", &["-std=c11"]),
            ("c++", "cpp", &["-std=c++17"]),
            ("cc", "c", &["-O2", "-s", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]),
            (
                "c++",
                "cpp",
                &["-Os", "-s", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-flto"],
            ),
        ] {
            let source = source(folder.path(), &format!("{at}.{extension}"), macro_call);
            let library = folder.path().join("plugin.so");
            let output = compile(compiler, flags, &source, &library);
            assert!(
                output.status.success(),
                "{compiler} {flags:?}:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(&section(&library), &format!("{expected}\0"), "{compiler} {flags:?}");
        }
    }
}

#[test]
fn more_ids_than_it_takes_do_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let nine = r#"TKR_META("1.2.3", "a", "b", "c", "d", "e", "f", "g", "h", "i");"#;
    let output =
        compile("cc", &["-std=c11"], &source(folder.path(), "nine.c", nine), &folder.path().join("nine.so"));
    assert!(!output.status.success());
    let by_hand = "TKR_META_JSON(\"{\\\"abi\\\":\\\"1.0\\\"}\");";
    let library = folder.path().join("hand.so");
    assert!(
        compile("cc", &["-std=c11"], &source(folder.path(), "hand.c", by_hand), &library).status.success()
    );
    assert_eq!(section(&library), "{\"abi\":\"1.0\"}\0");
}
