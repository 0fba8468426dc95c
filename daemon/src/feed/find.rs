//! Finds a plugin's file by its name.

use std::fmt;
use std::path::{Path, PathBuf};

/// Names offered when one is not found.
const NEAR_MAX: usize = 3;

/// Why there is no such plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindError {
    /// What was asked for.
    pub name: String,
    /// The folders that were looked in, or the one file.
    pub looked_in: Vec<PathBuf>,
    /// Plugins there whose names are similar.
    pub near: Vec<String>,
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.looked_in.iter().map(|place| place.display().to_string()).collect();
        write!(f, "no plugin {:?}; looked in {}", self.name, places.join(", "))?;
        match self.near.as_slice() {
            [] => write!(f, "; set TICKERD_PLUGIN_PATH to its folder, or give the path of its file"),
            near => write!(f, "; did you mean {}?", near.join(" or ")),
        }
    }
}

impl std::error::Error for FindError {}

/// The file of the plugin called `name_or_path`: a path relative to `base_dir`, else `lib<name>.so` or `<name>.so` in the
/// first of [`plugin_folders`] that has it. The answer is absolute.
pub fn find_plugin(name_or_path: &str, base_dir: &Path) -> Result<PathBuf, FindError> {
    find_in(name_or_path, base_dir, &plugin_folders())
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

fn find_in(name: &str, base_dir: &Path, folders: &[PathBuf]) -> Result<PathBuf, FindError> {
    let path = base_dir.join(name);
    if path.is_file() && (name.contains('/') || name.ends_with(".so")) {
        return Ok(absolute(path));
    }
    if name.contains('/') || name.is_empty() {
        return Err(FindError { name: name.into(), looked_in: vec![path], near: Vec::new() });
    }
    let names = if name.ends_with(".so") {
        vec![name.to_owned()]
    } else {
        vec![format!("lib{name}.so"), format!("{name}.so")]
    };
    for folder in folders {
        for name in &names {
            let path = folder.join(name);
            if path.is_file() {
                return Ok(absolute(path));
            }
        }
    }
    Err(FindError { name: name.into(), looked_in: folders.to_vec(), near: near(name, folders) })
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn near(name: &str, folders: &[PathBuf]) -> Vec<String> {
    let wanted = name.trim_end_matches(".so").trim_start_matches("lib");
    let mut found: Vec<(f64, String)> = Vec::new();
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(known) = file.strip_suffix(".so") else { continue };
        let known = known.strip_prefix("lib").unwrap_or(known);
        // `sim` for `tickerd_feed_sim` is the likeliest of mistakes, and the least alike by letters.
        let likeness = if known.contains(wanted) { 1.0 } else { strsim::jaro_winkler(wanted, known) };
        if likeness > 0.85 && !found.iter().any(|(_, seen)| seen == known) {
            found.push((likeness, known.to_owned()));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(NEAR_MAX).map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_names_and_mistakes() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        for folder in [&first, &second] {
            std::fs::create_dir(folder).unwrap();
        }
        for file in
            ["second/libtickerd_feed_stocks.so", "second/plain.so", "first/libboth.so", "second/libboth.so"]
        {
            std::fs::write(dir.path().join(file), b"").unwrap();
        }
        let folders = [first.clone(), second.clone(), dir.path().join("missing")];
        let find = |name: &str| find_in(name, dir.path(), &folders);
        assert_eq!(find("tickerd_feed_stocks").unwrap(), second.join("libtickerd_feed_stocks.so"));
        assert_eq!(find("plain").unwrap(), second.join("plain.so"));
        assert_eq!(find("both").unwrap(), first.join("libboth.so"), "the first folder wins");
        assert_eq!(find("./second/plain.so").unwrap(), dir.path().join("./second/plain.so"));
        assert_eq!(find("tickerd_feed_stoks").unwrap_err().near, ["tickerd_feed_stocks"]);
        let error = find("stocks").unwrap_err();
        assert_eq!(error.looked_in.len(), 3);
        assert!(error.to_string().contains("did you mean tickerd_feed_stocks?"), "{error}");
        assert!(find("./nowhere.so").unwrap_err().to_string().contains("nowhere.so"));
        assert!(find("zzz").unwrap_err().to_string().contains("TICKERD_PLUGIN_PATH"));
    }
}
