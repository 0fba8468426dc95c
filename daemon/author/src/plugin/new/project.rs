//! A project's files: those of a template, renamed, and what they need of tickerd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::language::Language;
use super::manifest;
use super::name::Name;
use super::templates::{COMMON, GUIDE, HEADER, SDK, Template, TemplateFile};

/// Where the SDK is in a project; and in an example, where it is two folders up.
const SDK_FOLDER: &str = "sdk";
const SDK_OF_EXAMPLES: &str = "../..";
/// The version that a project begins with, which the examples' `Cargo.toml` have.
const FIRST_VERSION: &str = "0.1.0";

/// The files of a project, with their paths in its folder.
pub struct Project {
    files: Vec<(PathBuf, String)>,
}

impl Project {
    /// A project of this template, with this name.
    pub fn of(template: &Template, name: &Name) -> Project {
        let stands_in =
            |file: &&TemplateFile| !template.instead.iter().any(|instead| instead.path == file.path);
        let own = template.files.iter().filter(stands_in).chain(template.instead);
        let mut files: Vec<(PathBuf, String)> = own
            .map(|file| renamed(file, template.folder, name))
            .chain(COMMON.iter().map(|file| renamed(file, "common", name)))
            .collect();
        let sdk = Path::new(SDK_FOLDER);
        let has = |languages: &[Language]| languages.contains(&template.language);
        let (header, source) = (has(&[Language::Rust, Language::C, Language::Cpp]), has(&[Language::Rust]));
        files.push((sdk.join(GUIDE.path), standing_alone(GUIDE.text, header, source)));
        if header {
            files.push((sdk.join(HEADER.path), HEADER.text.into()));
        }
        if source {
            files.extend(SDK.iter().map(|file| (sdk.join("src").join(file.path), file.text.to_owned())));
            files.push((sdk.join("Cargo.toml"), manifest::sdk()));
            files.push((
                PathBuf::from("Cargo.lock"),
                manifest::lock(name.as_str(), FIRST_VERSION, &["serde"]),
            ));
        }
        Project { files }
    }

    /// Writes all files, or none: they are written into a folder beside `folder`, which is then renamed.
    ///
    /// # Errors
    /// What is in the way, and what to do.
    pub fn write(&self, folder: &Path) -> Result<(), String> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let shown = folder.display();
            return Err(format!(
                "{shown} is there already and not empty, and nothing in it is touched; choose another name, or another \
                 folder with --dir"
            ));
        }
        let failed =
            |what: &Path, error: std::io::Error| format!("{} cannot be written: {error}", what.display());
        let name = folder.file_name().ok_or_else(|| {
            format!("{} is no folder that can be made; name one that is not there yet", folder.display())
        })?;
        let parent = match folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        let half = parent.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let made = self.fill(&half).map_err(|(what, error)| failed(&what, error));
        let moved = made.and_then(|()| fs::rename(&half, folder).map_err(|error| failed(folder, error)));
        if moved.is_err() {
            // This may fail as well. The reason that counts is the first one.
            drop(fs::remove_dir_all(&half));
        }
        moved
    }

    fn fill(&self, folder: &Path) -> Result<(), (PathBuf, std::io::Error)> {
        for (path, text) in &self.files {
            let path = folder.join(path);
            let fill = || {
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                fs::write(&path, text)?;
                if text.starts_with("#!") {
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                }
                Ok(())
            };
            fill().map_err(|error| (path.clone(), error))?;
        }
        Ok(())
    }
}

/// A file of the example in `folder`, with the example's name replaced, which is made from its folder's.
fn renamed(file: &TemplateFile, folder: &str, name: &Name) -> (PathBuf, String) {
    let (dashed, lined) = (format!("example-{folder}"), format!("example_{}", folder.replace('-', "_")));
    // In one pass, so that a part of the new name is not replaced again.
    let rename = |text: &str| {
        let parts: Vec<String> =
            text.split(&dashed).map(|part| part.replace(&lined, &name.identifier())).collect();
        parts.join(name.as_str())
    };
    let mut text = rename(file.text);
    if matches!(file.path, "Makefile" | "Cargo.toml") {
        text = text.replace(SDK_OF_EXAMPLES, SDK_FOLDER);
    }
    if file.path == "Cargo.toml" {
        // A workspace of its own, so that it may be put into any folder.
        text += "\n[workspace]\n\n[profile.release]\ndebug = \"line-tables-only\"\n";
    }
    (PathBuf::from(rename(file.path)), text)
}

/// The guide. Links to files that are not in the project lead to the repository.
fn standing_alone(guide: &str, header: bool, source: bool) -> String {
    let repository = manifest::repository();
    let mut text = guide.replace("](../", &format!("]({repository}/blob/main/"));
    let folders =
        [("abi", false), ("examples", false), ("include", header), ("kinds", false), ("src", source)];
    for (folder, here) in folders {
        if here {
            continue;
        }
        text =
            text.replace(&format!("]({folder}/"), &format!("]({repository}/blob/main/plugins-sdk/{folder}/"));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use tickerd_host::Mode;

    fn project(language: Language, mode: Option<Mode>) -> Project {
        Project::of(&Template::of(language, mode), &Name::new("north-sea", language).unwrap())
    }

    #[test]
    fn nothing_of_the_example_is_left() {
        for &language in Language::value_variants() {
            for mode in [Mode::Poll, Mode::Push] {
                let files = project(language, Some(mode)).files;
                let mut paths: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
                for path in [
                    "Makefile",
                    "README.md",
                    "tickerd.toml",
                    "LICENSE",
                    ".gitignore",
                    ".github/workflows/ci.yml",
                ] {
                    assert!(paths.contains(&Path::new(path)), "{language:?} {mode:?}: no {path}");
                }
                paths.sort_unstable();
                assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
                for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("sdk")) {
                    let shown = path.display();
                    assert!(!shown.to_string().contains("example"), "{shown}");
                    let left = text.replace("org.example", "").contains("example") || text.contains("../..");
                    assert!(!left, "{language:?} {mode:?}: {shown}:\n{text}");
                }
                let said = format!("\"mode\":\"{}\"", mode.as_str()).replace('"', "");
                let says = |text: &str| text.replace(['"', ' '], "").replace('=', ":").contains(&said);
                let abi = if mode == Mode::Poll { "TKR_MODE_POLL" } else { "TKR_MODE_PUSH" };
                let rust = format!("export!({}:", mode.as_str());
                let own = files.iter().filter(|(path, _)| !path.starts_with("sdk"));
                assert!(
                    own.into_iter().any(|(_, text)| says(text) || text.contains(abi) || text.contains(&rust)),
                    "{language:?} {mode:?}"
                );
            }
        }
    }

    #[test]
    fn a_name_like_an_examples_is_taken_as_it_is() {
        let name = Name::new("my-example_c-example-c", Language::C).unwrap();
        let files = Project::of(&Template::of(Language::C, None), &name).files;
        let text = |name: &str| files.iter().find(|(path, _)| path == Path::new(name)).unwrap().1.clone();
        assert!(
            text("tickerd.toml").contains("name = \"my-example_c-example-c\""),
            "{}",
            text("tickerd.toml")
        );
    }

    /// Goal: every link of the guide leads somewhere: into the project, to an address, or down the page.
    #[test]
    fn the_guides_links_lead_somewhere() {
        for language in [Language::Rust, Language::C, Language::Sh] {
            let files = project(language, None).files;
            let guide = &files.iter().find(|(path, _)| path == Path::new("sdk/README.md")).unwrap().1;
            let links: Vec<&str> =
                guide.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
            assert!(links.len() > 5, "{links:?}");
            for link in links {
                let there = link.starts_with("https://")
                    || link.starts_with('#')
                    || files.iter().any(|(path, _)| *path == Path::new("sdk").join(link));
                assert!(there, "{language:?}: {link}");
            }
        }
    }

    #[test]
    fn names_become_identifiers_where_they_must() {
        let files = project(Language::Rust, None).files;
        let text = |name: &str| files.iter().find(|(path, _)| path == Path::new(name)).unwrap().1.clone();
        assert!(text("Makefile").contains("libnorth_sea.so north-sea.so"));
        assert!(text("tests/feed.rs").contains("north_sea::tickerd_plugin_v1"));
        assert!(
            text("Cargo.toml").contains("name = \"north-sea\"")
                && text("Cargo.toml").contains("path = \"sdk\"")
        );
        assert!(text("Cargo.lock").contains("name = \"north-sea\""));
        assert!(!text("sdk/README.md").contains("](../"));
    }
}
