//! The line protocol `tfp/1` between tickerd and a feed's process: one JSON object per line, both directions.
//!
//! Two lines of shell are a feed: `{"topic":"AAPL","event":"quote","data":{"price":"189.30"}}`. `topic`, `ts` and `class`
//! are optional; everything else here is too. Keys that are not known are ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::protocol::bad_line::LineError;
use crate::protocol::sample_line::{ClassWord, SampleLine};
use crate::report::event_doc::{EventDoc, EventDocs};
use crate::report::{Failure, Fault, Hello, Mode};
use tickerd_model::health::FeedState;
use tickerd_model::sample::Class;
use tickerd_model::tick::Tick;

/// Version of the protocol, as the number behind `tfp`.
pub const TFP: u32 = 1;
/// What some editors and runtimes write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The word in a hello's `features` by which a feed promises signs of life, and may be taken for hung without them.
const HEARTBEAT: &str = "heartbeat";
/// Longest line, in bytes; the longest value and its wrapping fit several times.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// What a feed's line says.
#[derive(Debug)]
pub enum Said<'a> {
    /// A sample.
    Sample(SampleLine<'a>),
    /// What the feed says about itself.
    Hello(Hello),
    /// A line for the log.
    Log { level: tracing::Level, message: String },
    /// The state of its values.
    Health { state: FeedState, message: String },
    /// A sign of life.
    Heartbeat,
    /// A topic ends.
    Retire(String),
    /// Number of samples that were accepted, and then given up because their topic ended before they were written.
    GivenUp(u64),
    /// `count` samples were refused in the feed's own process.
    Reject { code: String, message: String, count: u64 },
    /// A poll has returned.
    Done { poll: u64, result: Result<(), Failure> },
    /// The feed cannot go on.
    Fail(Failure),
    /// A line that this version does not know.
    Unknown,
}

/// Every other line of a feed. Which it is, is told by the keys that it has.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Control<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tfp: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<BTreeMap<Cow<'a, str>, ClassWord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<BTreeMap<Cow<'a, str>, DocLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_poll_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_poll_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retire: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<Cow<'a, str>>,
}

/// What a hello says about an event's values.
#[derive(Debug, Default, Deserialize, Serialize)]
struct DocLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Box<RawValue>>,
}

/// Reads one line of a feed.
///
/// # Errors
/// The line makes no sense; the error says why, for the feed's author. A line of a later version is no error.
pub fn said(line: &[u8]) -> Result<Said<'_>, LineError> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    // Nearly every line is a sample, so that is tried first.
    let sample = match std::str::from_utf8(line) {
        // The whole line is valid UTF-8, so that its parts need not be checked again.
        Ok(text) => serde_json::from_str::<SampleLine<'_>>(text),
        Err(_) => serde_json::from_slice(line),
    };
    let not_a_sample = match sample {
        Ok(sample) => return Ok(Said::Sample(sample)),
        Err(e) => e,
    };
    let control = match serde_json::from_slice::<Control<'_>>(line) {
        Ok(control) => control,
        Err(_) if matches!(line, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{', ..] | [b'{', 0, ..]) => {
            return Err(LineError::Utf16);
        }
        // Two readings have failed. Tell the reason of the one that was meant.
        Err(e) => return Err(LineError::of(line, if is_half_a_sample(line) { not_a_sample } else { e })),
    };
    let text = |text: Option<Cow<'_, str>>| text.unwrap_or_default().into_owned();
    match control.tfp {
        None => {}
        Some(TFP) => return hello(control).map(Said::Hello),
        Some(later) if later > TFP => return Ok(Said::Fail(Failure::config(too_new(later)))),
        Some(other) => {
            return Err(LineError::Word { key: "tfp", word: other.to_string(), allowed: "1" });
        }
    }
    if let Some(word) = control.log {
        return Ok(Said::Log { level: level(&word)?, message: text(control.msg) });
    }
    if let Some(word) = control.health {
        return Ok(Said::Health { state: state(&word)?, message: text(control.msg) });
    }
    if let Some(topic) = control.retire {
        return Ok(Said::Retire(topic.into_owned()));
    }
    if let Some(count) = control.given_up {
        return Ok(Said::GivenUp(count));
    }
    if let Some(code) = control.reject {
        let count = control.count.unwrap_or(1);
        return Ok(Said::Reject { code: code.into_owned(), message: text(control.msg), count });
    }
    if let Some(poll) = control.done {
        let failed = control.error.map(|word| Fault::from_word(&word));
        let result = match failed {
            Some(fault) => Err(Failure { fault, message: text(control.msg) }),
            None => Ok(()),
        };
        return Ok(Said::Done { poll, result });
    }
    if let Some(word) = control.fail {
        return Ok(Said::Fail(Failure { fault: Fault::from_word(&word), message: text(control.msg) }));
    }
    if control.heartbeat.is_some() {
        return Ok(Said::Heartbeat);
    }
    // A line with some of a sample's keys is a mistake, and its author should know. Any other is of a later version.
    if is_half_a_sample(line) { Err(LineError::of(line, not_a_sample)) } else { Ok(Said::Unknown) }
}

fn too_new(tfp: u32) -> String {
    format!(
        "it speaks tfp/{tfp}, and this is tickerd {} with tfp/{TFP}: upgrade tickerd, or use a version of the program that \
         speaks tfp/{TFP}",
        env!("CARGO_PKG_VERSION")
    )
}

/// Whether the line has one of a sample's keys, or is broken, so that nobody can tell. Values are skipped unread.
fn is_half_a_sample(line: &[u8]) -> bool {
    serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(line)
        .map_or(true, |keys| ["event", "data", "topic"].iter().any(|key| keys.contains_key(*key)))
}

fn hello(control: Control<'_>) -> Result<Hello, LineError> {
    let mode = match control.mode.as_deref() {
        None | Some("push") => Mode::Push,
        Some("poll") => Mode::Poll,
        Some(word) => return Err(LineError::Word { key: "mode", word: word.into(), allowed: "poll, push" }),
    };
    let mut events: BTreeMap<String, Class> = control
        .events
        .unwrap_or_default()
        .into_iter()
        .map(|(name, class)| (name.into_owned(), class.into()))
        .collect();
    let mut docs = EventDocs::new();
    for (name, DocLine { description, schema }) in control.docs.unwrap_or_default() {
        // An event that is documented and not declared is a state, which is the default everywhere.
        events.entry(name.clone().into_owned()).or_insert(Class::State);
        let schema = schema.map(|raw| raw.get().to_owned());
        docs.insert(name.into_owned(), EventDoc { description: description.unwrap_or_default(), schema });
    }
    let beats = control.features.is_some_and(|features| features.iter().any(|feature| feature == HEARTBEAT));
    Ok(Hello {
        feed: control.feed.unwrap_or_default().into_owned(),
        version: control.version.unwrap_or_default().into_owned(),
        mode,
        beats,
        events: events.into_iter().collect(),
        docs,
        default_poll_ms: control.default_poll_ms.unwrap_or(0),
        min_poll_ms: control.min_poll_ms.unwrap_or(0),
    })
}

fn level(word: &str) -> Result<tracing::Level, LineError> {
    Ok(match word {
        "error" => tracing::Level::ERROR,
        "warn" | "warning" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        "trace" => tracing::Level::TRACE,
        _ => {
            let allowed = "error, warn, info, debug, trace";
            return Err(LineError::Word { key: "log", word: word.into(), allowed });
        }
    })
}

fn state(word: &str) -> Result<FeedState, LineError> {
    FeedState::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| LineError::Word {
        key: "health",
        word: word.into(),
        allowed: "up, degraded, stale, down, closed",
    })
}

/// Appends a sample's line. `topic` is relative to the feed. Topics and event names have no characters that JSON escapes.
pub fn write_tick(to: &mut Vec<u8>, topic: &str, tick: &Tick) {
    to.extend_from_slice(br#"{"topic":""#);
    to.extend_from_slice(topic.as_bytes());
    to.extend_from_slice(br#"","event":""#);
    to.extend_from_slice(tick.topic.kind().as_bytes());
    to.extend_from_slice(br#"","data":"#);
    to.extend_from_slice(&tick.value);
    let number = |to: &mut Vec<u8>, key: &[u8], n: u64| {
        to.extend_from_slice(key);
        to.extend_from_slice(n.to_string().as_bytes());
    };
    if tick.src_ts != 0 {
        number(to, br#","ts":"#, tick.src_ts);
    }
    if tick.topic.class() == Class::Event {
        to.extend_from_slice(br#","class":"event""#);
    }
    if tick.merged != 0 {
        number(to, br#","merged":"#, tick.merged.min(u32::MAX.into()));
    }
    to.extend_from_slice(b"}\n");
}

impl Failure {
    /// The line that tells the failure, with its newline.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        write_said(&mut line, &Said::Fail(self.clone()));
        line
    }
}

/// The `docs` of a hello; none where there are none. Docs are trimmed before they are written, so that a schema is JSON.
fn doc_lines(docs: &EventDocs) -> Option<BTreeMap<Cow<'static, str>, DocLine>> {
    let line = |doc: &EventDoc| DocLine {
        description: Some(doc.description.clone()).filter(|text| !text.is_empty()),
        schema: doc.schema.clone().and_then(|schema| RawValue::from_string(schema).ok()),
    };
    (!docs.is_empty()).then(|| docs.iter().map(|(name, doc)| (name.clone().into(), line(doc))).collect())
}

/// Appends any other line. For [`Said::Sample`] and [`Said::Unknown`] nothing is appended.
pub fn write_said(to: &mut Vec<u8>, said: &Said<'_>) {
    let text = |text: &'_ str| (!text.is_empty()).then(|| Cow::Owned(text.to_owned()));
    let word = |word: &'static str| Some(Cow::Borrowed(word));
    let none = Control::default();
    let control = match said {
        Said::Sample(_) | Said::Unknown => return,
        Said::Hello(hello) => Control {
            tfp: Some(TFP),
            feed: text(&hello.feed),
            version: text(&hello.version),
            mode: word(hello.mode.as_str()),
            features: hello.beats.then(|| vec![HEARTBEAT.into()]),
            events: Some(
                hello.events.iter().map(|(name, class)| (name.clone().into(), (*class).into())).collect(),
            ),
            docs: doc_lines(&hello.docs),
            default_poll_ms: Some(hello.default_poll_ms),
            min_poll_ms: Some(hello.min_poll_ms),
            ..none
        },
        Said::Log { level, message } => {
            Control { log: Some(level.as_str().to_ascii_lowercase().into()), msg: text(message), ..none }
        }
        Said::Health { state, message } => {
            Control { health: word(state.as_str()), msg: text(message), ..none }
        }
        Said::Heartbeat => Control { heartbeat: Some(true), ..none },
        Said::Retire(topic) => Control { retire: Some(topic.as_str().into()), ..none },
        Said::GivenUp(count) => Control { given_up: Some(*count), ..none },
        Said::Reject { code, message, count } => Control {
            reject: Some(code.as_str().into()),
            msg: text(message),
            count: (*count != 1).then_some(*count),
            ..none
        },
        Said::Done { poll, result } => {
            let failure = result.as_ref().err();
            Control {
                done: Some(*poll),
                error: failure.and_then(|failure| word(failure.fault.as_str())),
                msg: failure.and_then(|failure| text(&failure.message)),
                ..none
            }
        }
        Said::Fail(failure) => {
            Control { fail: word(failure.fault.as_str()), msg: text(&failure.message), ..none }
        }
    };
    serde_json::to_writer(&mut *to, &control).expect("strings and numbers always serialise into memory");
    to.push(b'\n');
}
