//! One request to a provider.

use std::fmt::Write as _;

use crate::Secret;

/// One GET. Keys in it are sent, but never shown.
#[derive(Debug, Clone)]
pub struct Request {
    path: String,
    query: Vec<(String, String)>,
    secret_query: Vec<(String, Secret)>,
    headers: Vec<(&'static str, String)>,
    secret_headers: Vec<(&'static str, Secret)>,
    accept: &'static str,
    cost: u32,
}

impl Request {
    /// Asks for `path` below the base URL: `/quote`. Characters a path may not hold are percent-encoded.
    pub fn new(path: &str) -> Request {
        let mut encoded = String::from(if path.starts_with('/') { "" } else { "/" });
        encode(path, "-._~!$&'()*+,;=:@/%", &mut encoded);
        Request {
            path: encoded,
            query: Vec::new(),
            secret_query: Vec::new(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            accept: "application/json",
            cost: 1,
        }
    }

    /// Adds `name=value` to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Request {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a key to the query. Prefer [`Request::secret_header`] if the provider takes one, since proxies log URLs.
    #[must_use]
    pub fn secret_query(mut self, name: &str, secret: &Secret) -> Request {
        self.secret_query.push((name.to_owned(), secret.clone()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a header that is a key.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, secret: &Secret) -> Request {
        self.secret_headers.push((name, secret.clone()));
        self
    }

    /// Sets the media type asked for. Default: `application/json`.
    #[must_use]
    pub fn accept(mut self, media_type: &'static str) -> Request {
        self.accept = media_type;
        self
    }

    /// Sets how many of the limits' units the request uses, such as the number of places it asks for. Default: 1.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Request {
        self.cost = cost.max(1);
        self
    }

    /// Path and query without keys, for messages.
    pub fn shown(&self) -> String {
        self.target(&[])
    }

    /// Path and query as they are sent.
    pub(crate) fn sent(&self) -> String {
        self.target(&self.secret_query)
    }

    fn target(&self, secrets: &[(String, Secret)]) -> String {
        let mut target = self.path.clone();
        let plain = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let secret = secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose()));
        for (i, (name, value)) in plain.chain(secret).enumerate() {
            target.push(if i == 0 { '?' } else { '&' });
            encode(name, "-._~", &mut target);
            target.push('=');
            // Commas and colons separate lists and times at every provider here, and are allowed in a query.
            encode(value, "-._~,:", &mut target);
        }
        target
    }

    /// Every header to send, the secret ones marked.
    pub(crate) fn all_headers(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let plain = self.headers.iter().map(|(name, value)| (*name, value.as_str(), false));
        let secret = self.secret_headers.iter().map(|(name, secret)| (*name, secret.expose(), true));
        std::iter::once(("accept", self.accept, false)).chain(plain).chain(secret)
    }

    /// The keys in the request.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let query = self.secret_query.iter().map(|(_, secret)| secret);
        query.chain(self.secret_headers.iter().map(|(_, secret)| secret))
    }

    /// How many of the limits' units the request uses.
    pub(crate) fn units(&self) -> u32 {
        self.cost
    }
}

/// Appends `text` with all but letters, digits and `kept` percent-encoded.
fn encode(text: &str, kept: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_encoded_and_the_key_is_not_shown() {
        let key = Secret::new("a+b/c=").unwrap();
        let request = Request::new("/stock/BRK B")
            .query("symbol", "^GSPC,BTC/USD")
            .query("städte", "a&b")
            .secret_query("token", &key)
            .secret_header("X-Key", &key);
        assert_eq!(request.shown(), "/stock/BRK%20B?symbol=%5EGSPC,BTC%2FUSD&st%C3%A4dte=a%26b");
        assert_eq!(request.sent(), format!("{}&token=a%2Bb%2Fc%3D", request.shown()));
        assert!(!format!("{request:?}").contains("a+b"));
        assert_eq!(Request::new("quote").shown(), "/quote");
    }
}
