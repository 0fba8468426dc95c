//! The query of a URL, as every path reads it: `topics=a,b&rate=1s`.

use tickerd_model::basics::near::near;

/// The decoded pairs of a query, in order.
#[derive(Debug, Default)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads a query of which these keys are `known`.
    ///
    /// # Errors
    /// What is wrong, for the client's author.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Pairs, String> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode(key)?;
            if !known.contains(&key.as_str()) {
                return Err(unknown(&key, known));
            }
            pairs.push((key, decode(value)?));
        }
        Ok(Pairs(pairs))
    }

    /// Reads these keys of a query, and passes over all others.
    ///
    /// # Errors
    /// What is wrong, for the client's author.
    pub fn read_known(query: Option<&str>, wanted: &[&str]) -> Result<Pairs, String> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if wanted.contains(&key) {
                pairs.push((key.to_owned(), decode(value)?));
            }
        }
        Ok(Pairs(pairs))
    }

    /// The value of a key, if it is there.
    ///
    /// # Errors
    /// It is there with two values.
    pub fn one(&self, key: &str) -> Result<Option<&str>, String> {
        let mut values = self.0.iter().filter(|(is, _)| is == key).map(|(_, value)| value.as_str());
        let first = values.next();
        match first.is_some() && values.any(|value| Some(value) != first) {
            true => Err(format!("the query says two different things of {key:?}; keep one")),
            false => Ok(first),
        }
    }

    /// The same of a key that stands there once.
    ///
    /// # Errors
    /// It is there twice.
    pub fn only(&self, key: &str) -> Result<Option<&str>, String> {
        match self.0.iter().filter(|(is, _)| is == key).nth(1) {
            Some(_) => Err(format!("the query says {key:?} twice; keep one")),
            None => self.one(key),
        }
    }

    /// All values of a key, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(is, _)| is == key).map(|(_, value)| value.as_str())
    }
}

/// What to say of a key that is not known. It is repeated only if it is nearly a known one: a token that was pasted in the wrong
/// place would otherwise get into logs.
fn unknown(key: &str, known: &[&str]) -> String {
    match near(key, known.iter().copied()) {
        Some(name) => format!("the query has no key {key:?}; did you mean {name}?"),
        None if known.is_empty() => "the query has a key, and this path takes no query".to_owned(),
        None => format!("the query has a key that is not known; it has {}", known.join(", ")),
    }
}

/// Percent-decoding as in `application/x-www-form-urlencoded`, which is what browsers' `URLSearchParams` writes.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("the query has a % without two hexadecimal digits; write % itself as %25"),
            },
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| "the query, percent-decoded, is not UTF-8")
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
