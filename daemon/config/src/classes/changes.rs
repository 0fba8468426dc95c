//! What differs between two configurations: keys, and feeds and rooms by name.

use std::collections::HashMap;

use super::{Class, FEED, FeedKey, Key, Renews, TOPIC, keys};
use crate::{Config, Feed, Topic};

/// A feed or a room in which something changed, as it was and as it is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    pub old: T,
    pub new: T,
    /// Which keys differ, such as `feed.interval`.
    pub keys: Vec<&'static str>,
    /// Of a room this says nothing.
    pub renews: Renews,
}

/// What came, went and changed in a list of feeds or rooms, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct ListChanges<T> {
    pub added: Vec<T>,
    pub removed: Vec<T>,
    pub changed: Vec<Changed<T>>,
}

/// What differs between two configurations.
pub struct Changes {
    /// Keys that are no feed's and no room's.
    pub keys: Vec<&'static Key>,
    pub feeds: ListChanges<Feed>,
    pub topics: ListChanges<Topic>,
}

impl Changes {
    /// From `old` to `new`.
    pub fn between(old: &Config, new: &Config) -> Changes {
        let differs = |key: &&Key| key.differs.is_some_and(|differs| differs(old, new));
        let feed = |old: &Feed, new: &Feed| {
            let found: Vec<&FeedKey> = FEED.iter().filter(|(.., differs)| differs(old, new)).collect();
            let mut renews = Renews::default();
            for (_, one, _) in &found {
                renews.process |= one.process;
                renews.source |= one.source;
            }
            // Its paths start at another folder.
            renews.process |= old.base_dir != new.base_dir;
            (found.into_iter().map(|(key, ..)| key.path).collect(), renews)
        };
        let topic = |old: &Topic, new: &Topic| {
            let found = TOPIC.iter().filter(|(_, differs)| differs(old, new));
            (found.map(|(key, _)| key.path).collect(), Renews::default())
        };
        Changes {
            keys: keys().filter(differs).collect(),
            feeds: list(&old.feeds, &new.feeds, |feed| &feed.name, feed),
            topics: list(&old.topics, &new.topics, |topic| &topic.name, topic),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.feeds.is_empty() && self.topics.is_empty()
    }

    /// The keys for which a restart is needed.
    pub fn restart(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().filter(|key| key.class == Class::Restart)
    }
}

impl<T> ListChanges<T> {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

fn list<T: Clone + PartialEq>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &str,
    compare: impl Fn(&T, &T) -> (Vec<&'static str>, Renews),
) -> ListChanges<T> {
    let by_name = |list: &[T]| -> HashMap<String, T> {
        list.iter().map(|one| (name(one).to_owned(), one.clone())).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let mut changes = ListChanges { added: Vec::new(), removed: Vec::new(), changed: Vec::new() };
    changes.removed.extend(old.iter().filter(|one| !after.contains_key(name(one))).cloned());
    for one in new {
        match before.get(name(one)) {
            None => changes.added.push(one.clone()),
            Some(was) if was == one => {}
            Some(was) => {
                let (keys, renews) = compare(was, one);
                changes.changed.push(Changed { old: was.clone(), new: one.clone(), keys, renews });
            }
        }
    }
    changes
}
