//! An answer's validators (ETag, Last-Modified), for asking whether it still holds.

use std::collections::HashMap;

use ureq::http::HeaderMap;
use ureq::http::header::{ETAG, LAST_MODIFIED};

/// Most answers remembered. The one used longest ago is forgotten first.
const KEPT_MAX: usize = 256;
/// Longest validator kept, in bytes: providers' are below 100.
const BYTES_MAX: usize = 1024;

/// An answer's validators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Validator {
    /// Sent back as If-None-Match.
    pub etag: Option<String>,
    /// Sent back as If-Modified-Since.
    pub last_modified: Option<String>,
}

impl Validator {
    /// The validators in an answer's headers, if it has any.
    pub fn of(headers: &HeaderMap) -> Option<Validator> {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= BYTES_MAX).then(|| value.to_owned())
        };
        let validator = Validator { etag: text(ETAG), last_modified: text(LAST_MODIFIED) };
        (validator != Validator::default()).then_some(validator)
    }
}

/// The validators of the newest answer to each URL.
#[derive(Debug, Default)]
pub(crate) struct Validators {
    kept: HashMap<String, (Validator, u64)>,
    uses: u64,
}

impl Validators {
    /// The validators for `url`.
    pub fn find(&mut self, url: &str) -> Option<Validator> {
        self.uses += 1;
        let (validator, used) = self.kept.get_mut(url)?;
        *used = self.uses;
        Some(validator.clone())
    }

    /// Keeps an answer's validators, or forgets the last ones when it has none.
    pub fn keep(&mut self, url: &str, validator: Option<Validator>) {
        let Some(validator) = validator else {
            self.forget(url);
            return;
        };
        self.uses += 1;
        self.kept.insert(url.to_owned(), (validator, self.uses));
        if self.kept.len() > KEPT_MAX {
            let oldest = self.kept.iter().min_by_key(|(_, (_, used))| *used).map(|(url, _)| url.clone());
            oldest.map(|url| self.kept.remove(&url));
        }
    }

    /// Forgets the validators for `url`, so that the next request asks for the whole answer.
    pub fn forget(&mut self, url: &str) {
        self.kept.remove(url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_used_longest_ago_goes_first() {
        let mut validators = Validators::default();
        let mark = |n: usize| Some(Validator { etag: Some(format!("\"{n}\"")), last_modified: None });
        for n in 0..KEPT_MAX {
            validators.keep(&n.to_string(), mark(n));
        }
        assert!(validators.find("0").is_some());
        validators.keep("new", mark(0));
        assert_eq!(validators.kept.len(), KEPT_MAX);
        assert!(validators.find("0").is_some() && validators.find("1").is_none());
    }

    #[test]
    fn an_answer_without_marks_forgets_the_last_ones() {
        let mut validators = Validators::default();
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, "\"a\"".parse().unwrap());
        validators.keep("/", Validator::of(&headers));
        assert_eq!(validators.find("/").unwrap().etag.as_deref(), Some("\"a\""));
        validators.keep("/", Validator::of(&HeaderMap::new()));
        assert_eq!(validators.find("/"), None);
    }
}
