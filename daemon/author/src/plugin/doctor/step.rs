//! One step of an examination, and how it went.

use serde::Serialize;

use tickerd_host::Violation;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Ok,
    /// Not wrong, but worth a look.
    Note,
    /// This is where a daemon stops.
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
    /// What to change; empty when that is nothing.
    pub remedy: String,
    /// The key of the `[[feed]]` that it is about.
    #[serde(skip)]
    pub at: Vec<String>,
    /// What is wrong with its own configuration, one by one.
    #[serde(skip)]
    pub violations: Vec<Violation>,
}
