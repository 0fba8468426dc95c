//! Which file of a crate imports which: by its `use` lines, and by paths that begin with `crate::` in its code. What is for
//! tests alone does not count, and neither does `mod`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;

/// The imports of a crate: pairs of files, each once.
pub fn of(house: &Path) -> BTreeSet<(String, String)> {
    let files: BTreeMap<Module, (String, String)> = super::sources(house)
        .iter()
        .map(|file| file.to_string_lossy().into_owned())
        .filter(|file| !file.split('/').any(|part| part.trim_end_matches(".rs").ends_with("tests")))
        .map(|file| (module(&file), (file.clone(), product(&fs::read_to_string(house.join(&file)).unwrap()))))
        .collect();
    let modules: BTreeSet<&Module> = files.keys().collect();
    let uses: BTreeMap<&Module, Vec<Module>> =
        files.iter().map(|(module, (_, text))| (module, paths(text, module, &modules))).collect();
    let mut found = BTreeSet::new();
    for (from, paths) in &uses {
        for path in paths {
            let owner = owner(path, &modules, &uses, 0);
            if owner != **from {
                found.insert((files[*from].0.clone(), files[&owner].0.clone()));
            }
        }
    }
    found
}

/// The folder that a file is in; `board.rs` is in that of `board/`'s parent.
pub fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Groups of files that import one another, directly or through others of the group.
pub fn circles(imports: &BTreeSet<(String, String)>) -> Vec<BTreeSet<String>> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _) in imports {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.as_str()]);
        while let Some(file) = left.pop() {
            let next = imports.iter().filter(|(other, _)| other == file).map(|(_, to)| to.as_str());
            left.extend(next.filter(|to| seen.insert(*to)));
        }
        reached.insert(from, seen);
    }
    let mut circles: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (file, seen) in &reached {
        let circle: BTreeSet<String> = seen
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| other.to_string())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn module(file: &str) -> Module {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" || path == "main" {
        return Vec::new();
    }
    path.split('/').map(str::to_owned).collect()
}

/// The text without comments, and without the items that are for tests alone.
fn product(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        // The item ends with the line that stands as far left as it began and closes it.
        let indent = &line[..line.len() - line.trim_start().len()];
        let is_last = |line: &str| {
            let rest = line.strip_prefix(indent).filter(|rest| !rest.starts_with(' '));
            rest.is_some_and(|rest| rest.ends_with([';', '}']))
        };
        lines.find(|line| is_last(line));
    }
    kept.join("\n")
}

/// Every path that is imported or named from `crate`, in full.
fn paths(text: &str, module: &Module, modules: &BTreeSet<&Module>) -> Vec<Module> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let starts = at == 0 || rest[..at].ends_with(['\n', ' ', ')']);
        let body = &rest[at + 4..];
        let end = body.find(';').unwrap_or(body.len());
        if starts {
            for path in leaves(&body[..end]) {
                found.extend(full(&path, module, modules));
            }
        }
        rest = &body[end..];
    }
    for (at, _) in text.match_indices("crate::") {
        let path: String =
            text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        if text[at + path.len()..].starts_with('{') {
            continue; // the head of a `use crate::{…}`: its leaves were found above, and it is no import of lib.rs
        }
        let path: Vec<String> = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        found.extend(full(&path, module, modules));
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![
            path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
        ];
    };
    let head: Vec<String> =
        tree[..open].split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let inner =
        if tree.trim_end().ends_with('}') { &tree[open + 1..tree.trim_end().len() - 1] } else { inner };
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    let tails = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| leaves(part));
    tails.map(|tail| head.iter().cloned().chain(tail).collect()).collect()
}

/// A path from the crate's root; none for one of another crate.
fn full(path: &[String], module: &Module, modules: &BTreeSet<&Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut base = module.clone();
    let rest = match first.as_str() {
        "crate" => {
            base.clear();
            rest
        }
        "self" => rest,
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            base.truncate(module.len().checked_sub(ups)?);
            &path[ups..]
        }
        name => {
            let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
            modules.contains(&child).then_some(())?;
            path
        }
    };
    let tail = rest.iter().filter(|part| *part != "self").cloned();
    Some(base.into_iter().chain(tail).collect())
}

/// The file that a path leads to, also where it is passed on by `pub use`.
fn owner(
    path: &Module,
    modules: &BTreeSet<&Module>,
    uses: &BTreeMap<&Module, Vec<Module>>,
    depth: usize,
) -> Module {
    let len = (0..=path.len()).rev().find(|len| modules.contains(&path[..*len].to_vec())).unwrap_or(0);
    let found = path[..len].to_vec();
    let Some(name) = path.get(len).filter(|_| depth < 8) else { return found };
    let passed_on =
        uses.get(&found).into_iter().flatten().find(|other| other.last() == Some(name) && *other != path);
    match passed_on {
        Some(other) => owner(other, modules, uses, depth + 1),
        None => found,
    }
}
