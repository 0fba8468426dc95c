//! What HTTP is answered: an answer of the shards as a response, and the refusals that say when to come back.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::exchange::enquiry::Answer;
use crate::exchange::question::Quotes;
use tickerd_model::access::identity::Identity;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::wire::encoding::Encoding;

use super::problem::problem;
use super::spot::knows;

/// What a busy server asks clients to wait, in seconds.
const RETRY_AFTER: &str = "1";

/// A response whose body is at hand.
pub type Reply = Response<Full<Bytes>>;

/// Topics that were looked at for a response, which has it among its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Looks(pub usize);

/// The bytes of the past that were written for an answer, also if its client has them already.
#[derive(Debug, Clone, Copy)]
pub struct Written(pub usize);

/// An answer as a response; without one the shard has too much to do.
pub fn reply(answer: Option<Answer>) -> Reply {
    let (mut response, tag) = match answer {
        Some(Answer::Value { frame, tag }) => (json(Bytes::copy_from_slice(frame.envelope())), Some(tag)),
        Some(Answer::Same { tag, .. }) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            (response, Some(tag))
        }
        Some(Answer::History { topic, epoch, past }) => {
            let quotes = Quotes::of(&past.frames, Encoding::Json);
            (plain(&past.told(None, &topic, &epoch, &quotes)), None)
        }
        Some(Answer::Published(published)) => (plain(&published.told(None)), None),
        Some(Answer::Listed { object, looks }) => {
            let mut response = json(Bytes::from(object));
            response.extensions_mut().insert(Looks(looks));
            (response, None)
        }
        Some(Answer::Silent) => {
            let detail = "the topic has not spoken yet; add ?wait=25 to wait for its first value";
            (problem(StatusCode::NOT_FOUND, detail), None)
        }
        Some(Answer::Refused(error)) => (refused(&error), None),
        // Those who ask for these make their own answer of it.
        Some(
            Answer::Takes { .. }
            | Answer::Bars { .. }
            | Answer::Values { .. }
            | Answer::Rows(_)
            | Answer::Disconnected(_),
        ) => (problem(StatusCode::NOT_FOUND, "nothing is served at this path"), None),
        None => (busy("the server has too much to do; try again"), None),
    };
    if let Some(value) = tag.and_then(|tag| HeaderValue::try_from(format!("\"{tag}\"")).ok()) {
        response.headers_mut().insert(header::ETAG, value);
    }
    // Kept, and asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The data of the event that answers the same command of a client.
fn plain(data: &impl Serialize) -> Reply {
    // It is plain data, and a Vec takes all that is written to it.
    json(serde_json::to_vec(data).expect("an answer is plain data").into())
}

/// JSON with a tag that is new whenever it is; to who knows it already, that it is the same.
pub fn tagged(body: Vec<u8>, known: &[String]) -> Reply {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("{:016x}", hasher.finish());
    let written = Written(body.len());
    let mut response = match knows(known, &tag) {
        true => {
            let mut same = Response::new(Full::default());
            *same.status_mut() = StatusCode::NOT_MODIFIED;
            same
        }
        false => json(body.into()),
    };
    if let Ok(value) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.extensions_mut().insert(written);
    response
}

fn json(body: Bytes) -> Reply {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a command would be told.
pub fn refused(error: &ProtocolError) -> Reply {
    let status = match error.code {
        Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::BadPattern => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::Conflict => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::FeedUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::NOT_FOUND,
    };
    let mut response = problem(status, &Identity::over_http(&error.message));
    if status == StatusCode::UNAUTHORIZED {
        // `tickerd check` knows a daemon by this realm.
        let challenge = HeaderValue::from_static("Bearer realm=\"tickerd\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait_ms) = error.retry_after_ms {
        retry_after(&mut response, wait_ms);
    }
    response
}

/// Refuses what was too much at once.
pub fn limited(why: &str, wait_ms: u64) -> Reply {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, why);
    retry_after(&mut response, wait_ms);
    response
}

/// It is said in whole seconds (RFC 9110 10.2.3), and never too early.
fn retry_after(response: &mut Reply, wait_ms: u64) {
    response.headers_mut().insert(header::RETRY_AFTER, wait_ms.div_ceil(1000).into());
}

/// Refuses for the moment.
pub fn busy(detail: &str) -> Reply {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_was_written_all_the_same() {
        let first = tagged(b"0123".to_vec(), &[]);
        let tag = first.headers()[header::ETAG].to_str().unwrap().trim_matches('"').to_owned();
        let same = tagged(b"0123".to_vec(), &[tag]);
        assert_eq!((first.status(), same.status()), (StatusCode::OK, StatusCode::NOT_MODIFIED));
        for response in [first, same] {
            assert!(matches!(response.extensions().get(), Some(Written(4))));
        }
    }
}
