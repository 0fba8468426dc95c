//! `/v1`: topics and their values for whoever has no WebSocket, from the same shards and under the same rules.
//!
//! | path | answer |
//! |---|---|
//! | `/v1/topics?match=` | the topics there are |
//! | `/v1/topics/{topic}?wait=` | the newest value's envelope, or its next one |
//! | `/v1/topics/{topic}/history?limit=` | the newest ticks that are kept; with `period=` bars |
//! | `/v1/topics/{topic}/bars?period=&limit=&before=` | the newest bars |
//! | `/v1/bars?topics=&period=&limit=&before=` | the newest bars of several topics |
//! | `/v1/values?topics=` | the newest values of several topics |
//! | POST `/v1/topics/{topic}?name=&to=` | publishes the body, one JSON value, to a declared topic |
//! | `/v1/sse?topics=&rate=` | an event stream; see `routes` |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::exchange::enquiry::{Answer, Ask, Asker, PulseAsk, ask};
use crate::exchange::past_bars::Span;
use crate::exchange::question::{Message, Published};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::Verb;
use tickerd_model::access::user;
use tickerd_model::normalise::VALUE_BYTES_MAX;
use tickerd_model::protocol::WAIT_MAX_S;
use tickerd_model::rooms::checked_value;
use tickerd_model::rooms::{Publisher, To};
use tickerd_model::topic::{self, Pattern, bar};

use super::bars;
use super::cors::{self, METHODS};
use super::opening::Pairs;
use super::posted::Posted;
use super::problem::problem;
use super::reply::{Reply, busy, refused, reply};
use super::spot::{Spot, knows, limit, seconds, tags};
use super::values;
use crate::server::connection::wire::Gone;
use crate::server::stop::Stop;

/// Long polls that wait at the same time. Each also has a connection, which counts among all connections.
const WAITING_MAX: usize = 1024;
/// The longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(WAIT_MAX_S);
/// Ticks of one `history` when nobody says how many.
const HISTORY_LIMIT_DEFAULT: usize = 100;
/// Who publishes without a name.
const UNNAMED: &str = "http";
/// What a topic's own path answers to.
pub const TOPIC_METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// Says whether who asked is still who it was when it asked: the refusal, if its token has ended or was revoked since.
pub type Standing = Box<dyn Fn() -> Option<Reply> + Send>;

pub struct Api {
    asker: Asker,
    waiting: Arc<Semaphore>,
    posted: Arc<Posted>,
}

/// A request that a shard has to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Topics {
        pattern: String,
    },
    Value {
        topic: String,
        known: Vec<String>,
        wait: Duration,
    },
    History {
        topic: String,
        limit: usize,
    },
    Values {
        asked: values::Asked,
        known: Vec<String>,
    },
    /// `is_one`: the path names the topic.
    Bars {
        topics: Vec<String>,
        span: Span,
        is_one: bool,
        known: Vec<String>,
    },
}

/// Where a body goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    topic: String,
    publisher: Box<str>,
    to: Option<To>,
}

impl Api {
    pub fn new(asker: Asker) -> Api {
        Api { asker, waiting: Arc::new(Semaphore::new(WAITING_MAX)), posted: Arc::default() }
    }

    /// What a GET or HEAD below `/v1/topics` wants.
    ///
    /// # Errors
    /// The response, if no shard has to be asked.
    pub fn read<B>(request: &Request<B>) -> Result<Wanted, Box<Reply>> {
        let query = |known: &[&str]| Pairs::read(request.uri().query(), known).map_err(bad);
        match Spot::at(request.uri().path()).ok_or_else(nothing)? {
            Spot::List => {
                let pairs = query(&["match"])?;
                let pattern = pairs.only("match").map_err(bad)?;
                Ok(Wanted::Topics { pattern: pattern.unwrap_or("**").to_owned() })
            }
            Spot::Bars(topic) => {
                let span = bars::span(&query(&bars::KEYS)?).map_err(bad)?;
                let (topics, known) = (vec![topic.to_owned()], tags(request.headers()));
                Ok(Wanted::Bars { topics, span, is_one: true, known })
            }
            Spot::BarsOfMany => {
                let (topics, span) = bars::topics(request).map_err(bad)?;
                Ok(Wanted::Bars { topics, span, is_one: false, known: tags(request.headers()) })
            }
            Spot::Values => {
                let asked = values::read(request).map_err(bad)?;
                Ok(Wanted::Values { asked, known: tags(request.headers()) })
            }
            Spot::History(topic) => {
                let pairs = query(&bars::KEYS)?;
                if pairs.only("period").map_err(bad)?.is_some() {
                    let span = bars::span(&pairs).map_err(bad)?;
                    let (topics, known) = (vec![topic.to_owned()], tags(request.headers()));
                    return Ok(Wanted::Bars { topics, span, is_one: true, known });
                }
                if pairs.only("before").map_err(bad)?.is_some() {
                    return Err(bad("before is for bars; add period, such as period=1m".into()));
                }
                let limit = limit(pairs.only("limit").map_err(bad)?, HISTORY_LIMIT_DEFAULT);
                let limit = limit.ok_or_else(|| bad("limit must be a whole number, at least 1".into()))?;
                Ok(Wanted::History { topic: topic.to_owned(), limit })
            }
            Spot::Topic(topic) => {
                let pairs = query(&["wait"])?;
                let wait = pairs.only("wait").map_err(bad)?;
                let wait = wait.map_or(Some(Duration::ZERO), seconds).ok_or_else(|| {
                    bad(format!("wait must be a whole number of seconds, at most {}", WAIT_MAX.as_secs()))
                })?;
                Ok(Wanted::Value { topic: topic.to_owned(), known: tags(request.headers()), wait })
            }
        }
    }

    /// Where the body of a POST goes.
    ///
    /// # Errors
    /// The response that says why it goes nowhere.
    pub fn read_post<B>(
        request: &Request<B>,
        who: &Identity,
        has_auth: bool,
    ) -> Result<Envelope, Box<Reply>> {
        let topic = match Spot::at(request.uri().path()).ok_or_else(nothing)? {
            Spot::Topic(topic) => topic,
            Spot::List | Spot::History(_) | Spot::Bars(_) | Spot::BarsOfMany | Spot::Values => {
                return Err(Box::new(not_allowed(METHODS)));
            }
        };
        let pairs = Pairs::read(request.uri().query(), &["name", "to"]).map_err(bad)?;
        let said = pairs.name().map_err(bad)?;
        let publisher = match (&who.user, said) {
            (Some(user), Some(said)) if *user != said => return Err(Box::new(other_user())),
            (Some(user), _) => format!("user:{}", user::segment(user)).into(),
            (None, Some(_)) if has_auth => return Err(Box::new(other_user())),
            (None, Some(said)) => format!("user:{said}").into(),
            (None, None) => UNNAMED.into(),
        };
        let to = pairs.only("to").map_err(bad)?;
        let to = to.map(To::parse).transpose().map_err(|error| bad(error.message.into_owned()))?;
        Ok(Envelope { topic: topic.to_owned(), publisher, to })
    }

    /// Answers OPTIONS with the methods of a path, and every other method that is none of them with 405. Owns all it needs.
    pub fn methods<B>(&self, request: &Request<B>) -> impl Future<Output = Reply> + Send + use<B> {
        let is_options = *request.method() == Method::OPTIONS;
        let path = request.uri().path().to_owned();
        let asker = self.asker.clone();
        async move {
            let takes = async |topic: &str| ask(asker.ask(Ask::Takes { topic: topic.to_owned() })).await;
            let (takes, is_value) = match Spot::at(&path) {
                None => return *nothing(),
                Some(Spot::List | Spot::BarsOfMany | Spot::Values) => {
                    (Some(Answer::Takes { messages: false }), false)
                }
                Some(Spot::Topic(topic)) => (takes(topic).await, true),
                Some(Spot::History(topic) | Spot::Bars(topic)) => (takes(topic).await, false),
            };
            let methods = match &takes {
                Some(Answer::Takes { messages: true }) if is_value => TOPIC_METHODS,
                _ => METHODS,
            };
            match takes {
                Some(Answer::Takes { .. }) if is_options => cors::options(methods),
                Some(Answer::Takes { .. } | Answer::Refused(_)) if !is_options => not_allowed(methods),
                other => reply(other),
            }
        }
    }

    /// Publishes a body, one JSON value, if `standing` does not refuse who sends it once the body is there. Owns all it needs.
    pub fn publish<B>(
        &self,
        who: &Identity,
        to: Envelope,
        address: Option<IpAddr>,
        standing: Standing,
        body: B,
    ) -> impl Future<Output = Reply> + Send + use<B>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (asker, posted) = (self.asker.clone(), self.posted.clone());
        let (granted, hinted) = (who.check(Verb::Publish, &to.topic), who.rights.is_open());
        async move {
            if let Err(error) = granted {
                return refused(&error);
            }
            let Envelope { topic, publisher, to } = to;
            let body = match Limited::new(body, VALUE_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => {
                    let detail =
                        format!("the value has more than the {VALUE_BYTES_MAX} bytes that are allowed");
                    return problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
                }
                Err(_) => return problem(StatusCode::BAD_REQUEST, "the body did not come whole"),
            };
            if let Some(refused) = standing() {
                return refused;
            }
            match checked_value(&body) {
                Ok(value) => {
                    let origin = Publisher { address, seat: None };
                    let message = Message { topic: topic.clone(), publisher, origin, to, value };
                    let answer = ask(asker.ask_pulse(PulseAsk::Publish { message, hinted })).await;
                    if let Some(Answer::Published(Published { seq, letter: None, .. })) = &answer {
                        posted.note(topic, *seq);
                    }
                    reply(answer)
                }
                Err(error) => refused(&error),
            }
        }
    }

    /// Asks, and waits if that is wanted. Owns all it needs.
    pub fn answer(
        &self,
        wanted: Wanted,
        who: Arc<Identity>,
        stop: Stop,
        gone: Gone,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let (asker, waiting, posted) = (self.asker.clone(), self.waiting.clone(), self.posted.clone());
        let least = match &wanted {
            Wanted::Topics { .. } | Wanted::Values { .. } | Wanted::Bars { .. } => 0,
            Wanted::Value { topic, .. } | Wanted::History { topic, .. } => self.posted.last(topic),
        };
        // What else there may be is told to who may have all.
        let hinted = who.rights.is_open();
        // A list shows what may be seen; all else is granted, or refused before anything is looked up.
        let granted = match &wanted {
            Wanted::Topics { .. } | Wanted::Values { .. }
                if who.is_anonymous() && who.rights.is_nothing() =>
            {
                Err(who.refusal(Verb::Subscribe))
            }
            Wanted::Topics { .. } | Wanted::Values { .. } => Ok(()),
            Wanted::Value { topic, .. } => who.check(Verb::Subscribe, topic),
            Wanted::History { topic, .. } => who.check(Verb::History, topic),
            Wanted::Bars { topics, is_one: true, .. } => {
                topics.iter().try_for_each(|topic| who.check(Verb::History, topic))
            }
            Wanted::Bars { .. } if who.is_anonymous() && who.rights.is_nothing() => {
                Err(who.refusal(Verb::History))
            }
            Wanted::Bars { .. } => Ok(()),
        };
        async move {
            if let Err(error) = granted {
                return refused(&error);
            }
            match wanted {
                Wanted::Topics { pattern } => match Pattern::parse(&pattern) {
                    Ok(pattern) => reply(ask(asker.ask(Ask::Topics(pattern, who.rights.clone()))).await),
                    Err(why) => {
                        let detail = format!("match is not a pattern: {why}{}", topic::hint(&pattern));
                        problem(StatusCode::UNPROCESSABLE_ENTITY, &detail)
                    }
                },
                Wanted::Bars { topics, span, is_one, known } => {
                    // Each topic is granted or not; those that are not are told one by one.
                    let (topics, refused) =
                        topics.into_iter().partition(|topic| who.rights.allow(Verb::History, topic));
                    let answer = ask(asker.ask_pulse(PulseAsk::Bars { topics, span, hinted })).await;
                    bars::reply(bars::and_refused(answer, refused, &who), is_one, &known).await
                }
                Wanted::Values { asked, known } => values::answer(&asker, asked, &who, &known).await,
                Wanted::History { topic, limit } => {
                    let history = |least| {
                        asker.ask_pulse(PulseAsk::History { topic: topic.clone(), limit, least, hinted })
                    };
                    reply(posted.ask(&topic, least, history).await)
                }
                Wanted::Value { topic, known, wait } => {
                    let value = |least| {
                        asker.ask(Ask::Value { topic: topic.clone(), known: known.clone(), least, hinted })
                    };
                    let now = match posted.ask(&topic, least, value).await {
                        Some(Answer::Value { frame, tag }) if knows(&known, &tag) => {
                            Some(Answer::Same { seq: frame.tick().seq, tag })
                        }
                        now => now,
                    };
                    let seq = match &now {
                        Some(Answer::Same { seq, .. }) => *seq,
                        Some(Answer::Silent) if bar::is_among_bars(&topic) => {
                            return bars::not_a_value(&topic);
                        }
                        Some(Answer::Silent) => 0,
                        _ => return reply(now),
                    };
                    if wait.is_zero() {
                        return reply(now);
                    }
                    let Ok(place) = waiting.try_acquire_owned() else {
                        return busy(
                            "as many long polls as this server takes are waiting; try again, or without wait",
                        );
                    };
                    next(asker.ask(Ask::Next { topic, seq }), wait, (stop, gone), place)
                        .await
                        .unwrap_or_else(|| reply(now))
                }
            }
        }
    }
}

/// A topic's next value; none if there was none in time, nor before the client had ended its side.
async fn next(
    asked: Option<oneshot::Receiver<Answer>>,
    wait: Duration,
    (mut stop, gone): (Stop, Gone),
    _place: OwnedSemaphorePermit,
) -> Option<Reply> {
    tokio::select! {
        biased;
        waited = timeout(wait, stop.until(ask(asked))) => match waited {
            Ok(Some(answer)) => Some(reply(answer)),
            Ok(None) => Some(busy("the server is about to stop; try again")),
            Err(_) => None,
        },
        () = gone.noticed() => None,
    }
}

/// Who says another name than its token does.
fn other_user() -> Reply {
    problem(StatusCode::CONFLICT, "name is not the token's user; leave name out of the address")
}

fn nothing() -> Box<Reply> {
    Box::new(problem(StatusCode::NOT_FOUND, "nothing is served at this path"))
}

#[expect(clippy::needless_pass_by_value, reason = "what is wrong comes as a String")]
fn bad(detail: String) -> Box<Reply> {
    Box::new(problem(StatusCode::BAD_REQUEST, &detail))
}

/// Refuses a method that is none of these.
pub fn not_allowed(methods: &'static str) -> Reply {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("this path answers {methods}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

#[cfg(test)]
mod tests;
