//! Which sources of ticks there are, and whether a topic may ever speak.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tickerd_model::basics::near::near;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::source::{Source, SourceId};
use tickerd_model::topic::{self, Pattern, SERVER_SEGMENT, first_segment};

/// Names that are listed when none of them is near.
const LISTED_MAX: usize = 20;
/// What rooms are mostly called.
const ROOM_WORDS: [&str; 3] = ["rooms", "room", "chat"];

/// The sources there are, by id and by name. Each room that needs them keeps its own, which the board's changes fill.
#[derive(Debug, Default)]
pub struct Directory {
    by_id: BTreeMap<SourceId, Arc<Source>>,
    by_name: HashMap<Box<str>, SourceId>,
}

impl Directory {
    /// A source came.
    pub fn open(&mut self, source: &Arc<Source>) {
        self.by_name.insert(source.name.clone(), source.id);
        self.by_id.insert(source.id, source.clone());
    }

    /// A source went.
    pub fn close(&mut self, id: SourceId) {
        if let Some(source) = self.by_id.remove(&id)
            && self.by_name.get(&source.name) == Some(&id)
        {
            self.by_name.remove(&source.name);
        }
    }

    /// All of them, in the order they came.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.by_id.values()
    }

    /// One of them.
    pub fn get(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.by_id.get(&id)
    }

    /// The one that `topic` belongs to, by its first segment.
    pub fn of(&self, topic: &str) -> Option<&Arc<Source>> {
        self.by_name.get(first_segment(topic)).and_then(|id| self.by_id.get(id))
    }

    /// Under which epoch the past of `topic` goes.
    pub fn epoch_of(&self, topic: &str) -> Option<&str> {
        self.of(topic).map(|source| &*source.group.epoch)
    }

    /// Checks that an exact topic is one, and that it may ever speak; `hinted`: the error says what may have been meant.
    pub fn check(&self, name: &str, hinted: bool) -> Result<(), ProtocolError> {
        topic::check(name.as_bytes()).map_err(|why| match Pattern::is_pattern(name) {
            true => ProtocolError::new(Code::BadPattern, "a pattern cannot be used here; name the topics"),
            false => ProtocolError::new(Code::BadRequest, format!("not a topic: {why}{}", topic::hint(name))),
        })?;
        match self.of(name) {
            None => Err(self.unknown(first_segment(name), hinted)),
            Some(source) if source.may_have(name) => Ok(()),
            Some(source) => Err(undeclared(source, name, hinted)),
        }
    }

    /// The same for a topic that clients publish to: the error says what to declare.
    pub fn check_room(&self, name: &str) -> Result<(), ProtocolError> {
        self.check(name, true).map_err(|error| match (error.code, self.of(name)) {
            (Code::UnknownTopic, None) => {
                let change = format!(
                    "{}; what clients publish to is declared: [[topic]] name = {name:?}",
                    error.message
                );
                ProtocolError::new(Code::UnknownTopic, change)
            }
            _ => error,
        })
    }

    /// There is no source of this name.
    pub fn unknown(&self, seen: &str, hinted: bool) -> ProtocolError {
        let hint = match hinted {
            true if ROOM_WORDS.contains(&seen) => {
                "; rooms, which clients publish to, are declared in the configuration ([[topic]])".into()
            }
            true if self.by_id.is_empty() => "; this server runs no feed".into(),
            true => {
                let names = || self.all().map(|source| &*source.name);
                format!("; {}", meant(seen, "this server", names))
            }
            false => String::new(),
        };
        ProtocolError::new(Code::UnknownTopic, format!("there is no feed {seen:?}{hint}"))
    }
}

/// Why a topic that was not declared is none, where only declared ones are.
fn undeclared(source: &Source, name: &str, hinted: bool) -> ProtocolError {
    let what = match &*source.name {
        SERVER_SEGMENT => format!("{name:?} is no topic of the server's own"),
        _ => format!("{name:?} is no topic that was declared ([[topic]])"),
    };
    let only = source.only.as_deref().unwrap_or_default();
    let hint = match hinted {
        true => format!("; {}", meant(name, &source.name, || only.iter().map(|known| &**known))),
        false => String::new(),
    };
    ProtocolError::new(Code::UnknownTopic, format!("{what}{hint}"))
}

/// The name that is near to what was seen, else some of those that `owner` has.
pub fn meant<'a, I: Iterator<Item = &'a str>>(seen: &str, owner: &str, known: impl Fn() -> I) -> String {
    match near(seen, known()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let more = if known().nth(LISTED_MAX).is_some() { " and others" } else { "" };
            let listed: Vec<&str> = known().take(LISTED_MAX).collect();
            format!("{owner} has {}{more}", listed.join(", "))
        }
    }
}

/// For the tests of all rooms: a board of one feed, `f`.
#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use tickerd_model::board::Board;
    use tickerd_model::history::Limits;
    use tickerd_model::protocol::rate::Tiers;
    use tickerd_model::source::Group;

    /// The feed.
    pub const F: SourceId = SourceId(0);

    /// A feed with a beat of 100 ms and these slower tiers.
    pub fn feed(id: u32, name: &str, slower: &[Duration]) -> Arc<Source> {
        let tiers = Tiers::new(Duration::from_millis(100), slower);
        Arc::new(Source::feed(SourceId(id), name, tiers, &Arc::new(Group { epoch: "e".into() })))
    }

    /// A board with the feed on it, whose coming is told already.
    pub fn board_of_f(limits: Limits) -> Board {
        let mut board = Board::new(limits);
        board.open(&feed(F.0, "f", &[]));
        board.take_changes();
        board
    }
}
