//! Lays the files of `conf.d` over one another: a later value wins, and lists of tables grow.

use std::collections::BTreeSet;

use super::hiding::{FREE, is_private};
use super::{Entry, Table, Value, join};

impl Table {
    /// Lays a later file over this one. Its `[[feed]]` and the like come after those that are here; any other value of it
    /// replaces the one that is here as a whole.
    pub fn merge(&mut self, later: Table, known: &BTreeSet<String>) {
        self.merge_in("", later, known);
    }

    fn merge_in(&mut self, family: &str, later: Table, known: &BTreeSet<String>) {
        for Entry { key, key_origin, node, over } in later.0 {
            let path = join(family, &key);
            let Some(entry) = self.0.iter_mut().find(|entry| entry.key == key) else {
                self.0.push(Entry { key, key_origin, node, over });
                continue;
            };
            match (&mut entry.node.value, node.value) {
                (Value::Table(table), Value::Table(later)) if is_section(&path, known) => {
                    table.merge_in(&path, later, known);
                }
                (Value::Array(items), Value::Array(later)) if is_list_of_tables(&path) => {
                    items.extend(later);
                }
                // That this is no list is told, and not hidden by a later list.
                (earlier, Value::Array(_))
                    if is_list_of_tables(&path) && !matches!(earlier, Value::Array(_)) => {}
                (_, value) => entry.replace(key_origin, super::Node { origin: node.origin, value }),
            }
        }
    }
}

/// Tables whose keys are keys of the configuration, each of which may be written in another file.
fn is_section(path: &str, known: &BTreeSet<String>) -> bool {
    let is_inside = |key: &String| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    path != FREE && !is_private(path) && known.iter().any(is_inside)
}

fn is_list_of_tables(path: &str) -> bool {
    super::LISTS.iter().any(|list| list.join(".") == path)
}
