//! What a status means: whose fault it is and what to do.

use std::time::Duration;

use serde_json::Value;
use ureq::http::StatusCode;

use super::body::{excerpt, start, web_page};
use crate::Fault;

/// The keys under which providers put the text of an error, the most informative first.
const MESSAGE_KEYS: [&str; 11] = [
    "message",
    "msg",
    "error_description",
    "description",
    "detail",
    "reason",
    "error",
    "errors",
    "errorMessage",
    "title",
    "Information",
];
/// How deep these keys are looked for: `{"chart":{"error":{"description":…}}}`.
const MESSAGE_DEPTH: usize = 4;

/// An answer under a status of failure.
pub(crate) struct Failure<'a> {
    pub status: StatusCode,
    /// How long the provider asks to wait.
    pub wait: Option<Duration>,
    pub content_type: &'a str,
    pub body: &'a [u8],
    /// The provider and the request: `mock answered GET /x`.
    pub subject: &'a str,
}

impl Failure<'_> {
    /// The fault that it means. Its text may still hold a key.
    pub fn fault(&self) -> Fault {
        let status = self.status.as_u16();
        let said = self.said();
        let reason = self.status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        // `mock answered GET /x 404 Not Found: “no such symbol”`
        let message = format!("{} with {status}{reason}{said}", self.subject);
        match status {
            401 | 407 => Fault::Refused {
                status,
                message: format!("{message}; check the key in the feed's configuration"),
            },
            402 | 403 => Fault::Refused {
                status,
                message: format!(
                    "{message}; check that the key is right and its plan covers what is asked for"
                ),
            },
            451 => Fault::Refused {
                status,
                message: format!("{message}; it does not serve this region: choose another provider"),
            },
            429 => Fault::Limited { wait: self.wait, message },
            408 | 425 | 500.. => Fault::Unavailable { message },
            _ => Fault::Unknown { message },
        }
    }

    /// The provider's own words about the failure, if any.
    fn said(&self) -> String {
        if let Some(title) = web_page(self.body, self.content_type) {
            return format!(" (a web page {})", excerpt(&title));
        }
        let words = own_words(self.body).unwrap_or_else(|| start(self.body));
        if words.trim().is_empty() { String::new() } else { format!(": {}", excerpt(&words)) }
    }
}

/// The provider's own words in an error's JSON.
pub(super) fn own_words(body: &[u8]) -> Option<String> {
    message(&serde_json::from_slice(body).ok()?, MESSAGE_DEPTH)
}

/// The words in an error's JSON.
fn message(json: &Value, depth: usize) -> Option<String> {
    match json {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(items) if depth > 0 => items.iter().find_map(|item| message(item, depth - 1)),
        Value::Object(map) if depth > 0 => {
            let named = MESSAGE_KEYS.iter().find_map(|key| message(map.get(*key)?, depth - 1));
            let nested = || map.values().filter(|v| v.is_object()).find_map(|v| message(v, depth - 1));
            named.or_else(nested)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, redact};

    fn fault(status: u16, body: &str) -> Fault {
        let failure = Failure {
            status: StatusCode::from_u16(status).unwrap(),
            wait: Some(Duration::from_secs(7)),
            content_type: "application/json",
            body: body.as_bytes(),
            subject: "mock answered GET /x",
        };
        failure.fault()
    }

    #[test]
    fn each_status_is_what_helps() {
        for status in [401, 402, 403, 407, 451] {
            assert!(matches!(fault(status, ""), Fault::Refused { status: s, .. } if s == status), "{status}");
        }
        for status in [400, 404, 405, 410, 413, 414, 418, 422] {
            assert!(matches!(fault(status, ""), Fault::Unknown { .. }), "{status}");
        }
        for status in [408, 425, 500, 502, 503, 504, 520, 599, 999] {
            assert!(matches!(fault(status, ""), Fault::Unavailable { .. }), "{status}");
        }
        assert!(matches!(fault(429, ""), Fault::Limited { wait: Some(wait), .. } if wait.as_secs() == 7));
    }

    #[test]
    fn the_providers_own_words_are_found() {
        for (body, says) in [
            (
                r#"{"error":"You don't have access to this resource."}"#,
                "“You don't have access to this resource.”",
            ),
            (
                r#"{"error":true,"reason":"Minutely API request limit exceeded."}"#,
                "“Minutely API request limit",
            ),
            (r#"{"code":0,"msg":"Service unavailable from a restricted location"}"#, "“Service unavailable"),
            (
                r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#,
                "“No data found”",
            ),
            (r#"{"errors":[{"status":7},{"detail":"bad point"}]}"#, "“bad point”"),
            (r#"{"status":7}"#, r#"“{"status":7}”"#),
            ("Edge: Too Many Requests", "“Edge: Too Many Requests”"),
            ("<html><title>Access denied</title>", "(a web page “Access denied”)"),
        ] {
            let text = fault(404, body).to_string();
            assert!(
                text.starts_with("mock answered GET /x with 404 Not Found") && text.contains(says),
                "{text}"
            );
        }
        assert_eq!(fault(404, "").to_string(), "mock answered GET /x with 404 Not Found");
    }

    #[test]
    fn an_echoed_key_is_hidden_also_where_the_excerpt_ends() {
        let key = Secret::new("c0ffee1234").unwrap();
        for at in [0, 150, 152, 155, 159, 160] {
            let filler = "x".repeat(at);
            for body in [
                format!("{filler}c0ffee1234"),
                format!(r#"{{"error":"{filler}c0ffee1234"}}"#),
                format!("<html><title>{filler}c0ffee1234</title>"),
            ] {
                let text = redact(&fault(404, &body).to_string(), &[&key]);
                assert!(!text.contains("c0ff"), "{text}");
            }
        }
    }
}
