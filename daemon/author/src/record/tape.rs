//! The text of a recording: a header, and then one line per sample or end of a topic.
//!
//! `feeds/README.md` describes the format in its section on replay.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::value::RawValue;

use tickerd_host::{EventDoc, Hello, write_tick};
use tickerd_model::lane::Entry;
use tickerd_model::topic::Topic;

/// Version of the format.
const VERSION: u32 = 1;

/// Makes the lines of one recording, and counts them.
#[derive(Debug)]
pub struct Tape {
    feed: String,
    started_unix_ms: u64,
    live: HashSet<Topic>,
    line: Vec<u8>,
    /// Time of the newest line, in milliseconds since the start. Times never go back.
    at_ms: u64,
    /// Number of samples.
    pub samples: u64,
    /// Number of topics. One that ended and came back counts twice.
    pub topics: u64,
}

#[derive(Serialize)]
struct Header<'a> {
    tickerd_recording: u32,
    feed: &'a str,
    version: &'a str,
    started: u64,
    events: BTreeMap<&'a str, &'static str>,
    /// What the feed says of their values: a bounded text, since its hello was.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    docs: BTreeMap<&'a str, Doc<'a>>,
}

#[derive(Serialize)]
struct Doc<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a RawValue>,
}

impl Tape {
    /// An empty one of the feed of this name, started at a Unix time in milliseconds.
    pub fn new(feed: &str, started_unix_ms: u64) -> Tape {
        Tape {
            feed: feed.to_owned(),
            started_unix_ms,
            live: HashSet::new(),
            line: Vec::new(),
            at_ms: 0,
            samples: 0,
            topics: 0,
        }
    }

    /// Appends the header. It has the name of the feed's hello, or the configured name if there is none.
    pub fn begin(&self, hello: Option<&Hello>, to: &mut Vec<u8>) {
        let header = Header {
            tickerd_recording: VERSION,
            feed: hello
                .map(|hello| hello.feed.as_str())
                .filter(|feed| !feed.is_empty())
                .unwrap_or(&self.feed),
            version: hello.map_or("", |hello| &hello.version),
            started: self.started_unix_ms,
            events: hello
                .into_iter()
                .flat_map(|hello| &hello.events)
                .map(|(name, class)| (name.as_str(), class.as_str()))
                .collect(),
            docs: hello
                .into_iter()
                .flat_map(|hello| &hello.docs)
                .map(|(name, doc)| (name.as_str(), Doc::of(doc)))
                .collect(),
        };
        serde_json::to_writer(&mut *to, &header).expect("strings and numbers always serialise into memory");
        to.push(b'\n');
    }

    /// Appends a line for `entry`, at `at_ms` milliseconds after the start. An earlier time than the last line's is raised to
    /// that.
    pub fn take(&mut self, entry: &Entry, at_ms: u64, to: &mut Vec<u8>) {
        self.at_ms = self.at_ms.max(at_ms);
        to.extend_from_slice(format!("{{\"at_ms\":{},", self.at_ms).as_bytes());
        match entry {
            Entry::Tick(tick) => {
                if self.live.insert(tick.topic.clone()) {
                    self.topics += 1;
                }
                self.samples += 1;
                self.line.clear();
                write_tick(&mut self.line, relative(&self.feed, &tick.topic), tick);
                // The line of the protocol, with the time before its other keys.
                to.extend_from_slice(self.line.strip_prefix(b"{").unwrap_or(&self.line));
            }
            Entry::Retire(topic) => {
                self.live.remove(topic);
                // Topics have no characters that JSON escapes.
                to.extend_from_slice(
                    format!("\"retire\":\"{}\"}}\n", relative(&self.feed, topic)).as_bytes(),
                );
            }
        }
    }
}

impl Doc<'_> {
    fn of(doc: &EventDoc) -> Doc<'_> {
        // A hello has no other schemas than such as are JSON.
        let schema = doc.schema.as_deref().and_then(|schema| serde_json::from_str(schema).ok());
        Doc { description: &doc.description, schema }
    }
}

/// A topic, relative to its feed.
fn relative<'a>(feed: &str, topic: &'a Topic) -> &'a str {
    topic.name().strip_prefix(feed).map_or("", |rest| rest.strip_prefix('.').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;

    fn tick(topic: &Topic, value: &str, src_ts: u64, merged: u64) -> Entry {
        let value = value.as_bytes().into();
        Entry::Tick(Tick { topic: topic.clone(), seq: 0, n: 0, ts: 0, src_ts, from: None, value, merged })
    }

    #[test]
    fn a_header_has_what_the_feed_says_of_its_values() {
        let schema = r#"{"properties":{"price":{"x-tickerd-main":true}}}"#;
        let doc = |description: &str, schema: Option<&str>| EventDoc {
            description: description.into(),
            schema: schema.map(str::to_owned),
        };
        let hello = Hello {
            feed: "org.example.x".into(),
            version: "1".into(),
            mode: tickerd_host::Mode::Push,
            beats: false,
            events: vec![("quote".into(), Class::State)],
            docs: [("quote".into(), doc("", Some(schema))), ("note".into(), doc("Words.", None))].into(),
            default_poll_ms: 0,
            min_poll_ms: 0,
        };
        let mut text = Vec::new();
        Tape::new("f", 1).begin(Some(&hello), &mut text);
        let docs = r#""docs":{"note":{"description":"Words."},"quote":{"schema":{"properties":{"price":{"x-tickerd-main":true}}}}}"#;
        let text = String::from_utf8(text).unwrap();
        assert!(text.ends_with(&format!(r#""events":{{"quote":"state"}},{docs}}}{}"#, "\n")), "{text}");
    }

    #[test]
    fn lines_are_those_of_the_protocol_with_their_time() {
        let quote = Topic::new("f.A", "quote", Class::State);
        let trade = Topic::new("f", "trade", Class::Event);
        let mut tape = Tape::new("f", 1_767_225_600_000);
        let mut text = Vec::new();
        tape.begin(None, &mut text);
        for (entry, at_ms) in [
            (tick(&quote, r#"{"price":189.30}"#, 0, 0), 5),
            (tick(&trade, "1", 1_767_225_600_123, 4), 3),
            (Entry::Retire(quote.clone()), 9),
            (tick(&quote, "2", 0, 0), 10),
        ] {
            tape.take(&entry, at_ms, &mut text);
        }
        let expected = concat!(
            r#"{"tickerd_recording":1,"feed":"f","version":"","started":1767225600000,"events":{}}"#,
            "\n",
            r#"{"at_ms":5,"topic":"A","event":"quote","data":{"price":189.30}}"#,
            "\n",
            r#"{"at_ms":5,"topic":"","event":"trade","data":1,"ts":1767225600123,"class":"event","merged":4}"#,
            "\n",
            r#"{"at_ms":9,"retire":"A"}"#,
            "\n",
            r#"{"at_ms":10,"topic":"A","event":"quote","data":2}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        assert_eq!((tape.samples, tape.topics), (3, 3));
    }
}
