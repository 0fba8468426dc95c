//! What is checked, and how. A test's process gets this on its standard input.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tickerd_sdk::secrets::Secrets;

/// How long the fuzzed cases may take, when their number is given.
const CASES_TIME: Duration = Duration::from_secs(20);

/// A plugin to be checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subject {
    /// The plugin's file.
    pub path: PathBuf,
    /// Whether it is a program that prints lines. If not, it is a library.
    pub program: bool,
    /// Its configuration.
    pub config: Value,
    /// Whether somebody gave that configuration.
    pub configured: bool,
    /// The seed of everything that is chosen by chance.
    pub seed: u64,
    /// How many configurations are made up by chance.
    pub fuzz: Fuzz,
    /// How long a push feed may be silent, in milliseconds.
    pub heartbeat_ms: u64,
}

impl Subject {
    /// The values of its configuration, which must not be shown.
    pub fn secrets(&self) -> Secrets {
        Secrets::of(&self.config)
    }
}

/// How many configurations are made up by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fuzz {
    /// This number.
    Cases(u64),
    /// As many as fit into so many milliseconds.
    Millis(u64),
}

impl Fuzz {
    /// A number that takes a few seconds. It is less for a program, where each case is a process.
    pub fn usual(program: bool) -> Fuzz {
        Fuzz::Cases(if program { 20 } else { 100 })
    }

    /// Longest time it may take.
    pub fn time(self) -> Duration {
        match self {
            Fuzz::Cases(_) => CASES_TIME,
            Fuzz::Millis(ms) => Duration::from_millis(ms),
        }
    }

    /// Whether fewer were done than were asked for.
    pub fn falls_short(self, done: u64) -> bool {
        matches!(self, Fuzz::Cases(cases) if done < cases)
    }

    /// Most cases there may be.
    pub fn cases(self) -> u64 {
        match self {
            Fuzz::Cases(cases) => cases,
            Fuzz::Millis(_) => u64::MAX,
        }
    }
}

impl FromStr for Fuzz {
    type Err = String;

    fn from_str(text: &str) -> Result<Fuzz, String> {
        if let Ok(cases) = text.parse() {
            return Ok(Fuzz::Cases(cases));
        }
        millis(text).map(Fuzz::Millis)
    }
}

/// Reads a time with its unit, such as `10s`, into milliseconds.
///
/// # Errors
/// What to write.
pub fn millis(text: &str) -> Result<u64, String> {
    let read = || {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let factor = [("ms", 1), ("s", 1_000), ("m", 60_000)].into_iter().find(|(name, _)| *name == unit)?.1;
        number.parse::<u64>().ok()?.checked_mul(factor)
    };
    read().ok_or_else(|| "write a whole number with its unit, such as 10s, 500ms or 2m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_is_a_number_or_a_time() {
        assert_eq!("500".parse(), Ok(Fuzz::Cases(500)));
        assert_eq!("10s".parse(), Ok(Fuzz::Millis(10_000)));
        assert_eq!("2m".parse(), Ok(Fuzz::Millis(120_000)));
        for bad in ["", "s", "10 s", "10h", "-1", "1.5s"] {
            assert!(bad.parse::<Fuzz>().is_err(), "{bad}");
        }
    }
}
