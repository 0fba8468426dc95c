//! Finds a plugin's file by its name, and tells libraries from programs.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::file::elf;
use crate::report::Failure;
use tickerd_config::{Isolation, Source};

/// Most similar names that are offered when one is not found.
const NEAR_MAX: usize = 3;
/// How the name of a program begins that is meant to be a feed; `_` may stand for `-`.
const PROGRAM_PREFIX: &str = "tickerd-feed-";

/// The file of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plugin {
    /// A shared library with the SDK's entry.
    Library(PathBuf),
    /// An executable that prints the lines of the protocol.
    Program(PathBuf),
}

impl Plugin {
    /// What to run for this plugin.
    ///
    /// # Errors
    /// A program cannot run in this process.
    pub fn source(self, isolation: Isolation) -> Result<Source, Failure> {
        match (self, isolation) {
            (Plugin::Library(path), isolation) => Ok(Source::Plugin { path, isolation }),
            (Plugin::Program(path), Isolation::Process) => {
                Ok(Source::Exec(vec![path.to_string_lossy().into_owned()]))
            }
            (Plugin::Program(path), Isolation::InProcess) => Err(Failure::config(format!(
                "{} is a program, and a program runs in a process of its own; delete isolation = \"in-process\"",
                path.display()
            ))),
        }
    }
}

/// Why there is no such plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindError {
    /// What was asked for.
    pub name: String,
    /// The folders that were looked in, or the one file.
    pub looked_in: Vec<PathBuf>,
    /// Plugins there whose names are similar.
    pub near: Vec<String>,
    /// A file of that name that is neither a library nor executable.
    pub unusable: Option<PathBuf>,
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.looked_in.iter().map(|place| place.display().to_string()).collect();
        write!(f, "no plugin {:?}; looked in {}", self.name, places.join(", "))?;
        if let Some(file) = &self.unusable {
            let file = file.display();
            return write!(
                f,
                "; {file} is neither a shared library nor executable: chmod +x it if it is a program"
            );
        }
        match self.near.as_slice() {
            [] => write!(f, "; set TICKERD_PLUGIN_PATH to its folder, or give the path of its file"),
            near => write!(f, "; did you mean {}?", near.join(" or ")),
        }
    }
}

impl std::error::Error for FindError {}

/// Finds the plugin called `name_or_path`. The answer's path is absolute.
///
/// If there is a file of that path, relative to `base_dir`, it is the plugin. Else each of [`plugin_folders`] is searched for
/// `lib<name>.so`, `<name>.so`, and an executable `<name>`, which may have `-` for `_`, as cargo names them.
///
/// The folder of this executable may hold programs of all kinds. There, a program is taken for a feed only if its name
/// begins with `tickerd-feed-`.
///
/// # Errors
/// There is no such plugin; the error names the folders and similar plugins.
pub fn find_plugin(name_or_path: &str, base_dir: &Path) -> Result<Plugin, FindError> {
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    find_in(name_or_path, base_dir, &plugin_folders(), beside)
}

/// The source with its plugin found. Done at each start: since the last one, the file may have been installed, or replaced.
pub fn located(source: &Source, base_dir: &Path) -> Result<Source, Failure> {
    let Source::Plugin { path, isolation } = source else { return Ok(source.clone()) };
    let plugin = match path.to_str() {
        Some(name) if !name.contains('/') || base_dir.join(name).is_file() => {
            find_plugin(name, base_dir).map_err(|e| Failure::config(e.to_string()))?
        }
        // If the file is missing, loading it will say so.
        _ => Plugin::Library(path.clone()),
    };
    plugin.source(*isolation)
}

/// Where plugins are looked for, in this order.
pub fn plugin_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(path) = std::env::var_os("TICKERD_PLUGIN_PATH") {
        folders.extend(std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()));
    }
    if let Ok(program) = std::env::current_exe()
        && let Some(beside) = program.parent()
    {
        // A build tree keeps libraries in `deps` as well.
        folders.extend([beside.to_owned(), beside.join("deps")]);
        // An installation under any prefix: PREFIX/bin/tickerd, PREFIX/lib/tickerd/plugins.
        folders.extend(beside.parent().map(|prefix| prefix.join("lib/tickerd/plugins")));
    }
    for installed in ["/usr/local/lib/tickerd/plugins", "/usr/lib/tickerd/plugins"].map(PathBuf::from) {
        if !folders.contains(&installed) {
            folders.push(installed);
        }
    }
    folders
}

fn find_in(
    name: &str,
    base_dir: &Path,
    folders: &[PathBuf],
    beside: Option<&Path>,
) -> Result<Plugin, FindError> {
    let error = |looked_in: &[PathBuf], unusable| FindError {
        name: name.into(),
        looked_in: looked_in.to_vec(),
        near: Vec::new(),
        unusable,
    };
    let path = base_dir.join(name);
    if path.is_file() {
        let path = absolute(path);
        return classify(path.clone()).ok_or_else(|| error(std::slice::from_ref(&path), Some(path.clone())));
    }
    if name.contains('/') || name.is_empty() {
        return Err(error(&[path], None));
    }
    let libraries = if name.ends_with(".so") {
        vec![name.to_owned()]
    } else {
        vec![format!("lib{name}.so"), format!("{name}.so")]
    };
    let programs = [name.to_owned(), name.replace('_', "-")];
    let mut unusable = None;
    for folder in folders {
        let says_so =
            |name: &&String| beside != Some(folder) || name.replace('_', "-").starts_with(PROGRAM_PREFIX);
        for name in libraries.iter().chain(programs.iter().filter(says_so)) {
            let path = folder.join(name);
            if path.is_file() {
                match classify(absolute(path.clone())) {
                    Some(plugin) => return Ok(plugin),
                    None => drop(unusable.get_or_insert(path)),
                }
            }
        }
    }
    Err(FindError { near: near(name, folders), ..error(folders, unusable) })
}

/// Whether a file is a library or a program; none: neither. Any file named `.so` counts as a library: if it is none, loading
/// it will say so.
pub fn classify(path: PathBuf) -> Option<Plugin> {
    if path.extension().is_some_and(|extension| extension == "so") || elf::is_shared_library(&path) {
        Some(Plugin::Library(path))
    } else if access(&path, AccessFlags::X_OK).is_ok() {
        Some(Plugin::Program(path))
    } else {
        None
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn near(name: &str, folders: &[PathBuf]) -> Vec<String> {
    let wanted = name.trim_end_matches(".so").trim_start_matches("lib");
    let mut found: Vec<(f64, String)> = Vec::new();
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(known) = known_as(&file) else { continue };
        // Writing `sim` for `tickerd_feed_sim` is the likeliest mistake, though the letters are not much alike.
        let likeness = if known.contains(wanted) { 1.0 } else { strsim::jaro_winkler(wanted, &known) };
        if likeness > 0.85 && !found.iter().any(|(_, seen)| *seen == known) {
            found.push((likeness, known));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(NEAR_MAX).map(|(_, known)| known).collect()
}

/// The name by which a configuration would name a file in a plugin folder; none: it is not named like a plugin.
pub fn known_as(file: &str) -> Option<String> {
    if let Some(library) = file.strip_suffix(".so") {
        return Some(library.strip_prefix("lib").unwrap_or(library).to_owned());
    }
    // Other files that a build leaves beside a program have a dot in their names.
    (file.starts_with(PROGRAM_PREFIX) && !file.contains('.')).then(|| file.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt;

    /// Folders with files of these names; what ends in `*` is executable.
    fn folders(files: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["first", "second"].map(|name| dir.path().join(name));
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
        }
        for file in files {
            let path = dir.path().join(file.trim_end_matches('*'));
            std::fs::write(&path, b"#!/bin/sh\n").unwrap();
            let mode = if file.ends_with('*') { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        (dir, folders.to_vec())
    }

    #[test]
    fn paths_names_and_mistakes() {
        let files =
            ["second/libtickerd_feed_stocks.so", "second/plain.so", "first/libboth.so", "second/libboth.so"];
        let (dir, mut folders) = folders(&files);
        let (first, second) = (folders[0].clone(), folders[1].clone());
        folders.push(dir.path().join("missing"));
        let find = |name: &str| find_in(name, dir.path(), &folders, None);
        let library = |path: PathBuf| Ok(Plugin::Library(path));
        assert_eq!(find("tickerd_feed_stocks"), library(second.join("libtickerd_feed_stocks.so")));
        assert_eq!(find("plain"), library(second.join("plain.so")));
        assert_eq!(find("both"), library(first.join("libboth.so")), "the first folder wins");
        assert_eq!(find("./second/plain.so"), library(dir.path().join("./second/plain.so")));
        assert_eq!(find("sums/plain.so").unwrap_err().looked_in.len(), 1, "what has a / in it is a path");
        std::fs::write(dir.path().join("plain"), b"").unwrap();
        assert!(find("plain").unwrap_err().unusable.is_some(), "a file that exists is meant, whatever it is");
        assert_eq!(find("tickerd_feed_stoks").unwrap_err().near, ["tickerd_feed_stocks"]);
        let error = find("stocks").unwrap_err();
        assert_eq!(error.looked_in.len(), 3);
        assert!(error.to_string().contains("did you mean tickerd_feed_stocks?"), "{error}");
        assert!(find("./nowhere.so").unwrap_err().to_string().contains("nowhere.so"));
        assert!(find("zzz").unwrap_err().to_string().contains("TICKERD_PLUGIN_PATH"));
    }

    #[test]
    fn programs_are_plugins_too() {
        let files = [
            "first/tickerd-feed-day*",
            "first/two*",
            "first/libtwo.so",
            "first/late*",
            "second/late.so",
            "first/plain",
            "second/plain*",
            "first/forgotten",
        ];
        let (dir, folders) = folders(&files);
        let (first, second) = (&folders[0], &folders[1]);
        let find = |name: &str| find_in(name, dir.path(), &folders, None);
        let program = |path: PathBuf| Ok(Plugin::Program(path));
        assert_eq!(find("tickerd_feed_day"), program(first.join("tickerd-feed-day")));
        assert_eq!(find("tickerd-feed-day"), program(first.join("tickerd-feed-day")));
        assert_eq!(find("./first/two"), program(dir.path().join("./first/two")));
        assert_eq!(find("two"), Ok(Plugin::Library(first.join("libtwo.so"))), "in one folder a library wins");
        assert_eq!(find("late"), program(first.join("late")), "an earlier folder wins");
        assert_eq!(find("plain"), program(second.join("plain")), "what cannot be run is passed over");
        for name in ["forgotten", "./first/forgotten"] {
            let error = find(name).unwrap_err().to_string();
            assert!(error.contains("first/forgotten is neither") && error.contains("chmod +x"), "{error}");
        }
        assert_eq!(find("day").unwrap_err().near, ["tickerd_feed_day"]);
    }

    /// Goal: `plugin = "host"` is not the name server tool that lies beside an installed tickerd.
    #[test]
    fn beside_the_daemon_a_program_says_that_it_is_a_feed() {
        let (dir, folders) = folders(&["first/host*", "first/tickerd-feed-day*"]);
        let find = |name: &str| find_in(name, dir.path(), &folders, Some(&folders[0]));
        assert!(find("host").is_err());
        assert_eq!(find("tickerd_feed_day"), Ok(Plugin::Program(folders[0].join("tickerd-feed-day"))));
    }

    #[test]
    fn a_program_does_not_run_in_process() {
        let day = || Plugin::Program(PathBuf::from("/x/day"));
        assert_eq!(day().source(Isolation::Process), Ok(Source::Exec(vec!["/x/day".into()])));
        let refused = day().source(Isolation::InProcess).unwrap_err();
        assert!(refused.message.contains("delete isolation"), "{}", refused.message);
    }
}
