//! What a server answers, and how badly.

use std::time::Duration;

/// An answer. Start from what is said ([`Reply::json`], …), then say how: whole, unless told otherwise.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) manner: Manner,
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Head, then body, as HTTP says.
    Whole,
    /// In chunks of so many bytes.
    Chunked(usize),
    /// So many bytes of the body at a time, with a pause in between.
    Drip(usize, Duration),
    /// The head promises the whole body, of which so many bytes come before the connection closes.
    Truncated(usize),
    /// The same, but the connection is reset.
    Reset(usize),
    /// Nothing, and the connection stays open.
    Silent,
    /// The body is all that is sent, be it HTTP or not; then the connection closes.
    Raw,
}

impl Reply {
    /// Status 200 with that body.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: body.into(), manner: Manner::Whole }
            .header("content-type", content_type)
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Reply {
        Reply::new("application/json; charset=utf-8", value.to_string())
    }

    /// JSON as it is written, right or wrong.
    pub fn json_text(text: &str) -> Reply {
        Reply::new("application/json; charset=utf-8", text)
    }

    /// A web page, as a captive portal or a challenge sends it under status 200.
    pub fn page(title: &str) -> Reply {
        let html = format!(
            "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>Wait a moment</body></html>"
        );
        Reply::new("text/html; charset=utf-8", html)
    }

    /// A status alone.
    pub fn status(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new(), manner: Manner::Whole }
    }

    /// No answer; the connection stays open until the server ends.
    pub fn silent() -> Reply {
        Reply { manner: Manner::Silent, ..Reply::status(200) }
    }

    /// These bytes instead of an answer; then the connection closes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply { body: bytes.into(), manner: Manner::Raw, ..Reply::status(200) }
    }

    /// The same under another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Reply {
        Reply { status, ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In chunks of `bytes`.
    #[must_use]
    pub fn chunked(self, bytes: usize) -> Reply {
        Reply { manner: Manner::Chunked(bytes.max(1)), ..self }
    }

    /// `bytes` of the body at a time, with a pause after each.
    #[must_use]
    pub fn drip(self, bytes: usize, pause: Duration) -> Reply {
        Reply { manner: Manner::Drip(bytes.max(1), pause), ..self }
    }

    /// Only the first `bytes` of the body, though the head promises all; then the connection closes.
    #[must_use]
    pub fn truncated(self, bytes: usize) -> Reply {
        Reply { manner: Manner::Truncated(bytes), ..self }
    }

    /// Only the first `bytes` of the body; then the connection is reset.
    #[must_use]
    pub fn reset(self, bytes: usize) -> Reply {
        Reply { manner: Manner::Reset(bytes), ..self }
    }
}
