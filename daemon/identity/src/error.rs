//! Why identities cannot be set up: a key of the configuration, what is wrong, and what to change.

use std::fmt;

/// A problem at a key of the configuration. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The key, such as `["auth", "token", "0", "token"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub what: String,
    /// What to change.
    pub change: String,
}

impl Error {
    pub(crate) fn new(what: impl Into<String>, change: impl Into<String>) -> Error {
        Error { path: Vec::new(), what: what.into(), change: change.into() }
    }

    /// At the item of this number, in place of the first.
    pub(crate) fn numbered(mut self, at: usize) -> Error {
        if let Some(number) = self.path.get_mut(2) {
            *number = at.to_string();
        }
        self
    }

    pub(crate) fn at(mut self, path: &[&str]) -> Error {
        self.path = path.iter().map(|step| (*step).to_owned()).collect();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = String::new();
        for step in &self.path {
            match step.parse::<usize>() {
                Ok(index) => key.push_str(&format!("[{index}]")),
                Err(_) if key.is_empty() => key.push_str(step),
                Err(_) => key.push_str(&format!(".{step}")),
            }
        }
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}; {}", self.what, self.change)
    }
}

impl std::error::Error for Error {}
