//! From a [`Sample`] to a [`Tick`], or to the reason why not.
//!
//! Runs on the feed's own thread, so its cost falls on the feed that causes it. It knows one feed's topics: the first
//! accepted sample of a topic fixes the topic's kind and class.

use std::collections::HashMap;
use std::fmt;

use crate::protocol::words;
use crate::sample::{Class, Sample};
use crate::tick::Tick;
use crate::topic::{self, GrammarError, Topic};
use crate::wire::json;

/// Longest value, in bytes, as the feed wrote it. With its envelope it stays below a 64 KiB message.
pub const VALUE_BYTES_MAX: usize = 48 * 1024;
/// Deepest nesting of a value.
pub const VALUE_DEPTH_MAX: usize = 64;
/// Longest event kind, in bytes.
pub const KIND_BYTES_MAX: usize = 32;
/// Greatest source time, in Unix milliseconds. Above it whole numbers are no exact JSON numbers to many clients.
pub const SOURCE_TIME_MAX: u64 = (1 << 53) - 1;

/// Why a sample was refused. The feed is told, and it is counted by feed and [`Reject::code`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
    /// Not one JSON value, not Unicode, or nested too deep.
    BadJson(json::Fault),
    /// Over [`VALUE_BYTES_MAX`].
    TooLarge(usize),
    /// The topic breaks the grammar once the feed's name stands before it.
    BadTopic(GrammarError),
    /// The kind breaks its grammar.
    BadEvent,
    /// The kind is one of the server's own words.
    ReservedEvent(String),
    /// The topic already has another kind or class.
    KindChanged { topic: String, kind: String, class: Class },
    /// The feed has `topics_max` topics already.
    TooManyTopics(usize),
}

impl Reject {
    /// Every code, for metrics that must exist before the first refusal.
    pub const CODES: [&'static str; 7] = [
        "bad_json",
        "too_large",
        "bad_topic",
        "bad_event",
        "reserved_event",
        "kind_changed",
        "too_many_topics",
    ];

    /// The reason as a metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadJson(_) => "bad_json",
            Self::TooLarge(_) => "too_large",
            Self::BadTopic(_) => "bad_topic",
            Self::BadEvent => "bad_event",
            Self::ReservedEvent(_) => "reserved_event",
            Self::KindChanged { .. } => "kind_changed",
            Self::TooManyTopics(_) => "too_many_topics",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson(fault) => write!(f, "the value is not usable JSON: {fault}"),
            Self::TooLarge(len) => {
                write!(
                    f,
                    "the value has {len} bytes; {VALUE_BYTES_MAX} are allowed: split it over several topics"
                )
            }
            Self::BadTopic(why) => write!(f, "the topic is not usable: {why}"),
            Self::BadEvent => write!(
                f,
                "the event kind must be a lower-case letter and then at most {} of a-z 0-9 _",
                KIND_BYTES_MAX - 1
            ),
            Self::ReservedEvent(kind) => {
                write!(f, "the event kind {kind:?} is the server's own; choose another")
            }
            Self::KindChanged { topic, kind, class } => write!(
                f,
                "{topic} is a {} topic of kind {kind:?} since its first sample; use another topic for another kind",
                class.as_str()
            ),
            Self::TooManyTopics(max) => {
                write!(f, "the feed has {max} topics already; retire some or raise topics_max")
            }
        }
    }
}

impl std::error::Error for Reject {}

/// The normaliser of one feed.
#[derive(Debug)]
pub struct Normaliser {
    feed: Box<str>,
    topics_max: usize,
    /// The topics by the name that the feed uses. This saves building the full name for each sample.
    topics: HashMap<Box<[u8]>, Topic>,
}

impl Normaliser {
    /// A normaliser for the feed configured under the name `feed`, which must be one topic segment. The feed may have
    /// at most `topics_max` topics.
    pub fn new(feed: &str, topics_max: usize) -> Normaliser {
        Normaliser { feed: feed.into(), topics_max, topics: HashMap::new() }
    }

    /// From now on the feed may have at most `topics_max` topics. Those that it has stay.
    pub fn set_topics_max(&mut self, topics_max: usize) {
        self.topics_max = topics_max;
    }

    /// Checks one sample and makes it a tick. `now` is the time in Unix milliseconds.
    pub fn accept(&mut self, sample: &Sample<'_>, now: u64) -> Result<Tick, Reject> {
        if sample.value.len() > VALUE_BYTES_MAX {
            return Err(Reject::TooLarge(sample.value.len()));
        }
        let class = sample.class.unwrap_or(Class::State);
        let known = match self.topics.get(sample.topic) {
            Some(topic) if topic.kind().as_bytes() == sample.event && topic.class() == class => Some(topic),
            Some(topic) => {
                check_kind(sample.event)?;
                return Err(Reject::KindChanged {
                    topic: topic.name().into(),
                    kind: topic.kind().into(),
                    class: topic.class(),
                });
            }
            None => None,
        };
        let known = known.cloned();
        let value = json::compact(sample.value, VALUE_DEPTH_MAX).map_err(Reject::BadJson)?;
        let topic = match known {
            Some(topic) => topic,
            None => self.introduce(sample, class)?,
        };
        let src_ts = usable_source_time(sample.src_ts);
        Ok(Tick { topic, seq: 0, n: 0, ts: now, src_ts, from: None, value, merged: 0 })
    }

    /// Takes a topic off the feed's list. It may come back with another kind.
    pub fn retire(&mut self, topic: &[u8]) -> Option<Topic> {
        self.topics.remove(topic)
    }

    /// How many topics the feed has.
    pub fn topics(&self) -> usize {
        self.topics.len()
    }

    fn introduce(&mut self, sample: &Sample<'_>, class: Class) -> Result<Topic, Reject> {
        let kind = check_kind(sample.event)?;
        let full = match sample.topic {
            [] => self.feed.as_bytes().to_vec(),
            relative => [self.feed.as_bytes(), b".", relative].concat(),
        };
        let name = topic::check(&full).map_err(Reject::BadTopic)?;
        if self.topics.len() >= self.topics_max {
            return Err(Reject::TooManyTopics(self.topics_max));
        }
        let topic = Topic::new(name, kind, class);
        self.topics.insert(sample.topic.into(), topic.clone());
        Ok(topic)
    }
}

/// A source time, or 0, which means unknown, in place of one above [`SOURCE_TIME_MAX`], such as one in nanoseconds.
pub fn usable_source_time(src_ts: u64) -> u64 {
    if src_ts > SOURCE_TIME_MAX { 0 } else { src_ts }
}

/// Checks an event kind: `[a-z][a-z0-9_]{0,31}`, and none of the server's words.
pub fn check_kind(kind: &[u8]) -> Result<&str, Reject> {
    let first_is_letter = kind.first().is_some_and(u8::is_ascii_lowercase);
    let rest_is_fine = kind.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
    if !first_is_letter || !rest_is_fine || kind.len() > KIND_BYTES_MAX {
        return Err(Reject::BadEvent);
    }
    let kind = std::str::from_utf8(kind).map_err(|_| Reject::BadEvent)?;
    if words::is_reserved(kind) {
        return Err(Reject::ReservedEvent(kind.into()));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>(topic: &'a str, event: &'a str, value: &'a str) -> Sample<'a> {
        Sample {
            topic: topic.as_bytes(),
            event: event.as_bytes(),
            value: value.as_bytes(),
            class: None,
            src_ts: 0,
        }
    }

    #[test]
    fn digits_stay_and_whitespace_goes() {
        let mut n = Normaliser::new("stocks", 10);
        let tick = n.accept(&sample("AAPL", "quote", " { \"p\" : 189.30 , \"s\":\" a \" }\n"), 7).unwrap();
        assert_eq!(tick.topic.name(), "stocks.AAPL");
        assert_eq!(&*tick.value, br#"{"p":189.30,"s":" a "}"#);
        assert_eq!((tick.ts, tick.seq, tick.merged), (7, 0, 0));
        assert_eq!(n.accept(&sample("", "quote", "1"), 7).unwrap().topic.name(), "stocks");
    }

    /// As `time.time_ns()` writes them, and as a float that is far too great is read.
    #[test]
    fn a_source_time_that_is_no_time_is_unknown() {
        let mut n = Normaliser::new("f", 1);
        for (said, src_ts) in [
            (1_800_000_000_000, 1_800_000_000_000),
            (SOURCE_TIME_MAX, SOURCE_TIME_MAX),
            (SOURCE_TIME_MAX + 1, 0),
            (1_800_000_000_000_000_000, 0),
            (u64::MAX, 0),
        ] {
            let tick = n.accept(&Sample { src_ts: said, ..sample("a", "quote", "1") }, 7).unwrap();
            assert_eq!((tick.src_ts, tick.ts), (src_ts, 7), "{said}");
        }
    }

    #[test]
    fn each_fault_has_its_code() {
        let mut n = Normaliser::new("f", 2);
        n.accept(&sample("a", "quote", "1"), 0).unwrap();
        let large = "9".repeat(VALUE_BYTES_MAX + 1);
        let cases = [
            (sample("a", "quote", "{"), "bad_json"),
            (sample("a", "quote", &large), "too_large"),
            (sample("a b", "quote", "1"), "bad_topic"),
            (sample("b", "Quote", "1"), "bad_event"),
            (sample("b", "", "1"), "bad_event"),
            (sample("b", "error", "1"), "reserved_event"),
            (sample("a", "trade", "1"), "kind_changed"),
            (Sample { class: Some(Class::Event), ..sample("a", "quote", "1") }, "kind_changed"),
        ];
        for (bad, code) in cases {
            let reject = n.accept(&bad, 0).unwrap_err();
            assert_eq!(reject.code(), code, "{reject}");
            assert!(Reject::CODES.contains(&code));
        }
        n.accept(&sample("b", "quote", "1"), 0).unwrap();
        assert_eq!(n.accept(&sample("c", "quote", "1"), 0).unwrap_err().code(), "too_many_topics");
        assert!(n.retire(b"b").is_some());
        n.accept(&sample("c", "quote", "1"), 0).unwrap();
    }

    #[test]
    fn a_refused_value_introduces_no_topic() {
        let mut n = Normaliser::new("f", 1);
        assert!(n.accept(&sample("a", "quote", "nope"), 0).is_err());
        assert_eq!(n.topics(), 0);
    }
}
