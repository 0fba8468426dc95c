//! Which pages may read `/v1`: those of the same host and of the listed Origins, as for `/ws`, and how browsers are told.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

/// What the paths below `/v1` answer to.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// A page that may come in.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its Origin, as it says it.
    pub origin: HeaderValue,
    /// Whether its requests may carry what belongs to its user, such as cookies.
    pub trusted: bool,
}

/// Says whether the page that asked may read this.
pub fn allow(page: Option<&Page>, response: &mut Response<Full<Bytes>>) {
    let headers = response.headers_mut();
    // Whether it may be read depends on who asks, so no cache may give it to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(Page { origin, trusted }) = page else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag, Retry-After"));
    if *trusted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Lets pages of every site load this, also those that load nothing which does not agree to it.
pub fn share(response: &mut Response<Full<Bytes>>) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
}

/// Whether a browser asks in place of a page what that may ask.
pub fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers: &HeaderMap = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers OPTIONS: what may be asked of a path, and what a page may ask, for ten minutes.
pub fn options(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ALLOW, methods),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, If-None-Match, Last-Event-ID, Cache-Control, Content-Type",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
