//! One file under /proc that becomes samples.

use std::time::Duration;

use tickerd_sdk::{Error, Host};

/// Why a reading gave no samples.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file is missing or not as expected; others are still good.
    Malformed(String),
    /// tickerd did not take the sample.
    Host(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Host(error)
    }
}

/// One file under /proc that becomes samples.
pub(crate) trait Source: Send {
    /// Its path below /proc.
    fn file(&self) -> &'static str;

    /// Emits what `text` says. `at` is the time of reading on a steady clock.
    fn step(&mut self, text: &str, at: Duration, host: &Host) -> Result<(), Trouble>;
}

/// The trouble of a malformed file: what was expected, and what was found instead.
pub(crate) fn malformed(wanted: &str, got: &str) -> Trouble {
    let got: String = got.chars().take(60).collect();
    Trouble::Malformed(format!("expected {wanted}, found `{got}`"))
}

/// A name as a topic segment: each character that a topic may not contain becomes `_`.
pub(crate) fn segment(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.chars().take(64).map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_segments() {
        assert_eq!(segment("eth0.100@if3"), "eth0_100_if3");
        assert_eq!(segment("brücke"), "br_cke");
        assert_eq!(segment(&"x".repeat(99)).len(), 64);
    }
}
