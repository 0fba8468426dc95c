//! Which pages may read `/v1`: those of the same host and of the listed Origins, as for `/ws`, and how browsers are told.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

/// What the paths below `/v1` answer to.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// Says that the page that asked may read this. Its Origin was checked before.
pub fn allow(request: &HeaderMap, response: &mut Response<Full<Bytes>>) {
    let headers = response.headers_mut();
    // Whether it may be read depends on who asks, so no cache may give it to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = request.get(header::ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag, Retry-After"));
    }
}

/// Answers OPTIONS: what a page may ask, for ten minutes.
pub fn preflight() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ALLOW, METHODS),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "If-None-Match, Last-Event-ID, Cache-Control, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
