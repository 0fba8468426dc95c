//! Where in the file a setting is written, for problems that are found later: a plugin is missing, or a port is
//! taken.

use super::document::join;
use super::document::{Node, Table, Value};
use super::problem::{Code, Origin, Place, Problem, Source};

/// The configuration's text and tree, to find the place of a key.
#[derive(Debug, Clone)]
pub struct Places {
    pub(super) source: Source,
    pub(super) root: Table,
}

/// A problem that was found outside the configuration.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong.
    pub what: String,
    /// What would be right: allowed values, with range and unit. May be empty.
    pub allowed: String,
    /// What to change.
    pub change: String,
    /// Whether the problem is the key itself, and not its value.
    pub is_key: bool,
}

impl Places {
    /// The problem at a key, such as `["server", "listen", "0"]`, or at the nearest table around it that is written.
    pub fn problem(&self, path: &[&str], finding: Finding) -> Problem {
        let (origin, key) = self.find(path, finding.is_key);
        Problem::new(&self.source, &origin, &key, &finding.what)
            .code(finding.code)
            .allowed(finding.allowed)
            .change(finding.change)
    }

    /// Where a key that is in no list is written, in short: `tickerd.toml:12`, or that it is not.
    pub fn place(&self, path: &[&str]) -> String {
        let mut table = Some(&self.root);
        for step in path {
            let Some(node) = table.and_then(|table| table.find(step)) else {
                return "not written".to_owned();
            };
            table = match &node.value {
                Value::Table(table) => Some(table),
                _ => None,
            };
        }
        match self.problem(path, Finding { is_key: true, ..Finding::default() }).place {
            Place::File(spot) => format!("{}:{}", spot.name, spot.line),
            Place::WholeFile { name } | Place::Environment { name } => name,
            Place::Flag { name } => name.to_owned(),
            Place::Unplaced => String::new(),
        }
    }

    /// The problem at a key of the feed of this name.
    pub fn feed_problem(&self, feed: &str, path: &[&str], finding: Finding) -> Problem {
        let at =
            self.feeds().iter().position(|node| name_of(node) == Some(feed)).unwrap_or_default().to_string();
        self.problem(&[&["feed", &at], path].concat(), finding)
    }

    /// Whether a key of the feed of this name is written.
    pub fn is_in_feed(&self, feed: &str, key: &str) -> bool {
        self.feeds()
            .iter()
            .find(|node| name_of(node) == Some(feed))
            .is_some_and(|node| matches!(&node.value, Value::Table(table) if table.find(key).is_some()))
    }

    /// How many `[[feed]]` are written, complete or not.
    pub fn feeds_written(&self) -> usize {
        self.feeds().len()
    }

    /// What is written at a key of a table.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        let (last, tables) = path.split_last()?;
        let table = tables.iter().try_fold(&self.root, |table, key| match &table.find(key)?.value {
            Value::Table(table) => Some(table),
            _ => None,
        })?;
        table.find(last)
    }

    fn feeds(&self) -> &[Node] {
        match self.root.find("feed").map(|node| &node.value) {
            Some(Value::Array(feeds)) => feeds,
            _ => &[],
        }
    }

    /// Where the key is written, and its path as users write it.
    fn find(&self, path: &[&str], is_key: bool) -> (Origin, String) {
        let mut origin = Origin::Nowhere;
        let mut key = String::new();
        let mut table = Some(&self.root);
        let mut items: &[Node] = &[];
        for (at, step) in path.iter().enumerate() {
            let is_last = at + 1 == path.len();
            let index = step.parse::<usize>().ok().filter(|_| table.is_none());
            let node = match index {
                Some(index) => items.get(index),
                None => table.and_then(|table| table.find(step)),
            };
            key = match index {
                Some(index) => format!("{key}[{index}]"),
                None => join(&key, step),
            };
            let key_origin = table.and_then(|table| table.0.iter().find(|entry| entry.key == *step));
            match (node, key_origin) {
                (_, Some(entry)) if is_last && is_key => origin = entry.key_origin.clone(),
                (Some(node), _) => origin = node.origin.clone(),
                (None, _) => {}
            }
            (table, items) = match node.map(|node| &node.value) {
                Some(Value::Table(table)) => (Some(table), &[][..]),
                Some(Value::Array(items)) => (None, items.as_slice()),
                _ => (None, &[][..]),
            };
        }
        (origin, key)
    }
}

fn name_of(feed: &Node) -> Option<&str> {
    let Value::Table(table) = &feed.value else { return None };
    match table.find("name").map(|node| &node.value) {
        Some(Value::String(name)) => Some(name),
        _ => None,
    }
}
