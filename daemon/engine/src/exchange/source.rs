//! Sources of ticks, as those know them who do not run them.

use std::collections::HashMap;
use std::sync::Arc;

use tickerd_model::near::near;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::rate::Tiers;
use tickerd_model::topic::{self, Pattern, SERVER_SEGMENT, first_segment};

/// Names that are listed when none of them is near.
const LISTED_MAX: usize = 20;
/// What rooms are mostly called.
const ROOM_WORDS: [&str; 3] = ["rooms", "room", "chat"];

/// A configured feed, as far as subscribers are concerned.
#[derive(Debug, Clone)]
pub struct FeedFacts {
    /// First segment of its topics.
    pub name: String,
    /// Its push interval and the slower tiers.
    pub tiers: Tiers,
    /// All topics that it can ever have, sorted; none: whatever it says.
    pub only: Option<Arc<[Box<str>]>>,
}

impl FeedFacts {
    /// Whether `topic`, whose first segment is this one's, may ever speak.
    fn may_have(&self, topic: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.binary_search_by(|known| (**known).cmp(topic)).is_ok())
    }
}

/// The sources there are, by number and by name.
#[derive(Debug)]
pub struct Directory {
    feeds: Arc<[FeedFacts]>,
    by_name: HashMap<Box<str>, usize>,
}

impl Directory {
    /// Of these.
    pub fn new(feeds: Arc<[FeedFacts]>) -> Directory {
        let by_name = feeds.iter().enumerate().map(|(at, f)| (f.name.as_str().into(), at)).collect();
        Directory { feeds, by_name }
    }

    /// All of them.
    pub fn all(&self) -> &[FeedFacts] {
        &self.feeds
    }

    /// The one that `topic` belongs to, by its first segment.
    pub fn of(&self, topic: &str) -> Option<usize> {
        self.by_name.get(first_segment(topic)).copied()
    }

    /// Checks that an exact topic is one, and that it may ever speak; `hinted`: the error says what may have been meant.
    pub fn check(&self, name: &str, hinted: bool) -> Result<(), ProtocolError> {
        topic::check(name.as_bytes()).map_err(|why| match Pattern::is_pattern(name) {
            true => ProtocolError::new(Code::BadPattern, "a pattern cannot be used here; name the topics"),
            false => ProtocolError::new(Code::BadRequest, format!("not a topic: {why}{}", topic::hint(name))),
        })?;
        match self.of(name).and_then(|feed| self.feeds.get(feed)) {
            None => Err(self.unknown(first_segment(name), hinted)),
            Some(feed) if feed.may_have(name) => Ok(()),
            Some(feed) => Err(undeclared(feed, name, hinted)),
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
            true if self.feeds.is_empty() => "; this server runs no feed".into(),
            true => {
                let names = || self.feeds.iter().map(|feed| feed.name.as_str());
                format!("; {}", meant(seen, "this server", names))
            }
            false => String::new(),
        };
        ProtocolError::new(Code::UnknownTopic, format!("there is no feed {seen:?}{hint}"))
    }
}

/// Why a topic that was not declared is none, where only declared ones are.
fn undeclared(feed: &FeedFacts, name: &str, hinted: bool) -> ProtocolError {
    let what = match feed.name.as_str() {
        SERVER_SEGMENT => format!("{name:?} is no topic of the server's own"),
        _ => format!("{name:?} is no topic that was declared ([[topic]])"),
    };
    let only = feed.only.as_deref().unwrap_or_default();
    let hint = match hinted {
        true => format!("; {}", meant(name, &feed.name, || only.iter().map(|known| &**known))),
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
