//! What a plugin file is, learnt without running it, and what keeps it from running on this machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::loader::{self, Library};
use tickerd_host::elf::{self, ENTRY, Elf, ElfError, Glibc, Kind};
use tickerd_host::{Meta, Plugin, PluginInfo, printable};
use tickerd_sdk::abi::TKR_ABI_MINOR;

/// Longest first line of a script that the kernel reads, in bytes.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// All that is known of a plugin file.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// How tickerd would run it.
    pub runs_as: RunsAs,
    /// Whether it may be executed.
    pub executable: bool,
    /// The interpreter in a script's first line.
    pub script: Option<Script>,
    /// What it says as an ELF file; none of a script.
    pub elf: Option<Elf>,
    /// What its metadata says.
    pub meta: Option<Meta>,
    /// The libraries it needs, and where this machine has them.
    pub libraries: Option<Vec<Library>>,
    /// This machine's glibc.
    pub glibc_here: Option<Glibc>,
    /// What its code says about itself, if it was asked.
    pub described: Option<PluginInfo>,
    /// What keeps it from being loaded here, each with what to change.
    pub problems: Vec<Problem>,
    /// What does not keep it from being loaded, but is worth knowing.
    pub notes: Vec<String>,
}

/// How a file is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunsAs {
    /// It is loaded.
    Library,
    /// It is executed.
    Program,
}

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// What kind of file it is.
    FileType,
    /// The processor it is for.
    Machine,
    /// The execute bit, or what runs it.
    Executable,
    /// The libraries it needs.
    Libraries,
    /// The C library it needs.
    Glibc,
    /// Its entry function.
    Entry,
    /// The ABI it needs.
    Abi,
}

/// What is in the way, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is about.
    pub about: About,
    /// What is wrong.
    pub what: String,
    /// What to change.
    pub remedy: String,
}

/// A script's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The program that runs it.
    pub interpreter: String,
    /// That program's one argument.
    pub argument: Option<String>,
}

impl Facts {
    /// Reads the file of a plugin.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(plugin: &Plugin) -> io::Result<Facts> {
        let (path, runs_as) = match plugin {
            Plugin::Library(path) => (path, RunsAs::Library),
            Plugin::Program(path) => (path, RunsAs::Program),
        };
        let (bytes, sha256) = digest(path)?;
        let mut facts = Facts {
            file: path.clone(),
            bytes,
            sha256,
            runs_as,
            executable: access(path, AccessFlags::X_OK).is_ok(),
            script: None,
            elf: None,
            meta: None,
            libraries: None,
            glibc_here: loader::glibc().cloned(),
            described: None,
            problems: Vec::new(),
            notes: Vec::new(),
        };
        match (elf::read(path), runs_as) {
            (Ok(elf), _) => facts.judge_elf(elf),
            (Err(ElfError::Unreadable(e)), _) => return Err(e),
            (Err(ElfError::NotElf), RunsAs::Program) => facts.judge_script(first_line(path)?),
            (Err(e), _) => facts.problem(
                About::FileType,
                if bytes == 0 { "the file is empty".into() } else { e.to_string() },
                match runs_as {
                    RunsAs::Library => {
                        "build it again; a plugin library is a shared library (.so) for this machine"
                    }
                    RunsAs::Program => "build it again",
                },
            ),
        }
        Ok(facts)
    }

    fn problem(&mut self, about: About, what: String, remedy: impl Into<String>) {
        self.problems.push(Problem { about, what, remedy: remedy.into() });
    }

    fn judge_elf(&mut self, elf: Elf) {
        let head = &elf.head;
        if loader::machine().is_some_and(|here| here != head.machine) {
            let here = loader::machine().map_or(String::new(), |here| format!("; this machine is {here}"));
            let what = format!("it is for {}{here}", head.machine);
            self.problem(About::Machine, what, "build it on this machine, or for it");
        } else if !elf.needed.names.is_empty() {
            self.libraries = loader::libraries(&self.file, &elf.needed.names);
        }
        match (self.runs_as, head.kind) {
            (RunsAs::Library, Kind::Library) => self.judge_library(&elf),
            (RunsAs::Library, _) => self.problem(
                About::FileType,
                "it is no shared library, though its name ends in .so".into(),
                "link it as one (cc -shared, or crate-type = [\"cdylib\"]); a program that prints lines needs another name",
            ),
            (RunsAs::Program, Kind::Other) => self.problem(
                About::FileType,
                "it is an ELF file, and neither a program nor a shared library".into(),
                "link it: this may be an object file",
            ),
            (RunsAs::Program, _) => {
                if let Some(missing) = head.interpreter.as_ref().filter(|path| !Path::new(path).exists()) {
                    let what = format!("its loader {missing} is not here");
                    self.problem(About::Executable, what, "build it for this system, or link it statically");
                }
            }
        }
        let missing: Vec<String> = self
            .libraries
            .iter()
            .flatten()
            .filter(|library| library.path.is_none())
            .map(|library| library.name.clone())
            .collect();
        if !missing.is_empty() {
            self.problem(
                About::Libraries,
                format!("this machine has no {}", missing.join(", ")),
                "install what has it, or link it statically; a folder of its own goes into the RUNPATH (-Wl,-rpath,DIR) or \
                 into LD_LIBRARY_PATH",
            );
        }
        if let (Some(needs), Some(here)) = (&elf.glibc_needed, loader::glibc())
            && needs > here
        {
            let what = format!("it needs glibc {needs}, and this machine has {here}");
            self.problem(About::Glibc, what, "build it on the oldest system it is to run on");
        }
        self.elf = Some(elf);
    }

    fn judge_library(&mut self, elf: &Elf) {
        match elf.meta.as_deref().map(Meta::parse) {
            Some(Ok(meta)) => self.meta = Some(meta),
            Some(Err(e)) => self.notes.push(format!("its metadata cannot be used: {e}")),
            None => {
                self.notes.push("it has no metadata, so its version is known only once it is loaded".into())
            }
        }
        let exports = &elf.exports;
        if !elf.exports_entry {
            let what = format!("it does not export {ENTRY}");
            let near = exports.names.iter().find(|name| name.contains("tickerd_plugin"));
            let remedy = match near {
                Some(near) if near.starts_with("_Z") => {
                    format!("declare the entry extern \"C\": it is exported as {near}")
                }
                Some(near) => format!("call the entry {ENTRY}, not {near}"),
                None => {
                    "use the SDK's export (tickerd_sdk::export!, or TKR_EXPORT in C), or name the right file"
                        .into()
                }
            };
            self.problem(About::Entry, what, remedy);
        }
        let others: Vec<&str> =
            exports.names.iter().map(String::as_str).filter(|name| *name != ENTRY).collect();
        if !others.is_empty() {
            let count = others.len() as u64 + exports.left_out;
            let shown = others.iter().take(4).copied().collect::<Vec<_>>().join(", ");
            let more = if count > 4 { format!(" and {} more", count - 4) } else { String::new() };
            self.notes.push(format!(
                "it exports {shown}{more}, which nobody needs and other libraries may clash with: compile with \
                 -fvisibility=hidden"
            ));
        }
        let Some(meta) = &self.meta else { return };
        match meta.abi() {
            Some((1, minor)) if minor > TKR_ABI_MINOR => self.notes.push(format!(
                "it was built with ABI {}, this tickerd has 1.{TKR_ABI_MINOR}; it may run, with less",
                meta.abi
            )),
            Some((1, _)) => {}
            Some(_) => {
                let what =
                    format!("it was built for ABI {}, and this tickerd has 1.{TKR_ABI_MINOR}", meta.abi);
                self.problem(About::Abi, what, "upgrade tickerd, or use a version of the plugin for ABI 1");
            }
            None => self.notes.push(format!("its metadata says ABI {:?}, which is no version", meta.abi)),
        }
    }

    fn judge_script(&mut self, line: Option<String>) {
        let Some(line) = line else {
            // A shell would run it as a script. The kernel, which runs feeds, does not.
            let what = "it is neither an ELF file nor a script with a #! line".to_owned();
            self.problem(About::FileType, what, "begin the file with a line such as #!/usr/bin/env python3");
            return;
        };
        if line.ends_with('\r') {
            let what =
                "its first line ends in a carriage return, which is then part of the interpreter's name";
            self.problem(
                About::Executable,
                what.into(),
                "save it with Unix line ends (sed -i 's/\\r$//' FILE)",
            );
            return;
        }
        let line = line.trim();
        let (interpreter, argument) = match line.split_once([' ', '\t']) {
            Some((interpreter, argument)) => (interpreter, Some(argument.trim())),
            None => (line, None),
        };
        let script = Script { interpreter: printable(interpreter), argument: argument.map(printable) };
        if access(Path::new(interpreter), AccessFlags::X_OK).is_err() {
            let what = format!("the interpreter in its first line, {}, is not here", script.interpreter);
            self.problem(
                About::Executable,
                what,
                "install it, or name another, such as #!/usr/bin/env python3",
            );
        } else if let (true, Some(name)) = (interpreter.ends_with("/env"), argument.and_then(program_of_env))
            && !in_path(name)
        {
            let what = format!("the interpreter in its first line, {}, is not in PATH", printable(name));
            self.problem(About::Executable, what, "install it, or name another");
        }
        self.script = Some(script);
    }
}

/// The program that `env` would run with this argument.
fn program_of_env(argument: &str) -> Option<&str> {
    argument.split_whitespace().find(|word| !word.starts_with('-') && !word.contains('='))
}

fn in_path(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| access(&folder.join(name), AccessFlags::X_OK).is_ok())
}

/// What follows `#!` in a script's first line, without its newline.
fn first_line(path: &Path) -> io::Result<Option<String>> {
    let mut start = Vec::new();
    File::open(path)?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.strip_prefix(b"#!").map(|line| String::from_utf8_lossy(line).into_owned()))
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer, mut bytes) = (Sha256::new(), vec![0; 64 * 1024], 0u64);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        digest.update(buffer.get(..read).unwrap_or_default());
    }
    Ok((bytes, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Facts::of(&Plugin::Program(file.path().to_owned())).unwrap()
    }

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        let facts = facts("#!/bin/sh\n");
        // As sha256sum(1) says.
        assert_eq!(facts.sha256, "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf");
        assert_eq!(facts.bytes, 10);
    }

    #[test]
    fn a_script_is_judged_by_its_first_line() {
        let good = facts("#!/usr/bin/env -S sh -e\n");
        assert_eq!(good.problems, []);
        assert_eq!(good.script.unwrap().argument.as_deref(), Some("-S sh -e"));
        for (text, what, remedy) in [
            ("#!/no/such/python\n", "/no/such/python, is not here", "install it"),
            ("#!/usr/bin/env no-such-python\n", "no-such-python, is not in PATH", "install it"),
            ("#!/bin/sh\r\necho\r\n", "carriage return", "Unix line ends"),
            ("print('hello')\n", "neither an ELF file nor a script", "#!/usr/bin/env"),
            ("", "neither an ELF file nor a script", "#!"),
        ] {
            let facts = facts(text);
            let [problem] = facts.problems.as_slice() else { panic!("{text:?}: {:?}", facts.problems) };
            assert!(problem.what.contains(what) && problem.remedy.contains(remedy), "{text:?}: {problem:?}");
        }
    }
}
