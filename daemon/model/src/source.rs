//! Sources of ticks: feeds, rooms, and the server itself. They come and go while the server runs.

use std::fmt;
use std::sync::Arc;

use crate::protocol::rate::Tiers;
use crate::topic::bar;
use crate::wire::signature::Sign;

/// The id of a source. No other source gets the same id while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source {}", self.0)
    }
}

/// Where a source's ticks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A configured feed.
    Feed,
    /// Declared topics with one first segment: clients publish to them.
    Room,
    /// The server's own topics.
    Own,
}

/// When a source's own beat comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// At fixed times, one interval apart, for all its topics.
    #[default]
    Beat,
    /// Per topic, when a value comes. The next push of that topic comes an interval later at the earliest.
    Arrival,
}

/// Sources whose history begins anew together, for example those of one process.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// A text that is new whenever the history of these sources begins anew.
    pub epoch: Box<str>,
}

/// One source. Everyone who keeps state for a source uses its id.
#[derive(Debug, Clone)]
pub struct Source {
    pub id: SourceId,
    pub kind: Kind,
    /// First segment of its topics.
    pub name: Box<str>,
    /// Its push interval and the slower tiers.
    pub tiers: Tiers,
    /// When its own beat comes.
    pub pace: Pace,
    /// Whether each beat pushes the newest value of each topic, changed or not.
    pub always: bool,
    /// All topics that it can ever have besides bars, sorted. `None`: any topic.
    pub only: Option<Box<[Box<str>]>>,
    /// The topics to which clients may publish.
    pub publish: Box<[Box<str>]>,
    /// The periods of which it may have bars, the shortest first. Only the server's own source has any.
    pub periods: Box<[Box<str>]>,
    pub group: Arc<Group>,
    /// Signs its ticks. `None`: they are not signed.
    pub signer: Option<Arc<dyn Sign>>,
}

impl Source {
    /// A feed, which may have any topics below its name.
    pub fn feed(id: SourceId, name: &str, tiers: Tiers, group: &Arc<Group>) -> Source {
        Source {
            id,
            kind: Kind::Feed,
            name: name.into(),
            tiers,
            pace: Pace::Beat,
            always: false,
            only: None,
            publish: Box::default(),
            periods: Box::default(),
            group: group.clone(),
            signer: None,
        }
    }

    /// Whether it keeps bars of this period.
    pub fn keeps(&self, period: &str) -> bool {
        self.periods.iter().any(|kept| **kept == *period)
    }

    /// Whether this source may ever have `topic`, whose first segment must be this source's name. Of bars, it says nothing about the
    /// topic behind.
    pub fn may_have(&self, topic: &str) -> bool {
        if self.kind == Kind::Own
            && let Some(behind) = bar::behind(topic)
        {
            return self.keeps(behind.period);
        }
        self.only.as_ref().is_none_or(|only| only.binary_search_by(|known| (**known).cmp(topic)).is_ok())
    }

    /// Whether clients may publish to `topic`.
    pub fn takes_messages(&self, topic: &str) -> bool {
        self.publish.iter().any(|name| **name == *topic)
    }
}
