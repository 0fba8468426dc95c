//! What became of one test, as it goes from the test's process to the one that reports it.

use serde::{Deserialize, Serialize};
use tickerd_sdk::secrets::Secrets;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The plugin does as it should.
    Ok,
    /// It does not.
    Failed,
    /// Its process was ended by a signal, or ended itself.
    Crashed,
    /// The time was up.
    TimedOut,
    /// It does not apply, or something is missing for it.
    Skipped,
}

impl Outcome {
    /// The word in a line for people.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Crashed => "CRASHED",
            Outcome::TimedOut => "TIMED OUT",
            Outcome::Skipped => "skipped",
        }
    }

    /// Whether the plugin is at fault.
    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::Crashed | Outcome::TimedOut)
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen; for `ok` a remark, perhaps empty.
    pub message: String,
    /// What to change; empty unless it failed.
    pub remedy: String,
    /// The last lines on standard error, where they may explain it.
    pub last_words: Vec<String>,
}

/// What a test's function answers: a remark, perhaps empty, or why it is not ok.
pub type Tested = Result<String, Verdict>;

impl Verdict {
    /// The same without the values of the configuration that the plugin was given.
    pub fn without(self, secrets: &Secrets) -> Verdict {
        Verdict {
            message: secrets.hide(&self.message),
            last_words: self.last_words.iter().map(|words| secrets.hide(words)).collect(),
            ..self
        }
    }

    /// Without a remedy.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Verdict {
        Verdict { outcome, message: message.into(), remedy: String::new(), last_words: Vec::new() }
    }

    /// As `tested`.
    pub fn of(tested: Tested) -> Verdict {
        tested.map_or_else(|bad| bad, |note| Verdict::new(Outcome::Ok, note)).clipped()
    }

    /// With what to change.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Verdict {
        self.remedy = remedy.into();
        self
    }

    /// Texts hold what a plugin said, and must not grow with it.
    fn clipped(mut self) -> Verdict {
        self.message = tickerd_host::printable(&self.message);
        self
    }
}

/// Passed, without a remark.
pub fn passed() -> Tested {
    Ok(String::new())
}

/// The plugin is at fault: what was seen, and what to change.
pub fn failed(message: impl Into<String>, remedy: impl Into<String>) -> Verdict {
    Verdict::new(Outcome::Failed, message).remedy(remedy)
}

/// It does not apply, and why.
pub fn skipped(message: impl Into<String>) -> Verdict {
    Verdict::new(Outcome::Skipped, message)
}
