//! Recordings: written by `tickerd record` or by a test, read back line by line.

use std::path::Path;

use serde_json::{Value, json};

use crate::daemon::command;
use crate::within;

/// One line behind the header.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// Relative to the feed.
    pub topic: String,
    /// The event kind.
    pub event: String,
    /// The value.
    pub data: Value,
    /// The class, where the line says it.
    pub is_event: bool,
}

/// The header line of a recording of a test.
pub fn header() -> String {
    json!({"tickerd_recording": 1, "feed": "test", "version": "1", "started": 0, "events": {"tick": "state"}})
        .to_string()
}

/// A line of a state topic.
pub fn recorded(at_ms: u64, topic: &str, data: Value) -> String {
    json!({"at_ms": at_ms, "topic": topic, "event": "tick", "data": data}).to_string()
}

/// The header and the samples of a recording.
pub fn read_tape(text: &str) -> (Value, Vec<Recorded>) {
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().expect("a recording has a header");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let samples = lines.map(|line| Recorded {
        at_ms: line["at_ms"].as_u64().unwrap(),
        topic: text(&line["topic"]),
        event: text(&line["event"]),
        data: line["data"].clone(),
        is_event: line["class"] == "event",
    });
    (header, samples.collect())
}

/// Runs `tickerd record` to its end; the exit code and what it said on standard error.
pub async fn record(arguments: &[&str], to: &Path) -> (i32, String) {
    let mut command = command();
    command.arg("record").args(arguments).arg("-o").arg(to);
    let output = within("the recording to end", command.output()).await.unwrap();
    (output.status.code().expect("no signal ends it"), String::from_utf8(output.stderr).unwrap())
}
