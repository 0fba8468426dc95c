//! Asks the system's loader which libraries a file would be loaded with, without running any of its code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

use super::describe::{end, reader};
use tickerd_host::elf::{self, Glibc, Machine};

/// How long the loader may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Most that is read of its answer.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// A library that a file needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Library {
    /// As the file names it.
    pub name: String,
    /// Its path; none: it is not found.
    pub path: Option<PathBuf>,
}

/// Where the libraries of these names are that the file at `path` would be loaded with. None: the loader cannot be asked.
///
/// The file is mapped, and not run. With `LD_TRACE_LOADED_OBJECTS`, ld.so(8) calls no constructors and lists all libraries,
/// where `--list` would stop at the first that is missing. ldd does the same, but may start a program's own interpreter.
pub fn libraries(path: &Path, needed: &[String]) -> Option<Vec<Library>> {
    let mut command = Command::new(here()?.interpreter.as_deref()?);
    // These variables would make the loader do more than list.
    for name in ["LD_PRELOAD", "LD_AUDIT", "LD_BIND_NOW", "LD_WARN", "LD_DEBUG", "LD_TRACE_PRELINKING"] {
        command.env_remove(name);
    }
    let mut child = command
        .arg(path)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let answer = reader(child.stdout.take(), ANSWER_BYTES_MAX).recv_timeout(DEADLINE);
    // It has answered, or it is too late.
    end(&mut child);
    let answer = answer.ok()?;
    let found = parse(&String::from_utf8_lossy(&answer));
    // An empty list means that the file is not for this machine, or is not linked dynamically.
    if found.is_empty() {
        return None;
    }
    let library = |name: &String| Library { name: name.clone(), path: found.get(name).cloned().flatten() };
    Some(needed.iter().map(library).collect())
}

/// Reads lines such as `libm.so.6 => /lib/libm.so.6 (0x00007f…)`, `libx.so => not found`, `/lib64/ld.so (0x…)`.
fn parse(answer: &str) -> BTreeMap<String, Option<PathBuf>> {
    let mut found = BTreeMap::new();
    for line in answer.lines().map(str::trim) {
        match line.split_once(" => ") {
            Some((name, "not found")) => drop(found.insert(name.to_owned(), None)),
            Some((name, place)) => {
                let path = place.rsplit_once(" (").map_or(place, |(path, _)| path);
                found.insert(name.to_owned(), Some(PathBuf::from(path)));
            }
            None => {
                // A line without an address is a remark, such as `statically linked`.
                let Some((path, _)) = line.rsplit_once(" (0x") else { continue };
                if let Some(name) = Path::new(path).file_name() {
                    found.insert(name.to_string_lossy().into_owned(), Some(PathBuf::from(path)));
                }
            }
        }
    }
    found
}

/// What the headers of this process's own executable say.
fn here() -> Option<&'static elf::Head> {
    static HERE: OnceLock<Option<elf::Head>> = OnceLock::new();
    HERE.get_or_init(|| elf::head(Path::new("/proc/self/exe")).ok()).as_ref()
}

/// This machine's processor, which plugins have to be for.
pub fn machine() -> Option<Machine> {
    here().map(|head| head.machine)
}

/// The version of the C library that this process has loaded, if it is glibc.
pub fn glibc() -> Option<&'static Glibc> {
    static VERSION: OnceLock<Option<Glibc>> = OnceLock::new();
    VERSION
        .get_or_init(|| {
            let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
            // proc_pid_maps(5): the path follows the fifth column.
            let path = maps.lines().filter_map(|line| line.get(line.find('/')?..));
            let library = path.into_iter().find(|path| path.ends_with("/libc.so.6"))?;
            elf::read(Path::new(library)).ok()?.glibc_defined
        })
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_asked_and_understood() {
        let found = parse(
            "\tstatically linked\n\tlinux-vdso.so.1 (0x00007ffd)\n\tlibx.so => not found\n\tlibm.so.6 => /lib/a b/libm.so.6 (0x7f)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n",
        );
        assert_eq!(found["libx.so"], None);
        assert_eq!(found["libm.so.6"], Some(PathBuf::from("/lib/a b/libm.so.6")));
        assert_eq!(found["ld-linux-x86-64.so.2"], Some(PathBuf::from("/lib64/ld-linux-x86-64.so.2")));

        let needed = ["libc.so.6".to_owned(), "libnone.so.9".to_owned()];
        let libraries = libraries(&std::env::current_exe().unwrap(), &needed).unwrap();
        assert!(libraries[0].path.as_ref().is_some_and(|path| path.is_file()), "{libraries:?}");
        assert_eq!(libraries[1].path, None);
        assert!(glibc().is_some_and(|version| version.to_string().starts_with("2.")));
        assert_eq!(machine().unwrap().bits, usize::BITS as u8);
    }
}
