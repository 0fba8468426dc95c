//! The files of a configuration: the one that is named, and those of the folder `conf.d` beside it.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::problem::{Code, Origin, Problem, Source};

/// The folder beside the configuration file whose files are laid over it.
const FOLDER: &str = "conf.d";
/// Files of other kinds are not read, as editors and package managers leave some behind.
const ENDING: &str = "toml";
/// Most files in the folder.
const FILES_MAX: usize = 256;
/// Largest file that is read, in bytes. A real configuration has a few KiB; a larger file was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of every file of a configuration, and what of them cannot be read. None if it is the file itself.
pub(super) fn read_all(file: &Path) -> (Option<Source>, Vec<Problem>) {
    let shown = |file: &Path| file.display().to_string();
    let text = match read(file) {
        Ok(text) => text,
        Err(unread) => return (None, vec![unreadable(shown(file), unread)]),
    };
    let mut source = Source::of(shown(file), &text);
    let mut problems = Vec::new();
    match beside(file) {
        Ok(files) => {
            for file in files {
                match read(&file) {
                    Ok(text) => source.push(shown(&file), &text),
                    Err((what, _)) => {
                        let change = "let tickerd's user read it, or give it another ending than .toml";
                        problems.push(unreadable(shown(&file), (what, change)));
                    }
                }
            }
        }
        Err((folder, unread)) => problems.push(unreadable(shown(&folder), unread)),
    }
    (Some(source), problems)
}

/// The files that a configuration is read from, in their order: the file itself, and those of `conf.d` beside it. Those of a
/// folder that cannot be read are left out.
pub fn files_of(file: &Path) -> Vec<PathBuf> {
    std::iter::once(file.to_owned()).chain(beside(file).unwrap_or_default()).collect()
}

type Unread = (String, &'static str);

/// The files of `conf.d` beside this one, by name. The error names the folder.
fn beside(file: &Path) -> Result<Vec<PathBuf>, (PathBuf, Unread)> {
    let folder = file.with_file_name(FOLDER);
    let unread = |error: std::io::Error| {
        let change = "let tickerd's user read it, or remove it";
        (folder.clone(), (format!("the folder cannot be read: {error}"), change))
    };
    // A link that leads nowhere is no folder that is not there.
    match std::fs::symlink_metadata(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        known => known.map_err(unread)?,
    };
    let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut files: Vec<PathBuf> = entries.map_err(unread)?.iter().map(std::fs::DirEntry::path).collect();
    files.retain(|file| {
        let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !is_hidden && file.extension().is_some_and(|ending| ending == ENDING)
    });
    files.sort();
    if files.len() > FILES_MAX {
        let what =
            format!("there are {} files in this folder, and at most {FILES_MAX} are read", files.len());
        return Err((folder, (what, "join some of them")));
    }
    Ok(files)
}

/// The folder at which relative paths start, those of `conf.d` too.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn unreadable(name: String, (what, change): Unread) -> Problem {
    Problem::new(&Source::of(name, ""), &Origin::Nowhere, "", &what).code(Code::UnreadableFile).change(change)
}

/// The text of a file. The error says what is wrong and what to change.
fn read(file: &Path) -> Result<String, Unread> {
    const NAME_ANOTHER: &str = "name another file; `tickerd run` without one has a built-in configuration";
    let readable = |error: std::io::Error| (format!("the file cannot be read: {error}"), NAME_ANOTHER);
    let opened = std::fs::File::open(file).map_err(readable)?;
    if opened.metadata().map_err(readable)?.is_dir() {
        return Err(("this is a folder, not a file".to_owned(), "name the file in it, such as tickerd.toml"));
    }
    let mut bytes = Vec::new();
    // The size in the metadata is not used, since pipes and devices have none.
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(readable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("the file has more than {FILE_BYTES_MAX} bytes, the most that is read");
        return Err((what, "name a configuration file; data does not belong in it"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        (format!("line {line} is not valid UTF-8"), "save the file as UTF-8")
    })
}
