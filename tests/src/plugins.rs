//! The plugins written in C: `feeds/raw-c` and `feeds/broken`, compiled once per run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::daemon::target;

/// The library made of `feeds/raw-c/{name}.c`.
pub fn raw_c(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let library = FOLDER.get_or_init(|| compile("raw-c")).join(format!("{name}.so"));
    assert!(library.is_file(), "there is no {name}.c among the C plugins");
    library
}

/// What `feeds/broken/{name}` is once it is built: the library made of its C, or the script itself.
pub fn broken(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("feeds/broken/{name}.sh"));
    if script.is_file() {
        return script;
    }
    let library = FOLDER.get_or_init(|| compile("broken")).join(format!("{name}.so"));
    assert!(library.is_file(), "there is no {name} among the broken plugins");
    library
}

/// Compiles all of a folder, as many side by side as there are cores.
fn compile(feeds: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = target().join(feeds);
    std::fs::create_dir_all(&folder).unwrap();
    let sources =
        std::fs::read_dir(tests.join("feeds").join(feeds)).unwrap().map(|entry| entry.unwrap().path());
    let compilers: Vec<(PathBuf, PathBuf, Child)> = sources
        .filter(|source| source.extension().is_some_and(|extension| extension == "c"))
        .map(|source| {
            let library = folder.join(source.file_stem().unwrap()).with_extension("so");
            let fresh = library.with_extension(std::process::id().to_string());
            let compiler = Command::new("cc")
                .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"])
                .arg("-I")
                .arg(tests.join("../plugins-sdk/include"))
                .arg(&source)
                .arg("-o")
                .arg(&fresh)
                .stdin(Stdio::null())
                .spawn()
                .expect("these tests need a C compiler called cc (Debian: gcc)");
            (fresh, library, compiler)
        })
        .collect();
    for (fresh, library, mut compiler) in compilers {
        assert!(compiler.wait().unwrap().success(), "{} did not compile; see above", library.display());
        // Another run may have the old one loaded: it keeps that file, whatever its name is now.
        std::fs::rename(fresh, library).unwrap();
    }
    folder
}
