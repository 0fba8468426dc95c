//! `/v1`: topics and their values for whoever has no WebSocket, from the same shards and under the same rules.
//!
//! | path | answer |
//! |---|---|
//! | `/v1/topics?match=` | the topics there are |
//! | `/v1/topics/{topic}?wait=` | the newest value's envelope, or its next one |
//! | `/v1/topics/{topic}/history?limit=` | the newest ticks that are kept |
//! | POST `/v1/topics/{topic}?name=&to=` | publishes the body, one JSON value, to a declared topic |
//! | `/v1/sse?topics=&rate=` | an event stream; see `routes` |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::fanout::enquiry::{Answer, Ask, Asker};
use crate::fanout::question::Message;
use crate::fanout::rooms::checked_value;
use crate::model::normalise::VALUE_BYTES_MAX;
use crate::model::protocol::WAIT_MAX_S;
use crate::model::rooms::{Publisher, To};
use crate::model::topic::Pattern;

use super::cors::METHODS;
use super::opening;
use super::problem::problem;
use super::reply::{Reply, busy, refused, reply};
use super::stop::Stop;

/// Long polls that wait at the same time. Each also has a connection, which counts among all connections.
const WAITING_MAX: usize = 1024;
/// The longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(WAIT_MAX_S);
/// Ticks of one `history` when nobody says how many.
const HISTORY_LIMIT_DEFAULT: usize = 100;
/// Who publishes without a name.
const UNNAMED: &str = "http";
/// What a topic's own path answers to.
const TOPIC_METHODS: &str = "GET, HEAD, POST, OPTIONS";
/// Tags of `If-None-Match` that are looked at.
const TAGS_MAX: usize = 16;
pub struct Api {
    asker: Asker,
    waiting: Arc<Semaphore>,
}

/// A request that a shard has to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Topics { pattern: String },
    Value { topic: String, known: Vec<String>, wait: Duration },
    History { topic: String, limit: usize },
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
        Api { asker, waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// What a request below `/v1` wants.
    ///
    /// # Errors
    /// The response, if no shard has to be asked.
    pub fn read<B>(request: &Request<B>) -> Result<Wanted, Box<Reply>> {
        let rest = request.uri().path().strip_prefix("/v1/topics").unwrap_or("/");
        let query = request.uri().query();
        let bad = |detail: &str| Box::new(problem(StatusCode::BAD_REQUEST, detail));
        match rest.strip_prefix('/') {
            None if rest.is_empty() => {
                check_method(request.method())?;
                let pattern = opening::parameter(query, "match").map_err(bad)?;
                Ok(Wanted::Topics { pattern: pattern.unwrap_or_else(|| "**".into()) })
            }
            Some(rest) if rest.ends_with("/history") && rest.matches('/').count() == 1 => {
                let topic = rest.strip_suffix("/history").unwrap_or_default();
                check_method(request.method())?;
                let limit = opening::parameter(query, "limit").map_err(bad)?;
                let limit = limit.map_or(Some(HISTORY_LIMIT_DEFAULT), |text| text.parse().ok());
                let limit = limit.filter(|limit| (1..=u32::MAX as usize).contains(limit));
                let limit = limit.ok_or_else(|| bad("limit must be a whole number, at least 1"))?;
                Ok(Wanted::History { topic: topic.to_owned(), limit })
            }
            Some(topic) if !topic.is_empty() && !topic.contains('/') => {
                check_method(request.method()).map_err(|mut response| {
                    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(TOPIC_METHODS));
                    response
                })?;
                let wait = opening::parameter(query, "wait").map_err(bad)?;
                let wait = wait.map_or(Some(Duration::ZERO), |text| seconds(&text)).ok_or_else(|| {
                    bad(&format!("wait must be a whole number of seconds, at most {}", WAIT_MAX.as_secs()))
                })?;
                Ok(Wanted::Value { topic: topic.to_owned(), known: tags(request.headers()), wait })
            }
            _ => Err(Box::new(problem(StatusCode::NOT_FOUND, "nothing is served at this path"))),
        }
    }

    /// Where the body of a POST goes.
    ///
    /// # Errors
    /// The response that says why it goes nowhere.
    pub fn read_post<B>(request: &Request<B>) -> Result<Envelope, Box<Reply>> {
        let bad = |detail: &str| Box::new(problem(StatusCode::BAD_REQUEST, detail));
        let query = request.uri().query();
        let topic = request.uri().path().strip_prefix("/v1/topics/").filter(|topic| !topic.contains('/'));
        let Some(topic) = topic.filter(|topic| !topic.is_empty()) else {
            check_method(request.method())?;
            return Err(Box::new(problem(StatusCode::NOT_FOUND, "nothing is published at this path")));
        };
        let publisher = match opening::parse(query).map_err(bad)?.name {
            Some(name) => format!("user:{name}").into(),
            None => UNNAMED.into(),
        };
        let to = opening::parameter(query, "to").map_err(bad)?;
        let to = to.as_deref().map(To::parse).transpose().map_err(|error| bad(&error.message))?;
        Ok(Envelope { topic: topic.to_owned(), publisher, to })
    }

    /// Publishes a body, one JSON value. Owns all it needs.
    pub fn publish<B>(
        &self,
        to: Envelope,
        address: Option<IpAddr>,
        body: B,
    ) -> impl Future<Output = Reply> + Send + use<B>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asker = self.asker.clone();
        async move {
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
            match checked_value(&body) {
                Ok(value) => {
                    let origin = Publisher { address, seat: None };
                    let message = Message { topic, publisher, origin, to, value };
                    reply(ask(asker.ask(Ask::Publish(message))).await)
                }
                Err(error) => refused(&error),
            }
        }
    }

    /// Asks, and waits if that is wanted. Owns all it needs.
    pub fn answer(&self, wanted: Wanted, stop: Stop) -> impl Future<Output = Reply> + Send + use<> {
        let (asker, waiting) = (self.asker.clone(), self.waiting.clone());
        async move {
            match wanted {
                Wanted::Topics { pattern } => match Pattern::parse(&pattern) {
                    Ok(pattern) => reply(ask(asker.ask(Ask::Topics(pattern))).await),
                    Err(why) => {
                        problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("match is not a pattern: {why}"))
                    }
                },
                Wanted::History { topic, limit } => {
                    reply(ask(asker.ask(Ask::History { topic, limit })).await)
                }
                Wanted::Value { topic, known, wait } => {
                    let now = ask(asker.ask(Ask::Value { topic: topic.clone(), known })).await;
                    let seq = match &now {
                        Some(Answer::Same { seq, .. }) => *seq,
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
                    next(asker.ask(Ask::Next { topic, seq }), wait, stop, place)
                        .await
                        .unwrap_or_else(|| reply(now))
                }
            }
        }
    }
}

/// A topic's next value; none if there was none in time.
async fn next(
    asked: Option<oneshot::Receiver<Answer>>,
    wait: Duration,
    mut stop: Stop,
    _place: OwnedSemaphorePermit,
) -> Option<Reply> {
    match timeout(wait, stop.until(ask(asked))).await {
        Ok(Some(answer)) => Some(reply(answer)),
        Ok(None) => Some(busy("the server is about to stop; try again")),
        Err(_) => None,
    }
}

async fn ask(asked: Option<oneshot::Receiver<Answer>>) -> Option<Answer> {
    asked?.await.ok()
}

/// Refuses what is neither GET nor HEAD.
pub fn check_method(method: &Method) -> Result<(), Box<Reply>> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("this path answers {METHODS}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    Err(Box::new(response))
}

fn seconds(text: &str) -> Option<Duration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits).map(Duration::from_secs)?;
    (seconds <= WAIT_MAX).then_some(seconds)
}

/// The tags a client has, without quotes and the mark of weak ones (RFC 9110 13.1.2: they compare alike here).
fn tags(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let tags = items.filter_map(|item| {
        let tag = item.strip_prefix(b"W/").unwrap_or(item).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        String::from_utf8(tag.to_vec()).ok()
    });
    tags.take(TAGS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str) -> Result<Wanted, u16> {
        let request = Request::builder().method(method).uri(uri).header("If-None-Match", "W/\"e-7\", \"x\"");
        Api::read(&request.body(()).unwrap()).map_err(|response| response.status().as_u16())
    }

    /// Answers that nobody will give, for as long as the test wants.
    #[test]
    fn who_waits_is_bounded_and_told_when_to_come_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (sender, mut questions) = tokio::sync::mpsc::channel(8);
            let api = Api { asker: Asker::new([sender]), waiting: Arc::new(Semaphore::new(1)) };
            let (_running, stopped) = tokio::sync::watch::channel(false);
            let poll = || {
                let wanted = Wanted::Value { topic: "f.a".into(), known: vec![], wait: WAIT_MAX };
                tokio::spawn(api.answer(wanted, Stop::new(stopped.clone())))
            };
            let first = poll();
            let silent = questions.recv().await.unwrap();
            silent.answer.send(Answer::Silent).unwrap();
            let waits = questions.recv().await.unwrap();
            assert!(matches!(waits.what, Ask::Next { seq: 0, .. }));

            let second = poll();
            questions.recv().await.unwrap().answer.send(Answer::Silent).unwrap();
            let busy = second.await.unwrap();
            assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(busy.headers().contains_key(header::RETRY_AFTER));

            first.abort();
            assert!(first.await.is_err());
            assert!(waits.answer.is_closed(), "who lost patience is known to have");
            assert_eq!(api.waiting.available_permits(), 1);
        });
        let nobody = Api::new(Asker::default());
        let (_running, stopped) = tokio::sync::watch::channel(false);
        let wanted = Wanted::Topics { pattern: "**".into() };
        let busy = runtime.block_on(nobody.answer(wanted, Stop::new(stopped)));
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn requests_are_read() {
        let value = |topic: &str, wait| {
            let known = vec!["e-7".to_owned(), "x".to_owned()];
            Ok(Wanted::Value { topic: topic.into(), known, wait: Duration::from_secs(wait) })
        };
        let history = |limit| Ok(Wanted::History { topic: "sim.AAPL".into(), limit });
        let topics = |pattern: &str| Ok(Wanted::Topics { pattern: pattern.into() });
        for (method, uri, expected) in [
            ("GET", "/v1/topics", topics("**")),
            ("HEAD", "/v1/topics?match=sim.%2A&x=1", topics("sim.*")),
            ("GET", "/v1/topics/sim.AAPL", value("sim.AAPL", 0)),
            ("GET", "/v1/topics/sim.AAPL?wait=25", value("sim.AAPL", 25)),
            ("GET", "/v1/topics/sim.AAPL?wait=30", value("sim.AAPL", 30)),
            ("GET", "/v1/topics/sim.AAPL?wait=31", Err(400)),
            ("GET", "/v1/topics/sim.AAPL?wait=-1", Err(400)),
            ("GET", "/v1/topics/sim.AAPL?wait=+1", Err(400)),
            ("GET", "/v1/topics/sim.AAPL?wait=", Err(400)),
            ("GET", "/v1/topics/sim.AAPL?wait=1&wait=2", Err(400)),
            ("GET", "/v1/topics?match=%", Err(400)),
            ("POST", "/v1/topics/sim.AAPL", Err(405)),
            ("DELETE", "/v1/topics", Err(405)),
            ("GET", "/v1/topics/", Err(404)),
            ("GET", "/v1/topics/a/b", Err(404)),
            ("GET", "/v1/topicsx", Err(404)),
            ("GET", "/v1/topics/sim.AAPL/history", history(100)),
            ("GET", "/v1/topics/sim.AAPL/history?limit=7", history(7)),
            ("GET", "/v1/topics/sim.AAPL/history?limit=0", Err(400)),
            ("GET", "/v1/topics/sim.AAPL/history?limit=x", Err(400)),
            ("POST", "/v1/topics/sim.AAPL/history", Err(405)),
            ("GET", "/v1/topics/sim.AAPL/past", Err(404)),
            ("GET", "/v1/", Err(404)),
        ] {
            assert_eq!(read(method, uri), expected, "{method} {uri}");
        }
    }
}
