//! A key that is not known: the one that was meant, or the table it belongs to.

use std::collections::BTreeSet;

use super::document::{LISTS, join};
use super::environment;
use super::problem::{Code, Origin, Problem, Source};

/// Names in other daemons' configurations, and the keys they mean here.
const SYNONYMS: [(&str, &str); 15] = [
    ("bind", "listen"),
    ("address", "listen"),
    ("addresses", "listen"),
    ("port", "listen"),
    ("host", "listen"),
    ("workers", "shards"),
    ("threads", "shards"),
    ("allowed_origins", "origins"),
    ("allowed_hosts", "hosts"),
    ("push_interval", "interval"),
    ("poll_interval", "poll"),
    ("command", "exec"),
    ("library", "plugin"),
    ("path", "plugin"),
    ("feeds", "feed"),
];

/// Most places that are offered for a key that several tables have.
const PLACES_MAX: usize = 3;

pub(super) fn unknown_problem(
    source: &Source,
    known: &BTreeSet<String>,
    section: &str,
    key: &str,
    origin: &Origin,
) -> Problem {
    let family: String =
        section.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
    let here: Vec<&str> = known
        .iter()
        .filter_map(|path| match family.as_str() {
            "" => Some(path.as_str()),
            family => path.strip_prefix(family)?.strip_prefix('.'),
        })
        .filter(|rest| !rest.contains('.'))
        .collect();
    let change = match origin {
        Origin::Environment(name) => environment::meant(known, name)
            .unwrap_or_else(|| "unset it, or use the name of a key that a variable can set".to_owned()),
        _ => match nearest(key, here.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if family == "feed" => {
                format!("if `{key}` is a key of what the feed runs, move it below [feed.config]")
            }
            None => elsewhere(known, &family, key)
                .unwrap_or_else(|| "delete the line, or use one of the keys".to_owned()),
        },
    };
    let place = if family.is_empty() { "at the top".to_owned() } else { format!("in {family}") };
    Problem::new(source, origin, &join(section, key), &format!("there is no key `{key}` {place}"))
        .code(Code::UnknownKey)
        .allowed(here.join(", "))
        .change(change)
}

/// The tables that have a key of this name, those nearest to where it is written.
fn elsewhere(known: &BTreeSet<String>, family: &str, key: &str) -> Option<String> {
    let is_table = |path: &String| known.iter().any(|other| is_below(other, path));
    let shared =
        |path: &String| family.split('.').zip(path.split('.')).take_while(|(one, two)| one == two).count();
    // The most shared parts first, then what is a value and not a table of it, then the least deep.
    let rank = |path: &String| (usize::MAX - shared(path), is_table(path), path.split('.').count());
    let named: Vec<&String> = known.iter().filter(|path| path.rsplit('.').next() == Some(key)).collect();
    let best = named.iter().map(|path| rank(path)).min()?;
    let places: Vec<(&str, String)> =
        named.into_iter().filter(|path| rank(path) == best).map(|path| place(path)).collect();
    match places.as_slice() {
        [] => None,
        [("", _)] if is_list(key) => Some(format!("write [[{key}]] on a line of its own and its keys below")),
        [("", _)] => Some(format!("`{key}` belongs at the top of the file")),
        [("feed", _)] => Some(format!("`{key}` belongs to a feed: move it below its [[feed]]")),
        [("server.listen", _)] => Some(format!(
            "`{key}` belongs to a listener: write listen = [{{ address = \"ADDRESS:PORT\", {key} = … }}] in [server]"
        )),
        more if more.len() > PLACES_MAX => None,
        some => {
            let headers: Vec<&str> = some.iter().map(|(_, header)| header.as_str()).collect();
            Some(format!("`{key}` belongs below {}: move it there", headers.join(" or ")))
        }
    }
}

/// The table of a key, and its header.
fn place(path: &str) -> (&str, String) {
    let table = path.rsplit_once('.').map_or("", |(table, _)| table);
    let header = if is_list(table) { format!("[[{table}]]") } else { format!("[{table}]") };
    (table, header)
}

/// Whether it is written `[[…]]`.
fn is_list(table: &str) -> bool {
    LISTS.iter().any(|list| list.join(".") == table)
}

/// Whether a key is in a table, at any depth.
pub(super) fn is_below(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// The candidate that was most likely meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let candidates: Vec<&str> = candidates.collect();
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
    if let Some(found) = candidates.iter().find(|candidate| Some(**candidate) == synonym) {
        return Some(found);
    }
    let near = candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| *candidate);
    // `window` may be `window_bits`, if no other key has this part.
    let mut parts = candidates.iter().filter(|candidate| candidate.split('_').any(|part| part == word));
    near.or_else(|| parts.next().copied().filter(|_| parts.next().is_none()))
}
