//! What of a file is never shown: secrets, and whatever stands where one may stand.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Entry, Node, Table, Value, join};
use crate::problem::{Origin, Source};

/// The values of the plugin's own table, and what stands where a secret's place is named.
const PRIVATE: [&str; 8] = [
    "feed.config",
    "auth.token.token",
    "auth.issuer.secret",
    "server.admin_token",
    "server.signing.key",
    "server.signing.previous",
    "cluster.credentials",
    "cluster.password",
];
/// Lists of addresses, in which a user and a password may stand.
const ADDRESSES: &str = "cluster.nats";

/// The table whose keys are not of a fixed set, and no secrets.
pub(crate) const FREE: &str = "bars.keep";

pub(crate) fn is_private(path: &str) -> bool {
    PRIVATE.iter().any(|private| {
        path.strip_prefix(private).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Whether a table holds one of these. What stands in its place and is no table may be a secret.
fn is_holder(path: &str) -> bool {
    let is_below = |place: &&str| place.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    PRIVATE.iter().chain([&ADDRESSES]).any(is_below)
}

/// The places of values that must not be shown: those of a feed's own configuration, and those of keys that are not
/// `known`, since such a key may be a misspelt one of these.
pub(crate) fn hidden(root: &Table, known: &BTreeSet<String>) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    hide_unknown(root, "", known, &mut hidden);
    hidden
}

fn hide_unknown(table: &Table, family: &str, known: &BTreeSet<String>, hidden: &mut Vec<Range<usize>>) {
    for Entry { key, node, .. } in &table.0 {
        let path = join(family, key);
        if is_private(&path) || !known.contains(&path) {
            hide_all(node, hidden);
            continue;
        }
        if path == FREE {
            continue;
        }
        let tables = match &node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for node in tables {
            match &node.value {
                Value::Table(table) => hide_unknown(table, &path, known, hidden),
                Value::String(text) if path == ADDRESSES && !text.contains('@') => {}
                _ if path == ADDRESSES || is_holder(&path) => hide_all(node, hidden),
                _ => {}
            }
        }
    }
}

fn hide_all(node: &Node, hidden: &mut Vec<Range<usize>>) {
    match (&node.value, &node.origin) {
        (Value::Table(table), _) => table.0.iter().for_each(|entry| hide_all(&entry.node, hidden)),
        (Value::Array(items), _) => items.iter().for_each(|item| hide_all(item, hidden)),
        (_, Origin::File(range)) => hidden.push(range.clone()),
        _ => {}
    }
}

/// The part of an unreadable line that must not be shown. There is no tree to ask, so the lines above tell the table and the
/// key that it belongs to. Of a line that goes on with a value begun above nothing is shown, unless that key is one of the
/// `known` ones and cannot hold a secret. Of others the key is shown, or the header of a known table, and of a known key its
/// value too. Unless `is_sound`, a slip above may have moved everything to a wrong place, and nothing is shown.
pub(super) fn in_line(
    source: &Source,
    known: &BTreeSet<String>,
    start: usize,
    line: &str,
    is_sound: bool,
) -> Option<Range<usize>> {
    let mut place = Place::default();
    for above in source.above(start).lines() {
        place.read(above);
    }
    let hides_from = |shown: usize| Some(start + shown..start + line.len());
    if !is_sound || matches!(place.text, Some("\"" | "'")) {
        return hides_from(0);
    }
    if place.is_outside() && line.trim_start().starts_with('[') {
        let shown = header(line);
        let table = table_of(&line[..shown]);
        let is_known = known.iter().any(|key| key == table || key.starts_with(&format!("{table}.")));
        return hides_from(if is_known { shown } else { 0 });
    }
    let own = line.split_once('=').filter(|_| place.is_outside());
    if place.is_outside() {
        place.key = own.map_or(line, |(key, _)| key).trim().to_owned();
    }
    let path = join(&place.family, &place.key);
    let is_known = known.contains(&path) || place.family == FREE;
    let may_hold = path == ADDRESSES || is_holder(&path) || is_private(&path) || is_private(&place.family);
    // What stands behind the value may be the key beside it: `name = "a" token = "…"`.
    let value = own.map_or(line, |(_, value)| value);
    let may_have_more = is_holder(&place.family) && value.contains(['"', '\'', '=']);
    if is_known && !may_hold && !may_have_more {
        return None;
    }
    // A secret that was broken over two lines may look like a key: `c2VjcmV0==`.
    let is_key = |key: &str| !key.trim().is_empty() && key.trim().chars().all(is_bare);
    match own {
        Some((key, value)) if is_key(key) && !value.starts_with('=') => hides_from(key.len() + 1),
        _ => hides_from(0),
    }
}

/// Letters of a key without quotes.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// How much of a line that begins with `[` is a header: `[feed.config] key = …` has 13 letters of it.
fn header(line: &str) -> usize {
    let rest = line.trim_start().trim_start_matches('[').trim_start_matches(is_bare).trim_start_matches(']');
    line.len() - rest.len()
}

fn table_of(header: &str) -> &str {
    header.trim().trim_matches(['[', ']'])
}

/// Where in a file a line is, as far as the lines before tell it.
#[derive(Default)]
struct Place {
    family: String,
    key: String,
    /// The quote of a text that is not closed. A text of one line that is not closed counts as one that goes on: from there on
    /// nobody knows what is a text, and nothing is shown.
    text: Option<&'static str>,
    /// Brackets and braces that are open.
    depth: usize,
}

impl Place {
    fn is_outside(&self) -> bool {
        self.text.is_none() && self.depth == 0
    }

    fn read(&mut self, line: &str) {
        let trimmed = line.trim_start();
        if self.is_outside() && trimmed.starts_with('[') {
            self.family = table_of(&trimmed[..header(trimmed)]).to_owned();
            self.key.clear();
            return;
        }
        if let Some((key, _)) = line.split_once('=').filter(|_| self.is_outside()) {
            self.key = key.trim().to_owned();
        }
        self.pass(line);
    }

    /// Passes over the texts, brackets and comments of a line.
    fn pass(&mut self, mut rest: &str) {
        while let Some(c) = rest.chars().next() {
            let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
            let mut taken = c.len_utf8();
            match (self.text, quote) {
                (Some(open), _) if rest.starts_with(open) => {
                    self.text = None;
                    taken = open.len();
                }
                (Some("\"" | "\"\"\""), _) if c == '\\' => {
                    taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
                }
                (Some(_), _) => {}
                (None, Some(quote)) => {
                    self.text = Some(quote);
                    taken = quote.len();
                }
                (None, None) => match c {
                    '#' => return,
                    '[' | '{' => self.depth += 1,
                    ']' | '}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                },
            }
            rest = &rest[taken..];
        }
    }
}
