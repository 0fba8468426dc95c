//! What is wrong with a value, told without the value.

use std::fmt;

/// Most violations that are told in one line.
const TOLD_MAX: usize = 20;
/// How alike a word and a known one must be to be offered.
const LIKENESS_MIN: f64 = 0.8;

/// One thing that is wrong with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violation {
    /// The keys and indices that lead to it. If a key is missing, those that lead to its table.
    pub path: Vec<String>,
    /// It is about the last key of the path itself, and not about the key's value.
    pub is_key: bool,
    /// What is wrong; never the value.
    pub what: String,
    /// What would be right; empty where `what` says it.
    pub allowed: String,
    /// What was meant, or what to do; empty where that is plain.
    pub hint: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_key, key_path(&self.path).as_str()) {
            (_, "") => f.write_str(&self.what)?,
            (true, place) => write!(f, "{place} {}", self.what)?,
            (false, place) => write!(f, "{place}: {}", self.what)?,
        }
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed)?;
        }
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// Violations in one line, the first 20; the others are counted.
pub fn in_a_line(violations: &[Violation]) -> String {
    let mut told: Vec<String> = violations.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    if violations.len() > TOLD_MAX {
        told.push(format!("and {} more", violations.len() - TOLD_MAX));
    }
    told.join("; ")
}

/// Keys and indices as TOML writes them: `places[0].latitude`.
pub fn key_path(keys: &[String]) -> String {
    let mut path = String::new();
    for key in keys {
        if !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{key}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        }
    }
    path
}

/// The violation of a key that there is none of; `known` are those that there are.
pub fn no_key(path: Vec<String>, known: &[String]) -> Violation {
    let key = path.last().map(String::as_str).unwrap_or_default();
    let (what, hint) = match near(key, known) {
        Some(near) => ("is no key".to_owned(), format!("did you mean {near}?")),
        None if known.is_empty() => ("is no key; there is none".to_owned(), String::new()),
        None => (format!("is no key; there are {}", known.join(", ")), String::new()),
    };
    Violation { path, is_key: true, what, hint, ..Violation::default() }
}

/// The known word that is most like `key`, if one is like it.
pub fn near<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    let alike = |known: &&String| strsim::jaro_winkler(key, known);
    let best = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(&best) >= LIKENESS_MIN).then_some(best)
}
