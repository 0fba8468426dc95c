//! The sources of ticks, as they are configured: feeds, declared topics by their first segment, and the server itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::pulse::{Opening, STATS};
use tickerd_config::{self as config, Config, Emit, Feed, FeedBars, History, Topic};
use tickerd_model::lane::Lane;
use tickerd_model::protocol::rate::{Tiers, period_name};
use tickerd_model::rooms::Declared;
use tickerd_model::source::{Group, Kind, Source, SourceId};
use tickerd_model::topic::{SERVER_SEGMENT, first_segment};
use tickerd_model::wire::signature::Sign;

/// Time between two pushes of what clients publish: short enough to talk, long enough for one write to take many.
const ROOM_BEAT: Duration = Duration::from_millis(50);
/// Time between two pushes of the server's own topics.
const OWN_BEAT: Duration = Duration::from_secs(1);

/// Makes sources of what is configured. Each gets an id of its own.
#[derive(Debug)]
pub struct Sources {
    next: AtomicU32,
    slower: Vec<Duration>,
    group: Arc<Group>,
    history: History,
    /// Signs the ticks of feeds with `sign = true`.
    signer: Option<Arc<dyn Sign>>,
}

impl Sources {
    /// `epoch` is that of their history. `signer` signs for the feeds that are signed.
    pub fn new(config: &Config, epoch: &str, signer: Option<Arc<dyn Sign>>) -> Sources {
        Sources {
            next: AtomicU32::new(0),
            slower: config.server.tiers.clone(),
            group: Arc::new(Group { epoch: epoch.into() }),
            history: config.history.clone(),
            signer,
        }
    }

    /// `known`: the id of the source that it is another form of.
    fn source(&self, kind: Kind, name: &str, interval: Duration, known: Option<SourceId>) -> Source {
        let id = known.unwrap_or_else(|| SourceId(self.next.fetch_add(1, Ordering::Relaxed)));
        let tiers = Tiers::new(interval, &self.slower);
        Source { kind, ..Source::feed(id, name, tiers, &self.group) }
    }

    /// A feed, whose ticks wait in `lane`.
    pub fn feed(&self, feed: &Feed, lane: &Arc<Lane>) -> Opening {
        self.feed_as(None, feed, lane)
    }

    /// The same; `known` is its id if there is one.
    pub fn feed_as(&self, known: Option<SourceId>, feed: &Feed, lane: &Arc<Lane>) -> Opening {
        let source = self.source(Kind::Feed, &feed.name, feed.interval, known);
        let signer = self.signer.clone().filter(|_| feed.sign);
        let source = Source { pace: feed.pace, always: feed.emit == Emit::Always, signer, ..source };
        let (lane, bars, max_age) = (Some(lane.clone()), feed.bars.clone(), feed.max_age);
        Opening { source: source.into(), lane, bars, max_age, rooms: Vec::new() }
    }

    /// A feed of another node, of which nothing but its name is known yet.
    pub fn followed(&self, name: &str, lane: &Arc<Lane>) -> Opening {
        let source = self.source(Kind::Feed, name, OWN_BEAT, None);
        let (source, lane) = (source.into(), Some(lane.clone()));
        Opening { source, lane, bars: FeedBars::Auto, max_age: None, rooms: Vec::new() }
    }

    /// A beat with the slower ones of this node.
    pub fn tiers(&self, interval: Duration) -> Tiers {
        Tiers::new(interval, &self.slower)
    }

    /// Declared topics: one source for each first segment.
    pub fn rooms(&self, topics: &[Topic]) -> Vec<Opening> {
        by_first(topics).into_iter().map(|(first, topics)| self.room_as(None, first, &topics)).collect()
    }

    /// The declared topics of one first segment; `known` is the id of their source if there is one.
    pub fn room_as(&self, known: Option<SourceId>, first: &str, topics: &[&Topic]) -> Opening {
        let names = |wanted: fn(&Topic) -> bool| {
            let mut names: Vec<Box<str>> =
                topics.iter().filter(|topic| wanted(topic)).map(|topic| topic.name.as_str().into()).collect();
            names.sort_unstable();
            names.into_boxed_slice()
        };
        let (only, publish) = (Some(names(|_| true)), names(|topic| topic.publish));
        let source = Source { only, publish, ..self.source(Kind::Room, first, ROOM_BEAT, known) };
        let rooms = topics.iter().map(|topic| self.declared(topic)).collect();
        Opening { source: source.into(), lane: None, bars: FeedBars::Off, max_age: None, rooms }
    }

    /// The server itself, which keeps bars of these periods.
    pub fn own(&self, bars: &config::Bars) -> Opening {
        let only = Some([STATS.into()].into());
        let periods = bars.keep.iter().map(|keep| period_name(keep.period).into()).collect();
        let source = Source { only, periods, ..self.source(Kind::Own, SERVER_SEGMENT, OWN_BEAT, None) };
        let source = source.into();
        Opening { source, lane: None, bars: FeedBars::Off, max_age: None, rooms: Vec::new() }
    }

    fn declared(&self, topic: &Topic) -> Declared {
        Declared {
            name: topic.name.as_str().into(),
            publish: topic.publish,
            presence: topic.presence,
            depth: topic.depth(&self.history),
        }
    }
}

/// Declared topics by their first segment.
pub fn by_first(topics: &[Topic]) -> BTreeMap<&str, Vec<&Topic>> {
    let mut by_first: BTreeMap<&str, Vec<&Topic>> = BTreeMap::new();
    for topic in topics {
        by_first.entry(first_segment(&topic.name)).or_default().push(topic);
    }
    by_first
}
