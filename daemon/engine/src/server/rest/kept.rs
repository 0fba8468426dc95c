//! Bytes that are kept ready: the page, documents, the list of feeds.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::cors;
use super::page::Served;
use super::problem::problem;
use super::reply::Reply;

/// What is another file as soon as it changes: kept for a year, and never asked for again.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Answers with a file that is built in.
pub fn serve_asset<B>(served: Served, request: &Request<B>) -> Reply {
    let Served { asset, is_forever, is_shared } = served;
    let etag = HeaderValue::from_static(asset.etag);
    let mut response = serve(Bytes::from_static(asset.bytes), asset.content_type, etag, request);
    if is_shared {
        cors::share(&mut response);
    }
    if is_forever && response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOREVER));
    }
    response
}

/// Answers every method but GET and HEAD.
pub fn not_allowed() -> Reply {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "this path answers GET and HEAD");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// Answers what is asked of no path. No cache keeps it: another version, or a neighbour, may serve it.
pub fn nothing() -> Reply {
    let mut response = problem(StatusCode::NOT_FOUND, "nothing is served at this path");
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers GET and HEAD with these bytes, or with 304 to who has them.
pub fn serve<B>(bytes: Bytes, content_type: &'static str, etag: HeaderValue, request: &Request<B>) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_allowed();
    }
    let mut response = Response::new(Full::default());
    if request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &etag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Full::new(bytes);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    // Kept, and asked for again each time: what is new is seen at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// RFC 9110 13.1.2: weak comparison with each listed tag; `*` is any.
fn names(value: &HeaderValue, etag: &HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|tag| {
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        tag == b"*" || tag == etag.as_bytes()
    })
}
