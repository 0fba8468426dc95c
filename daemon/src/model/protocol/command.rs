//! What clients say: text in, [`Request`] or an error that says what to change out.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{Code, ProtocolError};
use super::fields;
use super::rate;
use super::shape::{self, Shape};
use crate::model::topic::Pattern;

/// Longest text id, in characters.
const ID_CHARS_MAX: usize = 36;
/// How much of a client's own text an error shows.
const SHOWN_CHARS_MAX: usize = 40;

/// A client's name for its command, echoed in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u32),
    /// At most 36 characters.
    Text(#[schemars(length(max = 36))] Box<str>),
}

/// Values that one `history` answers if it does not say how many.
const HISTORY_LIMIT: usize = 100;

/// How ticks of a topic are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The newest at each push; what lay between is merged.
    Latest,
    /// Every one.
    All,
}

/// Derived, it would say of what is no text only that some value was expected.
impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        let word: Cow<'de, str> = Deserialize::deserialize(deserializer)?;
        match &*word {
            "latest" => Ok(Mode::Latest),
            "all" => Ok(Mode::All),
            other => Err(serde::de::Error::unknown_variant(other, &["latest", "all"])),
        }
    }
}

/// The terms a subscription asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Shortest time between two pushes; none: the feed's own. Every tick comes at the feed's own, so it is none with
    /// [`Mode::All`].
    pub rate: Option<Duration>,
    /// For state topics; of event topics every tick comes.
    pub mode: Mode,
}

/// Where a client was when it went away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Of which history, as `connected` told.
    pub epoch: String,
    /// By exact topic, the number of the last tick it had; 0 is none.
    pub seq: BTreeMap<String, u64>,
}

/// A command, checked in its form; whether its topics exist is for others to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Upsert of subscriptions.
    Subscribe { topics: Vec<String>, terms: Terms, snapshot: bool, since: Option<Since> },
    /// Ends subscriptions.
    Unsubscribe { topics: Vec<String> },
    /// Lists this connection's subscriptions.
    Subscriptions,
    /// Lists the topics that match.
    Topics { pattern: String },
    /// Asks for newest values once.
    Get { topics: Vec<String> },
    /// Asks for the newest ticks of one topic that are kept.
    History { topic: String, limit: usize },
    /// Asks for a pong; `t` comes back as it was written.
    Ping { t: Option<Box<str>> },
}

impl Command {
    /// The topics and patterns that it names.
    pub fn topics(&self) -> &[String] {
        match self {
            Command::Subscribe { topics, .. } | Command::Unsubscribe { topics } | Command::Get { topics } => {
                topics
            }
            Command::History { topic, .. } => std::slice::from_ref(topic),
            Command::Subscriptions | Command::Topics { .. } | Command::Ping { .. } => &[],
        }
    }
}

/// A command and its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Without it there is no acknowledgement.
    pub id: Option<Id>,
    /// The command.
    pub command: Command,
}

/// A message that is no command, with its id if one could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The id, to be echoed.
    pub id: Option<Id>,
    /// What to change.
    pub error: ProtocolError,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IdOnly<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SubscribeData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// Topics and patterns.
    #[schemars(schema_with = "shape::names")]
    topics: Vec<String>,
    /// Shortest time between two pushes of a topic; none: the feed's own.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_rate")]
    rate: Option<serde_json::Value>,
    /// None: what each topic's class says.
    mode: Option<Mode>,
    /// Whether the newest value of each topic follows at once; none: it does.
    snapshot: Option<bool>,
    /// Where the client was when it went away, for mode `all`.
    #[serde(default, deserialize_with = "fields::object")]
    since: Option<Since>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TopicsData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    #[schemars(schema_with = "shape::names")]
    topics: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HistoryData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    #[schemars(schema_with = "shape::topic")]
    topic: String,
    /// How many of the newest at most; none: 100.
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MatchData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// None: `**`, all of them.
    #[serde(default)]
    #[schemars(schema_with = "shape::optional_pattern")]
    r#match: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PingData<'a> {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
    /// Comes back as it was written.
    #[serde(borrow, default)]
    #[schemars(schema_with = "shape::optional_number")]
    t: Option<&'a RawValue>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoData {
    #[serde(rename = "id")]
    #[schemars(with = "Option<Id>")]
    _id: Option<serde::de::IgnoredAny>,
}

/// A command as others may describe it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name and the schema of its data.
    pub shape: Shape,
    /// The event that answers it when it goes well and has an id.
    pub answer: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Every command that [`parse`] reads.
pub fn described(generator: &mut SchemaGenerator) -> Vec<Described> {
    let of = |name, data, answer, about| Described { shape: Shape { name, data }, answer, about };
    let subscribe = generator.subschema_for::<SubscribeData>();
    let topics = generator.subschema_for::<TopicsData>();
    let history = generator.subschema_for::<HistoryData>();
    let nothing = generator.subschema_for::<NoData>();
    let (matching, ping) =
        (generator.subschema_for::<MatchData>(), generator.subschema_for::<PingData<'_>>());
    vec![
        of("subscribe", subscribe, "subscribed", "Subscribes, or changes the rate of subscriptions."),
        of("unsubscribe", topics.clone(), "unsubscribed", "Ends subscriptions."),
        of("subscriptions", nothing, "subscriptions", "Lists this connection's subscriptions."),
        of("topics", matching, "topics", "Lists the topics there are."),
        of("get", topics, "values", "Asks for newest values once."),
        of("history", history, "history", "Asks for the newest ticks of one topic that are kept."),
        of("ping", ping, "pong", "Asks for a sign of life."),
    ]
}

/// Commands of the protocol that this version does not answer yet.
const NOT_BUILT: [&str; 4] = ["auth", "token", "publish", "presence"];
const BUILT: &str = "subscribe, unsubscribe, subscriptions, topics, get, history, ping";

fn bad(message: impl Into<Cow<'static, str>>) -> ProtocolError {
    ProtocolError::new(Code::BadRequest, message)
}

/// Reads one message.
pub fn parse(text: &str) -> Result<Request, Refused> {
    let none = |why: &str| Refused {
        id: None,
        error: bad(format!(
            "the message must be one JSON object with the keys \"event\" and \"data\": {why}"
        )),
    };
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| none(&plain(&e)))?;
    // The parser would also take a list of the values in order.
    if !is_object(text) {
        return Err(none("this is a list"));
    }
    let data = envelope.data.map_or("{}", RawValue::get);
    if !is_object(data) {
        let event = shown(&envelope.event);
        return Err(Refused {
            id: None,
            error: bad(format!("the data of {event} must be an object, such as {{}}")),
        });
    }
    let id = read_id(data).map_err(|error| Refused { id: None, error })?;
    match read_command(&envelope.event, data) {
        Ok(command) => Ok(Request { id, command }),
        Err(error) => Err(Refused { id, error }),
    }
}

/// Checks the terms of a subscription, wherever they were written.
pub fn terms(rate: Option<&str>, mode: Option<Mode>) -> Result<Terms, ProtocolError> {
    let rate = match rate {
        None => None,
        Some(text) => Some(rate::parse(text).ok_or_else(|| {
            let text = shown(text);
            bad(format!("the rate {text:?} must be a whole number with its unit, such as \"250ms\" or \"1s\", at most 1h"))
        })?),
    };
    Ok(match mode {
        Some(Mode::All) => Terms { rate: None, mode: Mode::All },
        Some(Mode::Latest) | None => Terms { rate, mode: Mode::Latest },
    })
}

/// Whether a JSON text is an object.
fn is_object(json: &str) -> bool {
    json.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
}

/// A client's own text as an error shows it.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

fn read_id(data: &str) -> Result<Option<Id>, ProtocolError> {
    // A key that is there twice is told by the command's own reading.
    let Ok(IdOnly { id: Some(raw) }) = serde_json::from_str::<IdOnly<'_>>(data) else { return Ok(None) };
    if let Ok(number) = serde_json::from_str::<u32>(raw.get()) {
        return Ok(Some(Id::Number(number)));
    }
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) if text.chars().count() <= ID_CHARS_MAX => Ok(Some(Id::Text(text.into()))),
        _ => Err(bad(format!(
            "the id must be a whole number from 0 to {} or a text of at most {ID_CHARS_MAX} characters",
            u32::MAX
        ))),
    }
}

fn read_command(event: &str, data: &str) -> Result<Command, ProtocolError> {
    match event {
        "subscribe" => {
            let data: SubscribeData = read(event, data)?;
            let mode = match &data.since {
                Some(since) => Some(mode_since(since, &data)?),
                None => data.mode,
            };
            let rate =
                data.rate.as_ref().map(|rate| rate.as_str().map_or_else(|| rate.to_string(), str::to_owned));
            let terms = terms(rate.as_deref(), mode)?;
            Ok(Command::Subscribe {
                topics: some_topics(event, data.topics)?,
                terms,
                snapshot: data.snapshot.unwrap_or(true),
                since: data.since,
            })
        }
        "unsubscribe" => {
            let data: TopicsData = read(event, data)?;
            Ok(Command::Unsubscribe { topics: some_topics(event, data.topics)? })
        }
        "get" => {
            let data: TopicsData = read(event, data)?;
            Ok(Command::Get { topics: some_topics(event, data.topics)? })
        }
        "history" => {
            let data: HistoryData = read(event, data)?;
            match data.limit {
                Some(0) => Err(bad("the data of history: limit must be at least 1; leave it out for 100")),
                limit => Ok(Command::History {
                    topic: data.topic,
                    limit: limit.map_or(HISTORY_LIMIT, |limit| limit as usize),
                }),
            }
        }
        "topics" => {
            let data: MatchData = read(event, data)?;
            Ok(Command::Topics { pattern: data.r#match.unwrap_or_else(|| "**".into()) })
        }
        "subscriptions" => read::<NoData>(event, data).map(|_| Command::Subscriptions),
        "ping" => {
            let data: PingData<'_> = read(event, data)?;
            match data.t.map(RawValue::get) {
                // The digits come back as they were written, so they are never read as a number.
                Some(t) if !t.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                    Err(bad("the data of ping: t must be a number"))
                }
                t => Ok(Command::Ping { t: t.map(Into::into) }),
            }
        }
        other if NOT_BUILT.contains(&other) => Err(ProtocolError::new(
            Code::UnknownEvent,
            format!("{other} is not built yet; this version answers {BUILT}"),
        )),
        other => {
            let shown = shown(other);
            Err(ProtocolError::new(
                Code::UnknownEvent,
                format!("there is no command {shown:?}; this version answers {BUILT}"),
            ))
        }
    }
}

/// The mode of a `subscribe` that says where its client was: only who gets every tick can have missed some.
fn mode_since(since: &Since, data: &SubscribeData) -> Result<Mode, ProtocolError> {
    if data.mode == Some(Mode::Latest) {
        return Err(bad(
            "since is for mode \"all\": in mode \"latest\" the snapshot is all there is to have",
        ));
    }
    let topics: HashSet<&str> = data.topics.iter().map(String::as_str).collect();
    let stray = since.seq.keys().find(|name| !topics.contains(name.as_str()) || Pattern::is_pattern(name));
    match stray {
        None => Ok(Mode::All),
        Some(name) => {
            let shown = shown(name);
            Err(bad(format!(
                "since.seq names {shown:?}, which is not an exact topic among this command's topics"
            )))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(event: &str, data: &'a str) -> Result<T, ProtocolError> {
    serde_json::from_str(data).map_err(|e| match fields::holding(data, &e) {
        Some(field) => bad(format!("the data of {event}: {field}: {}", plain(&e))),
        None => bad(format!("the data of {event}: {}", plain(&e))),
    })
}

fn some_topics(event: &str, topics: Vec<String>) -> Result<Vec<String>, ProtocolError> {
    if topics.is_empty() {
        return Err(bad(format!("{event} names no topics; write \"topics\":[\"feed.name\"]")));
    }
    Ok(topics)
}

/// The parser's words, bounded: they may quote the client's own text.
fn plain(e: &serde_json::Error) -> String {
    let mut text: String = e.to_string().chars().take(200).collect();
    if e.line() == 1 {
        text = text.replace(" at line 1 column ", " at character ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> (u16, Option<Id>, String) {
        let refused = parse(text).unwrap_err();
        (refused.error.code.number(), refused.id, refused.error.message.into_owned())
    }

    #[test]
    fn commands_are_read() {
        let request = parse(
            r#"{"event":"subscribe","data":{"id":2,"topics":["a.b","c.*"],"rate":"1s","mode":"latest","snapshot":false}}"#,
        )
        .unwrap();
        assert_eq!(request.id, Some(Id::Number(2)));
        let Command::Subscribe { topics, terms, snapshot, since } = request.command else { panic!() };
        assert_eq!(topics, ["a.b", "c.*"]);
        assert_eq!(terms, Terms { rate: Some(Duration::from_secs(1)), mode: Mode::Latest });
        assert_eq!((snapshot, since), (false, None));
        assert_eq!(parse(r#"{"event":"ping"}"#).unwrap().command, Command::Ping { t: None });
        let ping = parse(r#"{"data":{"t":1.5,"id":"x"},"event":"ping"}"#).unwrap();
        assert_eq!(ping.command, Command::Ping { t: Some("1.5".into()) });
        assert_eq!(
            parse(r#"{"event":"topics","data":{}}"#).unwrap().command,
            Command::Topics { pattern: "**".into() }
        );
    }

    #[test]
    fn where_a_client_was_is_read() {
        let text = r#"{"event":"subscribe","data":{"topics":["a.b","c"],"rate":"5s","since":{"epoch":"e","seq":{"c":7}}}}"#;
        let Command::Subscribe { terms, since, .. } = parse(text).unwrap().command else { panic!() };
        assert_eq!(
            terms,
            Terms { rate: None, mode: Mode::All },
            "who was there for every tick wants every tick"
        );
        assert_eq!(since, Some(Since { epoch: "e".into(), seq: [("c".to_owned(), 7)].into() }));
        let history = |text| parse(text).unwrap().command;
        assert_eq!(
            history(r#"{"event":"history","data":{"topic":"a.b"}}"#),
            Command::History { topic: "a.b".into(), limit: 100 }
        );
        assert_eq!(
            history(r#"{"event":"history","data":{"topic":"a.b","limit":3}}"#),
            Command::History { topic: "a.b".into(), limit: 3 }
        );
    }

    #[test]
    fn each_mistake_says_what_to_change() {
        for (text, number, id, says) in [
            ("", 400, None, "one JSON object"),
            ("[1]", 400, None, "one JSON object"),
            (r#"["ping",{"id":1}]"#, 400, None, "this is a list"),
            (r#" ["ping"]"#, 400, None, "one JSON object"),
            (r#"{"event":"subscriptions","data":[7]}"#, 400, None, "must be an object"),
            (r#"{"event":"ping","data":{},"x":1}"#, 400, None, "unknown field `x`"),
            (r#"{"data":{}}"#, 400, None, "missing field `event`"),
            (r#"{"event":"subscribe","data":{"id":7}}"#, 400, Some(Id::Number(7)), "missing field `topics`"),
            (
                r#"{"event":"subscribe","data":{"id":7,"topics":[]}}"#,
                400,
                Some(Id::Number(7)),
                "names no topics",
            ),
            (
                r#"{"event":"subscribe","data":{"id":7,"topics":["a"],"rate":5}}"#,
                400,
                Some(Id::Number(7)),
                "with its unit",
            ),
            (r#"{"event":"subscribe","data":{"topics":["a"],"rate":"5"}}"#, 400, None, "with its unit"),
            (r#"{"event":"subscribe","data":{"topics":["a"],"mode":"some"}}"#, 400, None, "latest"),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"topcs":1}}"#,
                400,
                None,
                "unknown field `topcs`",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":{}}}"#,
                400,
                None,
                "missing field `epoch`",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"a":-1}}}}"#,
                400,
                None,
                "expected u64",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"b":1}}}}"#,
                400,
                None,
                "names \"b\"",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a.*"],"since":{"epoch":"e","seq":{"a.*":1}}}}"#,
                400,
                None,
                "not an exact topic",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"mode":"latest","since":{"epoch":"e","seq":{}}}}"#,
                400,
                None,
                "mode \"all\"",
            ),
            (
                r#"{"event":"history","data":{"id":"h"}}"#,
                400,
                Some(Id::Text("h".into())),
                "missing field `topic`",
            ),
            (r#"{"event":"history","data":{"topic":"a","limit":0}}"#, 400, None, "at least 1"),
            (r#"{"event":"history","data":{"topic":"a","limit":-3}}"#, 400, None, "expected u32"),
            (r#"{"event":"publish","data":{"id":"h"}}"#, 405, Some(Id::Text("h".into())), "not built yet"),
            (r#"{"event":"hello","data":{}}"#, 405, None, "no command"),
            (r#"{"event":"ping","data":{"id":-1}}"#, 400, None, "the id must be"),
            (r#"{"event":"ping","data":{"id":{}}}"#, 400, None, "the id must be"),
            (r#"{"event":"ping","data":[]}"#, 400, None, "the data of ping"),
        ] {
            let (seen, seen_id, message) = code(text);
            assert_eq!((seen, seen_id), (number, id), "{text}");
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    /// One of each, with all that it can hold.
    const WELL: [&str; 8] = [
        r#"{"event":"subscribe","data":{"id":2,"topics":["a.b","c.*"],"rate":"1s","mode":"all","snapshot":false}}"#,
        r#"{"event":"unsubscribe","data":{"id":"x","topics":["a.b"]}}"#,
        r#"{"event":"subscriptions","data":{"id":0}}"#,
        r#"{"event":"topics","data":{"id":4294967295,"match":"a.**"}}"#,
        r#"{"data":{"topics":["\u0061.b"],"id":"ü"},"event":"get"}"#,
        r#"{"event":"ping","data":{"id":9,"t":-1.50e3}}"#,
        r#"{"event":"history","data":{"id":8,"topic":"a.b","limit":3}}"#,
        r#"{"event":"subscribe","data":{"topics":["a.b","c"],"since":{"epoch":"e","seq":{"c":7}}}}"#,
    ];

    /// What holds of every answer: it is bounded, and what was read is a command of the right form.
    fn judge(text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
        match parse(text) {
            Ok(Request { id, command }) => {
                let seen: serde_json::Value = serde_json::from_str(text).expect("a command is JSON");
                let event = seen["event"].as_str().unwrap_or_default();
                proptest::prop_assert!(BUILT.split(", ").any(|built| built == event), "{}", text);
                if let Some(Id::Text(id)) = id {
                    proptest::prop_assert!(id.chars().count() <= ID_CHARS_MAX);
                }
                if let Command::Subscribe { topics, .. }
                | Command::Unsubscribe { topics }
                | Command::Get { topics } = &command
                {
                    proptest::prop_assert!(!topics.is_empty());
                }
            }
            Err(refused) => {
                let message = &refused.error.message;
                proptest::prop_assert!(!message.is_empty() && message.chars().count() < 400, "{}", message);
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        let mut generator = SchemaGenerator::default();
        let names: Vec<&str> = described(&mut generator).iter().map(|command| command.shape.name).collect();
        assert_eq!(names.join(", "), BUILT);
        for text in WELL {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,120}") {
            judge(&text)?;
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            judge(&String::from_utf8_lossy(&bytes))?;
        }

        /// A command with bytes changed, taken out, put in and moved is one again, or is told why not.
        #[test]
        fn a_command_that_was_changed_is_answered(
            which in 0..WELL.len(),
            changes in proptest::collection::vec((0..4u8, 0..200usize, 0..200usize, proptest::num::u8::ANY), 1..6),
        ) {
            let mut bytes = WELL[which].as_bytes().to_vec();
            for (kind, at, other, byte) in changes {
                let (at, other) = (at % bytes.len(), other % bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 if bytes.len() > 1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, byte),
                    _ => bytes.swap(at, other),
                }
            }
            judge(&String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn almost_commands_are_answered(
            event in "(subscribe|get|topics|ping|x)",
            data in r#"[\[\]{}:,"a-z0-9]{0,40}"#,
        ) {
            let _ = parse(&format!(r#"{{"event":"{event}","data":{data}}}"#));
        }
    }
}
