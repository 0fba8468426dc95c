//! What an HTTP request that failed is told.

use schemars::JsonSchema;
use serde::Serialize;

/// The body of every HTTP error, as RFC 9457 says (`application/problem+json`).
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem<'a> {
    /// The status in words.
    pub title: &'a str,
    /// The status.
    pub status: u16,
    /// What happened and what to change, for people.
    pub detail: &'a str,
}
