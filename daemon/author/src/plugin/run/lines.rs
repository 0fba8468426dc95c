//! Shows a run to programs: envelopes, one JSON object per line, all on standard output.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tracing::Level;

use super::printer::Printer;
use super::sum::Figures;
use crate::plugin::log_listener::FeedEvent;
use tickerd_host::Hello;
use tickerd_model::tick::Tick;
use tickerd_model::wire::frame::Frame;

/// The printer of one run.
#[derive(Default)]
pub struct Lines {
    feed: String,
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    event: &'static str,
    data: Notice<'a>,
}

#[derive(Serialize)]
struct Notice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    feed: &'a str,
    at_ms: u64,
    #[serde(flatten)]
    data: Value,
}

impl Lines {
    /// For the feed of this name.
    pub fn new(feed: &str) -> Lines {
        Lines { feed: feed.to_owned(), bytes: Vec::new() }
    }

    fn notice(&mut self, at: Duration, kind: &'static str, data: Value) -> io::Result<()> {
        let data = Notice { kind, feed: &self.feed, at_ms: millis(at), data };
        let envelope = Envelope { event: "notice", data };
        serde_json::to_writer(&mut self.bytes, &envelope)?;
        self.bytes.push(b'\n');
        Ok(())
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

fn word(level: Level) -> String {
    level.as_str().to_ascii_lowercase()
}

impl Printer for Lines {
    fn hello(&mut self, at: Duration, hello: &Hello) -> io::Result<()> {
        let Hello { feed, version, mode, default_poll_ms, min_poll_ms, .. } = hello;
        let data = json!({
            "id": feed, "version": version, "mode": mode.as_str(),
            "default_poll_ms": default_poll_ms, "min_poll_ms": min_poll_ms,
        });
        self.notice(at, "hello", data)
    }

    fn tick(&mut self, _: Duration, _: Option<u64>, tick: &Tick) -> io::Result<()> {
        self.bytes.extend_from_slice(Frame::new(tick.clone()).envelope());
        self.bytes.push(b'\n');
        Ok(())
    }

    fn retire(&mut self, at: Duration, topic: &str) -> io::Result<()> {
        self.notice(at, "topics", json!({"added": [], "removed": [topic]}))
    }

    fn event(&mut self, at: Duration, event: &FeedEvent) -> io::Result<()> {
        match event {
            FeedEvent::State { text, .. } => {
                let (state, reason) = text.split_once(": ").unwrap_or((text, ""));
                self.notice(at, "feed", json!({"state": state, "reason": reason}))
            }
            FeedEvent::Log { level, text, .. } => {
                self.notice(at, "log", json!({"level": word(*level), "message": text}))
            }
            FeedEvent::Refused { code, why, count } => {
                self.notice(at, "refused", json!({"code": code, "message": why, "count": count}))
            }
            FeedEvent::Poll { poll, took, error } => {
                let took_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
                self.notice(at, "poll", json!({"poll": poll, "took_ms": took_ms, "error": error}))
            }
        }
    }

    fn build(&mut self, at: Duration, good: bool, text: &str) -> io::Result<()> {
        self.notice(at, "build", json!({"good": good, "message": text}))
    }

    fn missed(&mut self, at: Duration, count: u64) -> io::Result<()> {
        self.notice(at, "missed", json!({"count": count}))
    }

    fn sum(&mut self, figures: &Figures, verdict: &str) -> io::Result<()> {
        let at = Duration::from_secs_f64(figures.seconds());
        let mut data = serde_json::to_value(figures)?;
        if let Value::Object(data) = &mut data {
            data.insert("reason".into(), verdict.into());
        }
        self.notice(at, "summary", data)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.bytes).and_then(|()| stdout.flush());
        self.bytes.clear();
        written
    }
}
