//! What is checked, and how: all that a test's process needs to know.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tickerd_sdk::secrets::Secrets;

/// How long a number of cases may take.
const CASES_TIME: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subject {
    /// The plugin's file.
    pub path: PathBuf,
    /// Whether it is a program that prints lines; else a library.
    pub program: bool,
    /// Its configuration.
    pub config: Value,
    /// Whether somebody gave that configuration.
    pub configured: bool,
    /// Chooses what chance chooses.
    pub seed: u64,
    /// How long chance goes on.
    pub fuzz: Fuzz,
    /// How long a push feed may be silent, in milliseconds.
    pub heartbeat_ms: u64,
}

impl Subject {
    /// What of its configuration must not be shown.
    pub fn secrets(&self) -> Secrets {
        Secrets::of(&self.config)
    }
}

/// How many configurations chance makes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fuzz {
    /// So many.
    Cases(u64),
    /// As many as go into so many milliseconds.
    Millis(u64),
}

impl Fuzz {
    /// As many as take a few seconds: for a program each is a process.
    pub fn usual(program: bool) -> Fuzz {
        Fuzz::Cases(if program { 20 } else { 100 })
    }

    /// Most time it takes.
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

    /// Most cases.
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

/// Reads a length of time with its unit, in milliseconds.
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
