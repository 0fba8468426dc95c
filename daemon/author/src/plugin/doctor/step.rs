//! One step of an examination, and its result.

use serde::Serialize;

use tickerd_host::Violation;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All is as it should be.
    Ok,
    /// Not wrong, but worth a look.
    Note,
    /// A daemon would fail here.
    Problem,
    /// Not looked at.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is looked at.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen.
    pub what: String,
    /// What to change; empty if nothing has to be.
    pub remedy: String,
    /// The key of the `[[feed]]` that it is about.
    #[serde(skip)]
    pub at: Vec<String>,
    /// What is wrong with the feed's own configuration, one by one.
    #[serde(skip)]
    pub violations: Vec<Violation>,
}
