//! The lines of the protocol that this feed says, each appended with its newline.

use serde_json::{Value, json};

use crate::recording::{Header, Sample};
use crate::trouble::Trouble;

/// A hello: the feed's name, and what the recorded feed said of its events.
pub fn hello(out: &mut Vec<u8>, header: &Header) {
    let hello = json!({
        "tfp": 1,
        "feed": "org.tickerd.replay",
        "version": env!("CARGO_PKG_VERSION"),
        "mode": "push",
        "features": ["heartbeat"],
        "events": header.events,
        "docs": header.docs,
    });
    line(out, &hello);
}

/// A sample as it was recorded. The value has the same bytes as in the file.
pub fn sample(out: &mut Vec<u8>, sample: &Sample<'_>) {
    append(out, sample);
}

/// A topic ends.
pub fn retire(out: &mut Vec<u8>, topic: &str) {
    line(out, &json!({ "retire": topic }));
}

/// A heartbeat: the feed is alive and has nothing else to say.
pub fn heartbeat(out: &mut Vec<u8>) {
    line(out, &json!({"heartbeat": true}));
}

/// The health of the values.
pub fn health(out: &mut Vec<u8>, state: &str, message: &str) {
    line(out, &json!({"health": state, "msg": message}));
}

/// A line for the log.
pub fn log(out: &mut Vec<u8>, level: &str, message: &str) {
    line(out, &json!({"log": level, "msg": message}));
}

/// The last line of a feed that cannot go on.
pub fn fail(out: &mut Vec<u8>, trouble: &Trouble) {
    line(out, &json!({"fail": trouble.word(), "msg": trouble.message()}));
}

fn line(out: &mut Vec<u8>, line: &Value) {
    append(out, line);
}

fn append(out: &mut Vec<u8>, line: &impl serde::Serialize) {
    serde_json::to_writer(&mut *out, line)
        .expect("strings, numbers and JSON values always serialise into memory");
    out.push(b'\n');
}
