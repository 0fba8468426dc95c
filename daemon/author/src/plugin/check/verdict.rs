//! The result of one test, as it goes from the test's process to the one that reports it.

use serde::{Deserialize, Serialize};
use tickerd_sdk::secrets::Secrets;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// The plugin does what it should.
    Ok,
    /// The plugin does not do what it should.
    Failed,
    /// Its process was ended by a signal, or ended itself.
    Crashed,
    /// It took longer than its limit.
    TimedOut,
    /// The test does not apply, or something is missing for it.
    Skipped,
}

impl TestOutcome {
    /// The word in a line for people.
    pub fn word(self) -> &'static str {
        match self {
            TestOutcome::Ok => "ok",
            TestOutcome::Failed => "FAILED",
            TestOutcome::Crashed => "CRASHED",
            TestOutcome::TimedOut => "TIMED OUT",
            TestOutcome::Skipped => "skipped",
        }
    }

    /// Whether the plugin is at fault.
    pub fn is_bad(self) -> bool {
        matches!(self, TestOutcome::Failed | TestOutcome::Crashed | TestOutcome::TimedOut)
    }
}

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub outcome: TestOutcome,
    /// What was seen. If the outcome is ok, a remark, which may be empty.
    pub message: String,
    /// What to change; empty unless it failed.
    pub remedy: String,
    /// The last lines on standard error, if they may explain the outcome.
    pub last_words: Vec<String>,
}

/// What a test's function answers: a remark, which may be empty, or why it is not ok.
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

    /// A verdict without a remedy.
    pub fn new(outcome: TestOutcome, message: impl Into<String>) -> Verdict {
        Verdict { outcome, message: message.into(), remedy: String::new(), last_words: Vec::new() }
    }

    /// The verdict for what a test's function answered.
    pub fn of(tested: Tested) -> Verdict {
        tested.map_or_else(|bad| bad, |note| Verdict::new(TestOutcome::Ok, note)).clipped()
    }

    /// The same, with what to change.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Verdict {
        self.remedy = remedy.into();
        self
    }

    /// The same, with a bounded text: it may hold what a plugin said.
    fn clipped(mut self) -> Verdict {
        self.message = tickerd_host::printable(&self.message);
        self
    }
}

/// The test passed, without a remark.
pub fn passed() -> Tested {
    Ok(String::new())
}

/// The test failed: what was seen, and what to change.
pub fn failed(message: impl Into<String>, remedy: impl Into<String>) -> Verdict {
    Verdict::new(TestOutcome::Failed, message).remedy(remedy)
}

/// The test does not apply: why.
pub fn skipped(message: impl Into<String>) -> Verdict {
    Verdict::new(TestOutcome::Skipped, message)
}
