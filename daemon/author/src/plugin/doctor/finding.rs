//! Where a plugin or program was looked for, and what to do when it is not there.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use tickerd_host::{FindError, plugin_folders};

/// Says that a plugin is not found, and where it was looked for.
pub fn not_found(e: &FindError, base_dir: &Path) -> String {
    if let Some(file) = &e.unusable {
        return format!("{} is neither a shared library nor executable", file.display());
    }
    if e.name.contains('/') {
        return format!("there is no file {}", base_dir.join(&e.name).display());
    }
    let mut what = format!("no plugin {:?} here:", e.name);
    for folder in plugin_folders() {
        let state = match std::fs::read_dir(&folder) {
            Ok(entries) => format!("{} files", entries.count()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "is not there".to_owned(),
            Err(e) => format!("cannot be read: {e}"),
        };
        what.push_str(&format!("\n{} ({state})", folder.display()));
    }
    what
}

/// What to do about a plugin that is not found.
pub fn remedy_of(e: &FindError) -> String {
    match (&e.unusable, e.near.as_slice()) {
        (Some(file), _) => {
            let file = file.display();
            format!("chmod +x {file} if it is a program; a library is named .so")
        }
        (None, []) if e.name.contains('/') => "build it, or correct its path".to_owned(),
        (None, []) => {
            "copy it into one of these folders, set TICKERD_PLUGIN_PATH to its own, or give the path of its \
                       file"
                .to_owned()
        }
        (None, near) => format!("did you mean {}?", near.join(" or ")),
    }
}

/// The file that would be run for a program of this name.
pub fn find_program(program: &str, base_dir: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        let path = base_dir.join(program);
        return path.is_file().then_some(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file() && access(path, AccessFlags::X_OK).is_ok())
}
