//! Topic names, patterns, and the grammar both share.
//!
//! `topic = seg *("." seg)`, `seg = 1*64(A-Z a-z 0-9 _ - %XX)`, at most 8 segments and 160 bytes. `%XX` is a byte of a user's name
//! that has no other place here, in capital hexadecimal digits: `users.auth0%7C5f7`. It is compared as it stands. In a pattern
//! `*` stands for one whole segment and `**`, last only, for one or more. Patterns are resolved when someone subscribes and when a topic
//! appears, never per tick. Names of bars ([`bar`]) may be longer by what stands before the topic that they are of.

pub mod bar;
mod pattern;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use self::pattern::Pattern;
use crate::sample::Class;

/// Longest topic or pattern, in bytes, but for bars.
pub const TOPIC_BYTES_MAX: usize = 160;
/// Most segments of a topic or pattern, but for bars.
pub const SEGMENTS_MAX: usize = 8;
/// Longest topic or pattern of all, in bytes.
pub const NAME_BYTES_MAX: usize = TOPIC_BYTES_MAX + bar::PREFIX_BYTES_MAX;
/// Most segments of any topic or pattern.
pub const NAME_SEGMENTS_MAX: usize = SEGMENTS_MAX + bar::PREFIX_SEGMENTS;
/// Longest segment, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 64;
/// The event kind of what clients publish, which no feed may have.
pub const PUBLISHED: &str = "message";
/// The first segment that belongs to the server.
pub const SERVER_SEGMENT: &str = "tickerd";

/// Why a name is not a topic or a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrammarError {
    /// Nothing there.
    Empty,
    /// Over [`TOPIC_BYTES_MAX`].
    TooLong,
    /// Over [`SEGMENTS_MAX`].
    TooDeep,
    /// Two dots in a row, or one at an end.
    EmptySegment,
    /// Over [`SEGMENT_BYTES_MAX`].
    SegmentTooLong,
    /// A character outside the alphabet.
    BadCharacter(char),
    /// `*` beside other characters, or `**` before the end.
    BadWildcard,
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "it is empty; write segments joined by dots, such as stocks.AAPL"),
            Self::TooLong => write!(f, "it is longer than {TOPIC_BYTES_MAX} bytes; shorten it"),
            Self::TooDeep => write!(f, "it has more than {SEGMENTS_MAX} segments; join some with - or _"),
            Self::EmptySegment => write!(f, "a segment is empty; remove the extra dot"),
            Self::SegmentTooLong => {
                write!(f, "a segment is longer than {SEGMENT_BYTES_MAX} bytes; shorten it")
            }
            Self::BadCharacter(c) => {
                write!(f, "{c:?} is not allowed; segments use A-Z a-z 0-9 _ - and %XX in capitals")
            }
            Self::BadWildcard => write!(f, "* stands for one whole segment, and ** for the rest, last only"),
        }
    }
}

impl std::error::Error for GrammarError {}

fn check_segment(segment: &[u8]) -> Result<(), GrammarError> {
    if segment.is_empty() {
        return Err(GrammarError::EmptySegment);
    }
    if segment.len() > SEGMENT_BYTES_MAX {
        return Err(GrammarError::SegmentTooLong);
    }
    let mut rest = segment;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'%', b'0'..=b'9' | b'A'..=b'F', b'0'..=b'9' | b'A'..=b'F', rest @ ..] => rest,
            [b, rest @ ..] if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') => rest,
            rest => return Err(GrammarError::BadCharacter(first_character(rest))),
        };
    }
}

/// The character that bytes begin with; where they are no UTF-8, the one that stands for such.
fn first_character(bytes: &[u8]) -> char {
    let valid = bytes.utf8_chunks().next().map(|chunk| chunk.valid());
    valid.and_then(|text| text.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn check_shape(name: &[u8]) -> Result<(), GrammarError> {
    let is_own = name.starts_with(SERVER_SEGMENT.as_bytes());
    let reach = is_own.then_some(name).and_then(|name| std::str::from_utf8(name).ok()).and_then(bar::reach);
    // Of bars, it is the topic behind that has a limit.
    let name = reach.map_or(name, |reach| reach.topics.as_bytes());
    if name.is_empty() {
        return Err(GrammarError::Empty);
    }
    if name.len() > TOPIC_BYTES_MAX {
        return Err(GrammarError::TooLong);
    }
    if name.iter().filter(|b| **b == b'.').count() >= SEGMENTS_MAX {
        return Err(GrammarError::TooDeep);
    }
    Ok(())
}

/// Checks that `name` is an exact topic and gives it back as text.
pub fn check(name: &[u8]) -> Result<&str, GrammarError> {
    check_shape(name)?;
    for segment in name.split(|b| *b == b'.') {
        check_segment(segment)?;
    }
    // All allowed bytes are ASCII, so this cannot fail. It still returns an error rather than panic.
    std::str::from_utf8(name).map_err(|_| GrammarError::BadCharacter('?'))
}

/// The part of `topic` before the first dot: the name of its feed or room.
pub fn first_segment(topic: &str) -> &str {
    topic.split('.').next().unwrap_or(topic)
}

/// For a name in the style of MQTT, NATS or a path (`a/+/#`, `a.>`), what to write here, as the end of a sentence.
/// Empty if that is not known.
pub fn hint(text: &str) -> String {
    let separators = ['.', '/', ':'];
    if text.len() > NAME_BYTES_MAX {
        return String::new();
    }
    let mut segments: Vec<&str> = text.trim_matches(separators).split(separators).collect();
    if let Some(last) = segments.pop() {
        match last.strip_suffix(['#', '>']) {
            Some("") => segments.push("**"),
            Some(name) => segments.extend([name, "**"]),
            None => segments.push(last),
        }
    }
    let meant = segments.iter().map(|segment| if *segment == "+" { "*" } else { *segment });
    let meant = meant.collect::<Vec<_>>().join(".");
    match Pattern::parse(&meant) {
        Ok(_) if meant != text => format!("; did you mean {meant}?"),
        _ => String::new(),
    }
}

/// A topic that has spoken: its name, and the kind and class that its first sample fixed.
///
/// Two topics are equal only if they are the same appearance of the topic. A retired topic that comes back is another
/// one.
#[derive(Debug, Clone)]
pub struct Topic(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    name: Box<str>,
    kind: Box<str>,
    class: Class,
}

impl Topic {
    /// A new topic. `name` and `kind` must have been checked.
    pub fn new(name: &str, kind: &str, class: Class) -> Topic {
        Topic(Arc::new(Facts { name: name.into(), kind: kind.into(), class }))
    }

    /// The full name, such as `stocks.AAPL`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The event kind, such as `quote`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// State or event.
    pub fn class(&self) -> Class {
        self.0.class
    }
}

/// A map with topics as keys. They are hashed by their address in memory, which no peer can choose, so a fast hash is
/// safe.
pub type TopicMap<V> = HashMap<Topic, V, foldhash::fast::RandomState>;
/// A set of topics, hashed as in [`TopicMap`].
pub type TopicSet = HashSet<Topic, foldhash::fast::RandomState>;

impl PartialEq for Topic {
    fn eq(&self, other: &Topic) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Topic {}

impl Hash for Topic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(Arc::as_ptr(&self.0), state);
    }
}

/// The number of a topic on the board. Numbers stay small: that of a retired topic is given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId(pub u32);

#[cfg(test)]
mod tests;
