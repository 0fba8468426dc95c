//! `tickerd plugin list`: the plugins in the plugin folders, and the files there that are not used, with the reason.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::stdout;
use tickerd_host::elf::{self, ENTRY, Kind};
use tickerd_host::{Meta, Plugin, known_as, plugin_folders};

/// `tickerd plugin list …`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A plugin is used by its name (plugin = \"NAME\" of a [[feed]]); the first folder that has it wins.
Folders: those of TICKERD_PLUGIN_PATH, beside this executable and in its deps/, PREFIX/lib/tickerd/plugins,
/usr/local/lib/tickerd/plugins, /usr/lib/tickerd/plugins."
)]
pub struct ListArgs {
    /// List every file that is no plugin, too, with the reason.
    #[arg(long)]
    all: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Listing {
    plugins: Vec<Listed>,
    skipped: Vec<Skipped>,
    folders: Vec<Folder>,
}

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    kind: &'static str,
    version: Option<String>,
    abi: Option<String>,
    feeds: Vec<String>,
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Skipped {
    file: PathBuf,
    why: String,
    /// True in a folder that holds other files as well, where a file that is no plugin is no surprise.
    expected: bool,
}

#[derive(Debug, Serialize)]
struct Folder {
    path: PathBuf,
    state: String,
}

/// Does what the arguments say.
pub fn run(args: &ListArgs) -> ExitCode {
    let listing = look_in(&plugin_folders(), std::env::current_exe().ok().as_deref().and_then(Path::parent));
    let text = if args.json {
        let json = serde_json::to_string(&listing).expect("text always serialises into memory");
        format!("{json}\n")
    } else {
        text(&listing, args.all)
    };
    stdout::print("plugin list", &text, ExitCode::SUCCESS)
}

/// Lists these folders. `beside` is this executable's folder, which holds other files too.
fn look_in(folders: &[PathBuf], beside: Option<&Path>) -> Listing {
    let mut listing = Listing::default();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut seen: HashSet<(u64, u64)> = HashSet::new();
    for folder in folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) => {
                let state = match e.kind() {
                    std::io::ErrorKind::NotFound => "is not there".to_owned(),
                    _ => format!("cannot be read: {e}"),
                };
                listing.folders.push(Folder { path: folder.clone(), state });
                continue;
            }
        };
        let mixed = beside.is_some_and(|beside| folder.starts_with(beside));
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut found = 0;
        for file in files.into_iter().filter(|file| file.is_file()) {
            // A build tree has each library twice, as hard links to one file.
            let new = std::fs::metadata(&file).is_ok_and(|meta| seen.insert((meta.dev(), meta.ino())));
            if !new {
                continue;
            }
            match listed(&file) {
                Ok(plugin) => match names.get(&plugin.name) {
                    Some(first) => {
                        let why = format!("{} has the same name and comes first", first.display());
                        listing.skipped.push(Skipped { file, why, expected: false });
                    }
                    None => {
                        found += 1;
                        names.insert(plugin.name.clone(), file);
                        listing.plugins.push(plugin);
                    }
                },
                Err(why) => listing.skipped.push(Skipped { file, why, expected: mixed }),
            }
        }
        let state = format!("{found} plugin{}", if found == 1 { "" } else { "s" });
        listing.folders.push(Folder { path: folder.clone(), state });
    }
    listing
}

fn listed(file: &Path) -> Result<Listed, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let known = known_as(&name)
        .ok_or("its name is none of a plugin: NAME.so, libNAME.so, or tickerd-feed-NAME of a program")?;
    let mut plugin = Listed {
        name: known,
        kind: "program",
        version: None,
        abi: None,
        feeds: Vec::new(),
        file: file.to_owned(),
    };
    match tickerd_host::classify(file.to_owned()) {
        None => {
            return Err(
                "it is neither a shared library nor executable: chmod +x it if it is a program".into()
            );
        }
        Some(Plugin::Program(_)) => return Ok(plugin),
        Some(Plugin::Library(_)) => {}
    }
    let elf = elf::read(file).map_err(|e| e.to_string())?;
    if elf.head.kind != Kind::Library {
        return Err("it is no shared library, though its name ends in .so".into());
    }
    if super::loader::machine().is_some_and(|here| here != elf.head.machine) {
        return Err(format!("it is for {}", elf.head.machine));
    }
    if !elf.exports_entry {
        return Err(format!("it does not export {ENTRY}"));
    }
    plugin.kind = "library";
    if let Some(Ok(meta)) = elf.meta.as_deref().map(Meta::parse) {
        (plugin.version, plugin.abi, plugin.feeds) = (Some(meta.version), Some(meta.abi), meta.feeds);
    }
    Ok(plugin)
}

fn text(listing: &Listing, all: bool) -> String {
    let mut text = String::new();
    let width = listing.plugins.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0);
    for plugin in &listing.plugins {
        let or_dash =
            |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).unwrap_or("-".into());
        let _ = writeln!(
            text,
            "{:<width$}  {:<8} {:<10} ABI {:<5} {}",
            plugin.name,
            or_dash(&plugin.version),
            plugin.kind,
            or_dash(&plugin.abi),
            plugin.file.display()
        );
    }
    let (shown, hidden): (Vec<_>, Vec<_>) =
        listing.skipped.iter().partition(|skipped| all || !skipped.expected);
    for skipped in shown {
        let _ = writeln!(text, "skipped: {}: {}", skipped.file.display(), skipped.why);
    }
    if !hidden.is_empty() {
        let _ = writeln!(
            text,
            "{} other files beside this executable are no plugins; --all lists them",
            hidden.len()
        );
    }
    for folder in &listing.folders {
        let _ = writeln!(text, "folder:  {} ({})", folder.path.display(), folder.state);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn every_file_is_listed_or_has_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second, gone] = ["first", "second", "gone"].map(|name| dir.path().join(name));
        for (folder, name, mode) in [
            (&first, "tickerd-feed-day", 0o755),
            (&first, "notes.txt", 0o644),
            (&first, "text.so", 0o644),
            (&second, "tickerd-feed-day", 0o755),
            (&second, "tickerd-feed-night", 0o644),
        ] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(name), format!("#!/bin/sh\n# {name}")).unwrap();
            std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let listing = look_in(&[first.clone(), second.clone(), gone], None);
        let names: Vec<&str> = listing.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        assert_eq!(names, ["tickerd_feed_day"]);
        for (file, why) in [
            (first.join("notes.txt"), "none of a plugin"),
            (first.join("text.so"), "no ELF file"),
            (second.join("tickerd-feed-day"), "comes first"),
            (second.join("tickerd-feed-night"), "chmod +x"),
        ] {
            let skipped = listing.skipped.iter().find(|skipped| skipped.file == file);
            assert!(skipped.is_some_and(|skipped| skipped.why.contains(why)), "{file:?}: {listing:?}");
        }
        let text = text(&listing, false);
        assert!(text.contains("gone (is not there)") && text.contains("first (1 plugin)"), "{text}");
    }
}
