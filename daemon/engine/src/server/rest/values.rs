//! The newest values of several topics over HTTP.

use std::collections::HashSet;
use std::sync::Arc;

use hyper::Request;

use super::opening::Pairs;
use super::reply::{self, Looks, Reply, tagged};
use crate::exchange::enquiry::{Answer, Ask, Asker, GET_PATTERNS_MAX, VALUES_MAX, ask};
use tickerd_model::access::identity::Identity;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::Failed;
use tickerd_model::topic::Pattern;
use tickerd_model::wire::encoding::Encoding;

/// Names of one request.
pub const NAMES_MAX: usize = 1024;
/// Bytes of envelopes in one answer.
const BYTES_MAX: usize = 4 << 20;
/// Bytes that cost as much as a look at a topic does.
const BYTES_PER_LOOK: usize = 64;
/// Values that are written between two looks at others' requests.
const PER_TURN: usize = 512;

/// What is asked for: each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub(super) names: Vec<String>,
    pub(super) patterns: Vec<String>,
}

/// The topics and patterns that a query names.
///
/// # Errors
/// What is wrong, for the client's author.
pub fn read<B>(request: &Request<B>) -> Result<Asked, String> {
    let pairs = Pairs::read(request.uri().query(), &["topics"])?;
    let (mut asked, mut known) = (Asked::default(), HashSet::new());
    for name in pairs.only("topics")?.unwrap_or_default().split(',').filter(|name| !name.is_empty()) {
        if !known.insert(name) {
            continue;
        }
        let (list, most, what) = match Pattern::is_pattern(name) {
            true => (&mut asked.patterns, GET_PATTERNS_MAX, "patterns"),
            false => (&mut asked.names, NAMES_MAX, "topics"),
        };
        if list.len() == most {
            return Err(format!("topics names more than {most} {what}; ask twice"));
        }
        list.push(name.to_owned());
    }
    match known.is_empty() {
        true => Err("topics is missing; write some such as topics=stocks.*,sim.AAPL".to_owned()),
        false => Ok(asked),
    }
}

/// Asks for the values, and puts them together. Shards look for one pattern at a time, so that none of them does more at once
/// than it does for a list.
pub async fn answer(asker: &Asker, asked: Asked, who: &Arc<Identity>, known: &[String]) -> Reply {
    let Asked { names, patterns } = asked;
    let named = (!names.is_empty()).then_some(names).into_iter();
    let (mut body, mut failed, mut looks) = (b"{\"values\":[".to_vec(), Vec::new(), 0);
    let (mut told, mut is_truncated) = (HashSet::<Box<str>>::new(), false);
    for names in named.chain(patterns.into_iter().map(|pattern| vec![pattern])) {
        let is_pattern = names.first().is_some_and(|name| Pattern::is_pattern(name));
        let answer = ask(asker.ask(Ask::Values { names, who: who.clone() })).await;
        let Some(Answer::Values { frames, failed: not_had, truncated, looks: looked_at }) = answer else {
            return reply::reply(answer);
        };
        looks += looked_at;
        failed.extend(not_had);
        is_truncated |= truncated;
        for (frame, nth) in frames.into_iter().zip(1..) {
            if nth % PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
            let topic = &frame.tick().topic;
            if told.contains(topic.name()) {
                continue;
            }
            let value = frame.quoted(Encoding::Json);
            if told.len() >= VALUES_MAX || body.len() + value.len() > BYTES_MAX {
                match is_pattern {
                    true => {
                        is_truncated = true;
                        break;
                    }
                    false => failed.push(Failed::new(topic.name(), &too_large())),
                }
                continue;
            }
            if !told.is_empty() {
                body.push(b',');
            }
            body.extend_from_slice(&value);
            told.insert(topic.name().into());
        }
    }
    let cost = looks + body.len() / BYTES_PER_LOOK;
    failed.iter_mut().for_each(|one| one.message = Identity::over_http(&one.message));
    body.extend_from_slice(b"],\"failed\":");
    // It is plain data, and a Vec takes all that is written to it.
    serde_json::to_writer(&mut body, &failed).expect("what failed is plain data");
    body.extend_from_slice(if is_truncated { b",\"truncated\":true}" } else { b"}" });
    let mut response = tagged(body, known);
    response.extensions_mut().insert(Looks(cost));
    response
}

fn too_large() -> ProtocolError {
    ProtocolError::new(
        Code::TooLarge,
        format!("one answer holds {BYTES_MAX} bytes; ask for the rest in another request"),
    )
}
