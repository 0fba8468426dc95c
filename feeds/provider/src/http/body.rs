//! What a provider answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::answer::own_words;
use super::validators::Validators;
use crate::{Fault, Secret, redact};

/// Longest excerpt shown, in characters.
const EXCERPT_MAX: usize = 160;
/// Longest text of a fault, in characters.
const MESSAGE_MAX: usize = 600;
/// How much of a body is looked at for an excerpt, a title or a message, in bytes.
const LOOKED_AT_MAX: usize = 16 * 1024;

/// A provider's answer under a status of success.
#[derive(Debug)]
pub enum Reply {
    /// An answer with a body.
    Body(Body),
    /// An answer without a body: 204, or a body of no bytes.
    Empty {
        /// How long this holds, if it says so.
        fresh_for: Option<Duration>,
    },
    /// The last answer to the same request still holds (304).
    Unchanged {
        /// How long it holds from now, if it says so.
        fresh_for: Option<Duration>,
    },
}

impl Reply {
    /// How long the answer may be used as it is, at most a day. `None` if the answer does not say.
    pub fn fresh_for(&self) -> Option<Duration> {
        match self {
            Reply::Body(body) => body.fresh_for(),
            Reply::Empty { fresh_for } | Reply::Unchanged { fresh_for } => *fresh_for,
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: String,
    /// Whether the end of the body was marked. Otherwise the end of the connection was taken for it, and may have
    /// come too soon.
    pub(super) delimited: bool,
    pub(super) fresh_for: Option<Duration>,
    /// The provider and the request: `open-meteo answered GET /v1/forecast?…`.
    pub(super) subject: String,
    pub(super) keeper: Keeper,
}

/// Forgets the validators (ETag, Last-Modified) of a body that could not be read, so that it is asked for again in
/// full.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    pub validators: Arc<Mutex<Validators>>,
    pub url: String,
    pub secrets: Arc<[Secret]>,
}

impl Keeper {
    /// `text` without keys. This must be done before the text is cut, since half a key is not recognised.
    pub fn clean(&self, text: &str) -> String {
        let secrets: Vec<&Secret> = self.secrets.iter().collect();
        redact(text, &secrets)
    }

    /// A fault's text without keys, on one line and shortened.
    pub fn message(&self, text: &str) -> String {
        line(&self.clean(text), MESSAGE_MAX)
    }

    fn forget(&self) {
        self.validators.lock().unwrap_or_else(PoisonError::into_inner).forget(&self.url);
    }
}

impl Body {
    /// Reads the body as JSON of the shape `T`.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] that names what came instead, such as a web page, with a short excerpt; or
    /// [`Fault::Unavailable`] when the connection may have ended too soon. The next request is then answered in full,
    /// not by [`Reply::Unchanged`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        serde_json::from_slice(bytes).map_err(|e| {
            if e.is_eof() && !self.delimited {
                self.keeper.forget();
                let message = format!("{} and broke off in the middle of it", self.subject);
                return Fault::Unavailable { message: self.keeper.message(&message) };
            }
            let instead = match self.page() {
                Some(page) => page,
                None if !looks_like_json(bytes) => {
                    format!("with {} instead of JSON: {}", self.kind(), self.excerpt())
                }
                None => {
                    // The error may quote a value of any length.
                    let reason: String = e.to_string().chars().take(LOOKED_AT_MAX).collect();
                    let reason = line(&self.keeper.clean(&reason), EXCERPT_MAX);
                    format!("with JSON of another shape than it promises ({reason}): {}", self.excerpt())
                }
            };
            self.nonsense(&instead)
        })
    }

    /// The provider's own words, without keys, if the body is an error in JSON although the status says success: the
    /// text under `message`, `error`, `reason` or a similar key.
    pub fn own_words(&self) -> Option<String> {
        own_words(&self.bytes).map(|words| excerpt(&self.keeper.clean(&words)))
    }

    /// The bytes of the body, decompressed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] when they are a web page or not UTF-8.
    pub fn text(&self) -> Result<&str, Fault> {
        if let Some(page) = self.page() {
            return Err(self.nonsense(&page));
        }
        std::str::from_utf8(&self.bytes).map_err(|_| self.nonsense("with bytes that are no text"))
    }

    /// How long the body may be used as it is, at most a day. `None` if the answer does not say.
    pub fn fresh_for(&self) -> Option<Duration> {
        self.fresh_for
    }

    /// Has the next request answered in full, not by [`Reply::Unchanged`]: for a body of which a part was of no use.
    pub fn forget(&self) {
        self.keeper.forget();
    }

    /// A fault for a body whose shape is right but whose content makes no sense: `…answered GET /x {instead}`.
    pub fn nonsense(&self, instead: &str) -> Fault {
        self.keeper.forget();
        Fault::Nonsense { message: self.keeper.message(&format!("{} {instead}", self.subject)) }
    }

    /// The start of the body on one line, without keys, in quotes.
    pub fn excerpt(&self) -> String {
        excerpt(&self.keeper.clean(&start(&self.bytes)))
    }

    /// A description of the body if it is a web page.
    fn page(&self) -> Option<String> {
        let title = self.keeper.clean(&web_page(&self.bytes, &self.content_type)?);
        let title = if title.is_empty() { String::new() } else { format!(" titled {}", excerpt(&title)) };
        Some(format!("with a web page{title} instead of data: a captive portal or a challenge page?"))
    }

    fn kind(&self) -> String {
        match self.content_type.as_str() {
            "" => "something".to_owned(),
            "application/json" => "broken JSON".to_owned(),
            other => excerpt(&self.keeper.clean(other)),
        }
    }
}

/// The start of `bytes` as text. It is longer than what is shown, so that a key at the end of the shown part is seen
/// as a whole.
pub(super) fn start(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..LOOKED_AT_MAX).unwrap_or(bytes)).into_owned()
}

/// `text` on one line, printable, in quotes and shortened.
pub fn excerpt(text: &str) -> String {
    format!("“{}”", line(text, EXCERPT_MAX))
}

/// `text` on one line, printable, of at most `max` characters and a `…` if it was cut.
pub(super) fn line(text: &str, max: usize) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = words.next().unwrap_or("").to_owned();
    for word in words {
        if line.len() > 4 * max {
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
}

/// The title, which may be empty, if the body is a web page. The start of the body counts more than its content type.
pub(super) fn web_page(bytes: &[u8], content_type: &str) -> Option<String> {
    let text = start(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // Lower case of ASCII keeps every offset.
    let lower = text.to_ascii_lowercase();
    let is_html = content_type.starts_with("text/html") || content_type.starts_with("application/xhtml");
    let starts_so = ["<!doctype html", "<html", "<head", "<body", "<script", "<title"]
        .iter()
        .any(|s| lower.starts_with(s));
    if !(starts_so || is_html && lower.starts_with('<')) {
        return None;
    }
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower.get(at..)?.find('>')? + 1;
        let to = from + lower.get(from..)?.find("</title")?;
        text.get(from..to)
    });
    Some(title.unwrap_or("").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(bytes: &[u8], content_type: &str) -> Body {
        let keeper = Keeper {
            validators: Arc::default(),
            url: "/x".into(),
            secrets: [Secret::new("c0ffee1234").unwrap()].into(),
        };
        Body {
            bytes: bytes.to_vec(),
            content_type: content_type.into(),
            delimited: true,
            fresh_for: None,
            subject: "mock answered GET /x".into(),
            keeper,
        }
    }

    fn nonsense(bytes: &[u8], content_type: &str) -> String {
        match body(bytes, content_type).json::<std::collections::BTreeMap<String, u32>>() {
            Err(Fault::Nonsense { message }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_json_is_named() {
        for (bytes, content_type, says) in [
            (
                "<!DOCTYPE html>\n<html><head><TITLE>Just a moment…</TITLE>",
                "text/html",
                "with a web page titled “Just a moment…” instead of data",
            ),
            ("\u{feff} <html lang=en>", "application/json", "with a web page instead of data"),
            (
                "Exceeded the daily hits limit",
                "text/plain",
                "text/plain” instead of JSON: “Exceeded the daily",
            ),
            ("{\"c\": 1", "application/json", "another shape than it promises (EOF"),
            ("{\"c\": null}", "application/json", "another shape than it promises (invalid type: null"),
            ("\u{1}\u{2}", "", "with something instead of JSON"),
        ] {
            let text = nonsense(bytes.as_bytes(), content_type);
            assert!(text.starts_with("mock answered GET /x with ") && text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_json() {
        assert_eq!(body("\u{feff}[1]".as_bytes(), "").json::<Vec<u32>>(), Ok(vec![1]));
    }

    #[test]
    fn an_error_under_status_200_tells_the_providers_words() {
        let error = body(br#"{"code":429,"message":"You have run out, c0ffee1234","status":"error"}"#, "");
        assert_eq!(error.own_words().unwrap(), "“You have run out, ***”");
        assert_eq!(body(b"[1]", "").own_words(), None);
    }

    #[test]
    fn an_echoed_key_is_hidden_also_where_the_excerpt_ends() {
        for at in [0, 100, 150, 155, 160, 200] {
            let text = format!("{}c0ffee1234 is invalid", "x".repeat(at));
            let text = nonsense(text.as_bytes(), "text/plain");
            assert!(!text.contains("c0f"), "{text}");
        }
        for at in [0, 150, 155, 160] {
            let page = format!("<html><title>{}c0ffee1234</title>", "x".repeat(at));
            let text = nonsense(page.as_bytes(), "text/html");
            assert!(!text.contains("c0f"), "{text}");
            let quoted = format!("\"{}c0ffee1234\"", "x".repeat(at));
            let text = nonsense(quoted.as_bytes(), "application/json");
            assert!(!text.contains("c0f"), "{text}");
        }
    }

    #[test]
    fn a_fault_is_short_however_much_came() {
        for text in
            [format!("\"{}\"", "é".repeat(100_000)), "x ".repeat(100_000), format!("[{}", "{".repeat(100))]
        {
            let text = nonsense(text.as_bytes(), "application/json");
            assert!(text.chars().count() <= MESSAGE_MAX + 1, "{}", text.len());
        }
    }

    proptest! {
        /// Whatever comes, an excerpt is one short printable line.
        #[test]
        fn excerpts_are_short_and_printable(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let body = body(&bytes, "text/html");
            let text = body.excerpt();
            prop_assert!(text.chars().count() <= EXCERPT_MAX + 3 && !text.contains(char::is_control));
            prop_assert!(body.json::<u32>().is_ok() || body.page().is_none_or(|page| page.len() < 1_000));
        }
    }
}
