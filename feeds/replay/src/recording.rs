//! Reads the file: a header line, then one line per sample or end of a topic, in the order in which they came.
//!
//! The file is read a line at a time, so that a recording may be larger than memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::trouble::Trouble;

/// The version of the format that this reads.
const VERSION: u32 = 1;
/// Longest line, in bytes. The longest value that tickerd takes fits several times.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// Whether a topic's values replace one another or each matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A value replaces the last.
    State,
    /// Each value matters.
    Event,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    tickerd_recording: u32,
    /// The events of the recorded feed, with their class.
    #[serde(default)]
    pub events: BTreeMap<String, Class>,
    /// What it said of their values, such as their JSON Schemas. Older recordings have none.
    #[serde(default)]
    pub docs: BTreeMap<String, Doc>,
}

/// What a feed said of the values of one event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Doc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

/// A sample, as it is written in the file and said again.
#[derive(Debug, Deserialize, Serialize)]
pub struct Sample<'a> {
    /// When it was recorded, in milliseconds since the start.
    #[serde(skip_serializing)]
    at_ms: u64,
    /// The topic, relative to the feed.
    #[serde(borrow, default)]
    pub topic: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    /// The source's own time, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    /// Samples of the topic that were merged into this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<u32>,
}

/// The end of a topic.
#[derive(Deserialize)]
struct Retire<'a> {
    at_ms: u64,
    #[serde(borrow)]
    retire: Cow<'a, str>,
}

/// A line that is neither of the two: it has some of their keys, or none that is known.
#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    retire: Option<&'a RawValue>,
}

/// What a line says.
#[derive(Debug)]
pub enum Said<'a> {
    /// A sample.
    Sample(Sample<'a>),
    /// A topic ends.
    Retire(Cow<'a, str>),
}

/// What was read.
#[derive(Debug)]
pub enum Item<'a> {
    /// A line, and when it was recorded, in milliseconds since the start.
    Said(u64, Said<'a>),
    /// A line that cannot be read: its number, counted from 1, and why.
    Damaged(u64, String),
    /// A line of a later version, which this version does not know.
    Unknown,
    /// The last line is incomplete: the recording was cut off.
    Cut,
    /// The end of the file.
    End,
}

/// A recording that is read a line at a time.
pub struct Recording<R> {
    path: PathBuf,
    from: R,
    line: Vec<u8>,
    number: u64,
    header: Header,
}

enum Raw {
    Whole,
    TooLong,
    Unended,
    End,
}

impl Recording<BufReader<File>> {
    /// Opens the file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let file = File::open(path).map_err(|e| {
            Trouble::file(path, format_args!("cannot be read: {e}; correct file in [feed.config]"))
        })?;
        Recording::new(path, BufReader::with_capacity(64 * 1024, file))
    }
}

impl<R: BufRead + Seek> Recording<R> {
    /// Reads the header of `from`. `path` names it in messages.
    pub fn new(path: &Path, from: R) -> Result<Self, Trouble> {
        let header = Header { tickerd_recording: 0, events: BTreeMap::new(), docs: BTreeMap::new() };
        let mut recording = Recording { path: path.to_owned(), from, line: Vec::new(), number: 0, header };
        recording.header = recording.read_header()?;
        Ok(recording)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the next line.
    pub fn next(&mut self) -> Result<Item<'_>, Trouble> {
        let is_cut = match self.read_line()? {
            Raw::Whole => false,
            Raw::Unended => true,
            Raw::End => return Ok(Item::End),
            Raw::TooLong => {
                let why = format!("it is longer than {LINE_BYTES_MAX} bytes");
                return Ok(Item::Damaged(self.number, why));
            }
        };
        // Nearly every line is a sample.
        let no_sample = match serde_json::from_slice::<Sample<'_>>(&self.line) {
            Ok(sample) => return Ok(Item::Said(sample.at_ms, Said::Sample(sample))),
            Err(e) => e,
        };
        if let Ok(Retire { at_ms, retire }) = serde_json::from_slice(&self.line) {
            return Ok(Item::Said(at_ms, Said::Retire(retire)));
        }
        Ok(match serde_json::from_slice::<Other<'_>>(&self.line) {
            Ok(Other { event: None, data: None, retire: None }) => Item::Unknown,
            Err(_) if is_cut => Item::Cut,
            _ => Item::Damaged(self.number, no_sample.to_string()),
        })
    }

    /// Goes back to the first line after the header.
    pub fn rewind(&mut self) -> Result<(), Trouble> {
        self.from.rewind().map_err(|e| self.unreadable(&e))?;
        self.number = 0;
        self.read_line().map(drop)
    }

    fn read_header(&mut self) -> Result<Header, Trouble> {
        let wrong = |recording: &Self, what: String| {
            Trouble::file(
                &recording.path,
                format_args!("line 1: {what}; name a file that tickerd record wrote"),
            )
        };
        if matches!(self.read_line()?, Raw::TooLong | Raw::End) {
            return Err(wrong(self, "there is no header of a recording".into()));
        }
        let header = serde_json::from_slice::<Header>(&self.line)
            .map_err(|e| wrong(self, format!("this is no header of a recording ({e})")))?;
        if header.tickerd_recording != VERSION {
            let what = format!(
                "a recording of format {}, and this replay reads {VERSION}; use the replay of the tickerd that recorded it",
                header.tickerd_recording
            );
            return Err(Trouble::file(&self.path, format_args!("line 1: {what}")));
        }
        Ok(header)
    }

    /// Reads one line into `self.line`, without its end. A line that is too long is skipped.
    fn read_line(&mut self) -> Result<Raw, Trouble> {
        self.line.clear();
        let mut length = 0;
        loop {
            let there = match self.from.fill_buf() {
                Ok(there) => there,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.unreadable(&e)),
            };
            let end = there.iter().position(|byte| *byte == b'\n');
            let piece = there.get(..end.unwrap_or(there.len())).unwrap_or_default();
            length += piece.len();
            if length <= LINE_BYTES_MAX {
                self.line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_none() && used > 0 {
                continue;
            }
            if end.is_none() && length == 0 {
                return Ok(Raw::End);
            }
            self.number += 1;
            return Ok(match end {
                _ if length > LINE_BYTES_MAX => Raw::TooLong,
                Some(_) => Raw::Whole,
                None => Raw::Unended,
            });
        }
    }

    fn unreadable(&self, e: &io::Error) -> Trouble {
        Trouble::Transient(format!(
            "{}: cannot be read on behind line {}: {e}",
            self.path.display(),
            self.number
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::say;
    use std::io::Cursor;

    const HEADER: &str = r#"{"tickerd_recording":1,"feed":"x","events":{"quote":"state","trade":"event"}}"#;

    fn of(text: &str) -> Result<Recording<Cursor<Vec<u8>>>, Trouble> {
        Recording::new(Path::new("/x/day.ndjson"), Cursor::new(text.as_bytes().to_vec()))
    }

    /// Each item in a few words. A sample is shown as it is said again.
    fn items(text: &str) -> Vec<String> {
        let mut recording = of(&format!("{HEADER}\n{text}")).unwrap();
        let mut seen = Vec::new();
        loop {
            seen.push(match recording.next().unwrap() {
                Item::Said(at, Said::Sample(sample)) => {
                    let mut line = Vec::new();
                    say::sample(&mut line, &sample);
                    format!("{at} {}", String::from_utf8(line).unwrap().trim_end())
                }
                Item::Said(at, Said::Retire(topic)) => format!("{at} retire {topic}"),
                Item::Damaged(number, _) => format!("damaged {number}"),
                Item::Unknown => "unknown".into(),
                Item::Cut => "cut".into(),
                Item::End => return seen,
            });
        }
    }

    #[test]
    fn samples_are_said_again_byte_for_byte() {
        let text = concat!(
            r#"{"at_ms":0,"topic":"A","event":"quote","data":{"price":189.30,"x":1e3}}"#,
            "\n",
            r#"{"at_ms":7,"topic":"t.A","event":"trade","data":"é\u00e9","ts":1767225600123,"class":"event","merged":2}"#,
            "\n",
            r#"{"at_ms":8,"retire":"A"}"#,
            "\n",
        );
        assert_eq!(
            items(text),
            [
                r#"0 {"topic":"A","event":"quote","data":{"price":189.30,"x":1e3}}"#,
                r#"7 {"topic":"t.A","event":"trade","data":"é\u00e9","ts":1767225600123,"class":"event","merged":2}"#,
                "8 retire A",
            ]
        );
    }

    #[test]
    fn damage_is_passed_over_and_a_cut_is_the_end() {
        let good = |at: u64| format!(r#"{{"at_ms":{at},"event":"quote","data":1}}"#);
        let long = format!(r#"{{"at_ms":2,"event":"quote","data":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        let text = [
            good(1),
            "\u{0}\u{0}garbage".into(),
            long,
            r#"{"event":"quote","data":1}"#.into(),
            r#"{"at_ms":3,"data":1}"#.into(),
            r#"{"at_ms":-3,"event":"quote","data":1}"#.into(),
            r#"{"of":"a later version"}"#.into(),
            good(4),
            r#"{"at_ms":5,"event":"qu"#.into(),
        ];
        let first = r#" {"topic":"","event":"quote","data":1}"#;
        let mut expected = vec![format!("1{first}")];
        expected.extend((3..=7).map(|line| format!("damaged {line}")));
        expected.extend(["unknown".into(), format!("4{first}"), "cut".into()]);
        assert_eq!(items(&text.join("\n")), expected);
        assert_eq!(items(&good(1)), [format!("1{first}")], "a last line that lacks its end alone is whole");
    }

    #[test]
    fn what_is_no_recording_is_told_with_the_remedy() {
        for (text, says) in [
            ("", "line 1: there is no header"),
            ("hello\n", "line 1: this is no header"),
            (r#"{"topic":"A","event":"quote","data":1}"#, "tickerd record wrote"),
            (r#"{"tickerd_recording":2}"#, "format 2, and this replay reads 1"),
        ] {
            let trouble = of(text).err().unwrap();
            assert!(trouble.message().contains(says), "{text}: {}", trouble.message());
            assert!(trouble.message().starts_with("/x/day.ndjson: "));
        }
        let missing = Recording::open(Path::new("/nowhere/day.ndjson")).err().unwrap();
        assert!(missing.message().contains("correct file"), "{}", missing.message());
    }
}
