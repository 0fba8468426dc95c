//! Where in the file something is said, for what others find wrong with it: that a plugin is missing, or a port taken.

use super::document::join;
use super::document::{Node, Table, Value};
use super::problem::{Origin, Problem, Source};

/// See the module.
#[derive(Debug, Clone)]
pub struct Places {
    pub(super) source: Source,
    pub(super) root: Table,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// What would be right; may be empty.
    pub allowed: String,
    /// What to change.
    pub change: String,
    /// It is about the key, and not about its value.
    pub is_key: bool,
}

impl Places {
    /// The finding at a key, such as `["server", "listen", "0"]`, or at the nearest thing around it that is written.
    pub fn problem(&self, path: &[&str], finding: Finding) -> Problem {
        let (origin, key) = self.find(path, finding.is_key);
        Problem::new(&self.source, &origin, &key, &finding.what)
            .allowed(finding.allowed)
            .change(finding.change)
    }

    /// The same at a key of the feed of this name.
    pub fn feed_problem(&self, feed: &str, path: &[&str], finding: Finding) -> Problem {
        let at =
            self.feeds().iter().position(|node| name_of(node) == Some(feed)).unwrap_or_default().to_string();
        self.problem(&[&["feed", &at], path].concat(), finding)
    }

    /// How many `[[feed]]` there are, whole or not.
    pub fn feeds_written(&self) -> usize {
        self.feeds().len()
    }

    fn feeds(&self) -> &[Node] {
        match self.root.find("feed").map(|node| &node.value) {
            Some(Value::Array(feeds)) => feeds,
            _ => &[],
        }
    }

    /// Where it is written, and its key as people write it.
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
