//! Reads what clients say: a text becomes a [`Request`], or an error that says what to change.
mod complaint;
mod data;
mod described;
mod terms;

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Code, ProtocolError};
use super::fields;
use crate::access::secret::Secret;
use crate::basics::near::near;
use crate::topic::Pattern;

use complaint::{bad, shown};
use data::{
    AuthData, HistoryData, MatchData, NoData, PingData, PublishData, SubscribeData, TopicData, TopicsData,
};

pub use data::{Epochs, Id, Since};
pub use described::{Described, described};
pub use terms::{Mode, Terms, terms};

/// Longest text id, in characters.
const ID_CHARS_MAX: usize = 36;
/// How many values one `history` answers if it does not say a limit.
const HISTORY_LIMIT: usize = 100;
/// How many bars one `history` with a period answers if it does not say a limit: a day of trade has 390 minutes.
pub const BARS_LIMIT: usize = 500;

/// A command whose form was checked. Whether its topics exist is checked elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Says who the client is, or renews that.
    Auth { token: Secret },
    /// Adds subscriptions, or changes existing ones.
    Subscribe { topics: Vec<String>, terms: Terms, snapshot: bool, since: Option<Since> },
    /// Ends subscriptions.
    Unsubscribe { topics: Vec<String> },
    /// Lists this connection's subscriptions.
    Subscriptions,
    /// Lists the topics that match.
    Topics { pattern: String },
    /// Asks for newest values once.
    Get { topics: Vec<String> },
    /// A message to a declared topic, or to one user or connection in it. `value` is JSON as it was written.
    Publish { topic: String, value: Box<str>, to: Option<String> },
    /// Asks who is subscribed to a declared topic.
    Presence { topic: String },
    /// Asks for the newest ticks of one topic that are kept.
    History { topic: String, limit: usize },
    /// Asks for the newest bars of one topic that begin before `before`, in Unix milliseconds.
    Bars { topic: String, period: String, limit: usize, before: u64 },
    /// Asks for a pong. `t` comes back as it was written.
    Ping { t: Option<Box<str>> },
}

impl Command {
    /// The topics and patterns that it names. Empty for commands without any.
    pub fn topics(&self) -> &[String] {
        match self {
            Command::Subscribe { topics, .. } | Command::Unsubscribe { topics } | Command::Get { topics } => {
                topics
            }
            Command::History { topic, .. } | Command::Bars { topic, .. } => std::slice::from_ref(topic),
            Command::Auth { .. }
            | Command::Subscriptions
            | Command::Topics { .. }
            | Command::Publish { .. }
            | Command::Presence { .. }
            | Command::Ping { .. } => &[],
        }
    }
}

/// A command and its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The client's id for it. Without an id there is no acknowledgement.
    pub id: Option<Id>,
    /// The command.
    pub command: Command,
}

/// A message that is not a command, with its id if one could be read.
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

/// What may hold a token, and is never shown in an error.
const AUTH: &str = "auth";
/// The same, in a shorter form: the data is the token.
const TOKEN: &str = "token";
const BUILT: &str =
    "subscribe, unsubscribe, subscriptions, topics, get, history, publish, presence, ping, auth";

/// Words of other protocols, and the commands they mean here.
const ALIASES: [(&str, &str); 17] = [
    ("authenticate", "auth"),
    ("login", "auth"),
    ("connect", "auth"),
    ("sub", "subscribe"),
    ("join", "subscribe"),
    ("listen", "subscribe"),
    ("unsub", "unsubscribe"),
    ("leave", "unsubscribe"),
    ("pub", "publish"),
    ("send", "publish"),
    ("message", "publish"),
    ("say", "publish"),
    ("list", "topics"),
    ("snapshot", "get"),
    ("values", "get"),
    ("members", "presence"),
    ("heartbeat", "ping"),
];

/// The refusal of a message that could not even be read.
pub fn refuse(message: impl Into<Cow<'static, str>>) -> Refused {
    Refused { id: None, error: bad(message) }
}

/// Reads one message.
pub fn parse(text: &str) -> Result<Request, Refused> {
    let none = |why: &str| Refused {
        id: None,
        error: bad(format!(
            "the message must be one JSON object with the keys \"event\" and \"data\": {why}"
        )),
    };
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| none(&complaint::of_message(&e)))?;
    // The parser would also accept a list of the values in order.
    if !is_object(text) {
        return Err(none("it is a list"));
    }
    let data = envelope.data.map_or("{}", RawValue::get);
    if envelope.event == TOKEN {
        return match serde_json::from_str::<String>(data) {
            Ok(token) => Ok(Request { id: None, command: Command::Auth { token: Secret::new(token) } }),
            Err(_) => {
                Err(refuse(r#"the data of token is the token, as a text: {"event":"token","data":"…"}"#))
            }
        };
    }
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

/// Whether a JSON text is an object.
fn is_object(json: &str) -> bool {
    json.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
}

fn read_id(data: &str) -> Result<Option<Id>, ProtocolError> {
    // A duplicate key is told when the command itself is read.
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
        AUTH => match serde_json::from_str::<AuthData>(data) {
            Ok(AuthData { token, .. }) => Ok(Command::Auth { token: Secret::new(token) }),
            // The parser's words could hold a part of the token.
            Err(_) => Err(bad(r#"the data of auth is {"token":"…"}, and an "id" if you want one"#)),
        },
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
            let HistoryData { topic, limit, period, before, .. } = data;
            let limit_or = |default| limit.map_or(default, |limit| limit as usize);
            match (limit, period, before) {
                (Some(0), ..) => {
                    Err(bad("the data of history: limit must be at least 1; leave it out for 100"))
                }
                (_, None, Some(_)) => {
                    Err(bad("the data of history: before is for bars; add period, such as \"1m\""))
                }
                (_, None, None) => Ok(Command::History { topic, limit: limit_or(HISTORY_LIMIT) }),
                (_, Some(period), before) => {
                    let (limit, before) = (limit_or(BARS_LIMIT), before.unwrap_or(u64::MAX));
                    Ok(Command::Bars { topic, period, limit, before })
                }
            }
        }
        "topics" => {
            let data: MatchData = read(event, data)?;
            Ok(Command::Topics { pattern: data.r#match.unwrap_or_else(|| "**".into()) })
        }
        "publish" => {
            let PublishData { topic, value, to, .. } = read(event, data)?;
            Ok(Command::Publish { topic, value: value.get().into(), to })
        }
        "presence" => Ok(Command::Presence { topic: read::<TopicData>(event, data)?.topic }),
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
        other => {
            let shown = shown(other);
            let alias = ALIASES.iter().find(|(word, _)| *word == other).map(|(_, command)| *command);
            let hint = match alias.or_else(|| near(&shown, BUILT.split(", "))) {
                Some(command) => format!("did you mean {command}? This"),
                None => "this".to_owned(),
            };
            let message = format!("there is no command {shown:?}; {hint} version answers {BUILT}");
            Err(ProtocolError::new(Code::UnknownEvent, message))
        }
    }
}

/// The mode of a `subscribe` with `since`. It must be `all`: only a client that gets every tick can have missed some.
fn mode_since(since: &Since, data: &SubscribeData) -> Result<Mode, ProtocolError> {
    if data.mode == Some(Mode::Latest) {
        return Err(bad(
            "since is for mode \"all\": in mode \"latest\" the snapshot is all there is to have",
        ));
    }
    let topics: HashSet<&str> = data.topics.iter().map(String::as_str).collect();
    let is_stray = |name: &&String| !topics.contains(name.as_str()) || Pattern::is_pattern(name);
    let epochs = match &since.epoch {
        Epochs::One(_) => None,
        Epochs::ByTopic(epochs) => epochs.keys().find(is_stray).map(|name| ("epoch", name)),
    };
    match since.seq.keys().find(is_stray).map(|name| ("seq", name)).or(epochs) {
        None => Ok(Mode::All),
        Some((key, name)) => {
            let shown = shown(name);
            Err(bad(format!(
                "since.{key} names {shown:?}, which is not an exact topic among this command's topics"
            )))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(event: &str, data: &'a str) -> Result<T, ProtocolError> {
    serde_json::from_str(data)
        .map_err(|e| bad(complaint::of_data(event, fields::holding(data, &e).as_deref(), &e)))
}

fn some_topics(event: &str, topics: Vec<String>) -> Result<Vec<String>, ProtocolError> {
    if topics.is_empty() {
        return Err(bad(format!("{event} names no topics; write \"topics\":[\"feed.name\"]")));
    }
    Ok(topics)
}

#[cfg(test)]
mod tests;
