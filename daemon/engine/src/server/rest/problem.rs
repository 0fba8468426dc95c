//! The body of every HTTP error: `application/problem+json` (RFC 9457), small, and saying what to change.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use tickerd_model::protocol::problem::Problem;

/// An error response. `detail` says what to change and must not hold what the client sent unescaped.
pub fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!(Problem { title, status: status.as_u16(), detail });
    let mut response = Response::new(Full::from(format!("{body}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
