//! Bars over HTTP: of one topic, or of several at once.

use hyper::{Request, StatusCode};

use super::opening::Pairs;
use super::problem::problem;
use super::reply::{self, Reply, refused, tagged};
use super::spot::{limit, whole};
use crate::exchange::enquiry::Answer;
use crate::exchange::past_bars::{BARS_BYTES_MAX, Found, Span};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::BARS_LIMIT;
use tickerd_model::protocol::event;
use tickerd_model::topic::bar;

/// Topics of one request.
pub const TOPICS_MAX: usize = 256;
/// Bytes of bars in one answer about several topics. Each topic has its part of it.
const ALL_BYTES_MAX: usize = 8 << 20;

/// The keys that say which bars.
pub const KEYS: [&str; 3] = ["period", "limit", "before"];

/// Which bars are asked for.
pub fn span(pairs: &Pairs) -> Result<Span, String> {
    let period = pairs.only("period")?.ok_or("period is missing; write one such as period=1m")?;
    let count = limit(pairs.only("limit")?, BARS_LIMIT).ok_or("limit must be a whole number, at least 1")?;
    let before = pairs.only("before")?.map_or(Some(u64::MAX), whole);
    let before = before.ok_or("before must be a time in Unix milliseconds, such as before=1767225600000")?;
    Ok(Span { period: period.to_owned(), limit: count, before })
}

/// The topics that a query names.
pub fn topics<B>(request: &Request<B>) -> Result<(Vec<String>, Span), String> {
    let known: Vec<&str> = ["topics"].into_iter().chain(KEYS).collect();
    let pairs = Pairs::read(request.uri().query(), &known)?;
    let listed = pairs.only("topics")?.unwrap_or_default();
    let mut topics: Vec<String> = Vec::new();
    for topic in listed.split(',').filter(|topic| !topic.is_empty()) {
        if topics.len() == TOPICS_MAX {
            return Err(format!("topics names more than {TOPICS_MAX} topics; ask twice"));
        }
        if !topics.iter().any(|other| other == topic) {
            topics.push(topic.to_owned());
        }
    }
    match topics.is_empty() {
        true => Err("topics is missing; write some such as topics=stocks.AAPL,stocks.MSFT".to_owned()),
        false => Ok((topics, span(&pairs)?)),
    }
}

/// The bars of one topic as a response.
fn one(epochs: &[Box<str>], found: Vec<(String, Found)>, known: &[String]) -> Option<Reply> {
    let (epoch, (_, found)) = epochs.first().zip(found.into_iter().next())?;
    Some(match found {
        Err(error) => refused(&error),
        Ok(found) => {
            let mut body = Vec::new();
            found.write(epoch, BARS_BYTES_MAX, &mut body).ok()?;
            tagged(body, known)
        }
    })
}

/// The bars of several topics as a response. Between topics others have their turn.
async fn many(epochs: Vec<Box<str>>, all: Vec<(String, Found)>, known: &[String]) -> Option<Reply> {
    let part = (ALL_BYTES_MAX / all.len().max(1)).min(BARS_BYTES_MAX);
    let (mut body, mut failed) = (b"{\"topics\":[".to_vec(), Vec::new());
    let mut is_first = true;
    for (epoch, (topic, found)) in epochs.iter().zip(all) {
        match found {
            Err(error) => failed.push(event::Failed::new(&topic, &error)),
            Ok(found) => {
                if !std::mem::take(&mut is_first) {
                    body.push(b',');
                }
                found.write(epoch, part, &mut body).ok()?;
            }
        }
        tokio::task::yield_now().await;
    }
    failed.iter_mut().for_each(|one| one.message = Identity::over_http(&one.message));
    body.extend_from_slice(b"],\"failed\":");
    serde_json::to_writer(&mut body, &failed).ok()?;
    body.push(b'}');
    Some(tagged(body, known))
}

/// What is said of a topic of bars that nobody subscribes to: it has no value, also after a wait.
pub fn not_a_value(name: &str) -> Reply {
    let instead = match bar::behind(name) {
        Some(bar::Behind { period, topic, .. }) => format!("; ask /v1/topics/{topic}/bars?period={period}"),
        None => String::new(),
    };
    let detail = format!("bars are a topic only while someone is subscribed to it{instead}");
    problem(StatusCode::NOT_FOUND, &detail)
}

/// Adds to an answer the topics that who asks may not have.
pub fn and_refused(answer: Option<Answer>, refused: Vec<String>, who: &Identity) -> Option<Answer> {
    let Some(Answer::Bars { mut epochs, mut found }) = answer else { return answer };
    for topic in refused {
        let error = who.check(Verb::History, &topic).err().unwrap_or_else(|| who.refusal(Verb::History));
        epochs.push(Box::default());
        found.push((topic, Err(error)));
    }
    Some(Answer::Bars { epochs, found })
}

/// What the pulse found, as a response. Who knows it already by one of these tags is told that it is the same.
pub async fn reply(answer: Option<Answer>, is_one: bool, known: &[String]) -> Reply {
    let told = match answer {
        Some(Answer::Bars { epochs, found }) => match is_one {
            true => one(&epochs, found, known),
            false => many(epochs, found, known).await,
        },
        other => return reply::reply(other),
    };
    told.unwrap_or_else(|| reply::reply(None))
}
