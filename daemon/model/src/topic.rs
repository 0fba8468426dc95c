//! Topic names, patterns, and the grammar both share.
//!
//! `topic = seg *("." seg)`, `seg = 1*64(A-Z a-z 0-9 _ - %XX)`, at most 8 segments and 160 bytes. `%XX` is a byte of a user's name
//! that has no other place here, in capital hexadecimal digits: `users.auth0%7C5f7`. It is compared as it stands. In a pattern
//! `*` stands for one whole segment and `**`, last only, for one or more. Patterns are resolved when someone subscribes and when a topic
//! appears, never per tick.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::sample::Class;

/// Longest topic or pattern, in bytes.
pub const TOPIC_BYTES_MAX: usize = 160;
/// Most segments of a topic or pattern.
pub const SEGMENTS_MAX: usize = 8;
/// Longest segment, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 64;
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
    /// A byte outside the alphabet.
    BadByte(u8),
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
            Self::BadByte(b) => {
                write!(f, "{:?} is not allowed; segments use A-Z a-z 0-9 _ - %XX", char::from(*b))
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
            [b, ..] => return Err(GrammarError::BadByte(*b)),
        };
    }
}

fn check_shape(name: &[u8]) -> Result<(), GrammarError> {
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
    std::str::from_utf8(name).map_err(|_| GrammarError::BadByte(b'?'))
}

/// The part of `topic` before the first dot: the name of its feed or room.
pub fn first_segment(topic: &str) -> &str {
    topic.split('.').next().unwrap_or(topic)
}

/// For a name in the style of MQTT, NATS or a path (`a/+/#`, `a.>`), what to write here, as the end of a sentence.
/// Empty if that is not known.
pub fn hint(text: &str) -> String {
    let separators = ['.', '/', ':'];
    if text.len() > TOPIC_BYTES_MAX {
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

/// A pattern of topics. Without wildcards it is an exact topic, which callers treat separately.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Whether `name` holds a wildcard at all.
    pub fn is_pattern(name: &str) -> bool {
        name.contains('*')
    }

    /// Reads a pattern, and checks its grammar.
    pub fn parse(text: &str) -> Result<Pattern, GrammarError> {
        check_shape(text.as_bytes())?;
        let mut segments = text.split('.').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "*" => {}
                "**" if segments.peek().is_none() => {}
                other if other.contains('*') => return Err(GrammarError::BadWildcard),
                other => check_segment(other.as_bytes())?,
            }
        }
        Ok(Pattern(text.into()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment, if it names one feed.
    pub fn feed(&self) -> Option<&str> {
        Some(first_segment(&self.0)).filter(|s| !s.contains('*'))
    }

    /// Whether the pattern matches `topic`. The server's own topics are only matched by a pattern that names
    /// `tickerd`: `**` means every feed.
    pub fn matches(&self, topic: &str) -> bool {
        if self.feed().is_none() && first_segment(topic) == SERVER_SEGMENT {
            return false;
        }
        let mut topic = topic.split('.');
        for segment in self.0.split('.') {
            match (segment, topic.next()) {
                (_, None) => return false,
                ("**", Some(_)) => return true,
                ("*", Some(_)) => {}
                (exact, Some(seen)) if exact == seen => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "stocks.AAPL", "a-b_c.0", &["x"; 8].join("."), &"x".repeat(64)] {
            assert_eq!(check(good.as_bytes()), Ok(good), "{good}");
        }
        let deep = ["x"; 9].join(".");
        let long = ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join(".");
        for (bad, why) in [
            ("", GrammarError::Empty),
            (".a", GrammarError::EmptySegment),
            ("a..b", GrammarError::EmptySegment),
            ("a.", GrammarError::EmptySegment),
            ("a b", GrammarError::BadByte(b' ')),
            ("a.*", GrammarError::BadByte(b'*')),
            (&"x".repeat(65), GrammarError::SegmentTooLong),
            (&deep, GrammarError::TooDeep),
            (&long, GrammarError::TooLong),
        ] {
            assert_eq!(check(bad.as_bytes()), Err(why), "{bad}");
        }
    }

    #[test]
    fn what_other_protocols_write_is_told_in_our_words() {
        for (text, meant) in [
            ("sim.#", "sim.**"),
            ("sim>", "sim.**"),
            ("sim.>", "sim.**"),
            ("#", "**"),
            (">", "**"),
            ("sim/+/x", "sim.*.x"),
            ("/sim/AAPL", "sim.AAPL"),
            ("sim:AAPL", "sim.AAPL"),
            ("sim.AAPL.", "sim.AAPL"),
        ] {
            assert_eq!(hint(text), format!("; did you mean {meant}?"), "{text}");
        }
        for text in ["", "a b", "a..b", "a.#.b", "é", "a.**.b", &"a/".repeat(200)] {
            assert_eq!(hint(text), "", "{text}");
        }
    }

    #[test]
    fn patterns_match_whole_segments() {
        let matches = |p: &str, t: &str| Pattern::parse(p).unwrap().matches(t);
        assert!(matches("*", "sim"));
        assert!(!matches("*", "sim.AAPL"));
        assert!(matches("sim.*", "sim.AAPL"));
        assert!(!matches("sim.*", "sim"));
        assert!(!matches("sim.*", "sim.a.b"));
        assert!(matches("**", "sim.a.b"));
        assert!(matches("sim.**", "sim.a.b"));
        assert!(!matches("sim.**", "sim"));
        assert!(matches("*.trades.*", "crypto.trades.BTC-USD"));
        assert!(!matches("*.trades.*", "crypto.quotes.BTC-USD"));
        for bad in ["a*", "**.a", "a.**.b", "***", "a..*", ""] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    /// The grammar once more, in its simplest form.
    fn is_topic(name: &str) -> bool {
        let hex: Vec<String> = (0..256).map(|byte| format!("%{byte:02X}")).collect();
        let segment = |s: &str| {
            let plain = hex.iter().fold(s.to_owned(), |text, byte| text.replace(byte.as_str(), "x"));
            (1..=64).contains(&s.len())
                && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        name.len() <= 160 && name.split('.').count() <= 8 && name.split('.').all(segment)
    }

    fn is_pattern(name: &str) -> bool {
        let segments: Vec<&str> = name.split('.').collect();
        let starred = segments.iter().enumerate().map(|(at, segment)| match *segment {
            "*" => "a",
            "**" if at + 1 == segments.len() => "aa",
            other => other,
        });
        // A star takes no more room than what stands for it here.
        is_topic(&starred.collect::<Vec<_>>().join("."))
    }

    fn is_match(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern, topic) {
            ([], []) => true,
            (["**"], [_, ..]) => true,
            (["*", pattern @ ..], [_, topic @ ..]) => is_match(pattern, topic),
            ([exact, pattern @ ..], [seen, topic @ ..]) => exact == seen && is_match(pattern, topic),
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn the_grammar_is_what_it_says(name in r"([ab]|A|0|_|-|\.|\*|\*\*| |é|/|%7C|%7c|%|[a-z]{63}){0,12}") {
            proptest::prop_assert_eq!(check(name.as_bytes()).is_ok(), is_topic(&name), "{}", name);
            proptest::prop_assert_eq!(Pattern::parse(&name).is_ok(), is_pattern(&name), "{}", name);
        }

        /// Few segments from few words, so that about as many match as do not.
        #[test]
        fn patterns_match_as_a_naive_matcher_says(
            pattern in proptest::collection::vec("(a|b|\\*)", 1..5), rest in proptest::bool::ANY,
            topic in proptest::collection::vec("(a|b)", 1..6),
        ) {
            let mut pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            if rest {
                pattern.push("**");
            }
            let parts: Vec<&str> = topic.iter().map(String::as_str).collect();
            let parsed = Pattern::parse(&pattern.join(".")).unwrap();
            proptest::prop_assert_eq!(parsed.matches(&topic.join(".")), is_match(&pattern, &parts));
        }

        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Ok(name) = check(&bytes) {
                proptest::prop_assert!(is_topic(name));
            }
        }

        /// A topic is matched by itself, by itself with any one segment starred, and by `**`.
        #[test]
        fn a_starred_topic_still_matches(segments in proptest::collection::vec("[A-Za-z0-9_-]{1,12}", 1..8), at in 0usize..8) {
            let topic = segments.join(".");
            proptest::prop_assert!(check(topic.as_bytes()).is_ok());
            let mut starred = segments.clone();
            let at = at % starred.len();
            starred[at] = "*".into();
            proptest::prop_assert!(Pattern::parse(&starred.join(".")).unwrap().matches(&topic));
            proptest::prop_assert!(Pattern::parse("**").unwrap().matches(&topic));
            let longer = format!("{topic}.x");
            proptest::prop_assert!(!Pattern::parse(&starred.join(".")).unwrap().matches(&longer));
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,200}") {
            let _ = check(text.as_bytes());
            let _ = Pattern::parse(&text).map(|p| p.matches(&text));
        }
    }
}
