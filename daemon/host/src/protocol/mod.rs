//! The line protocol `tfp/1` between tickerd and a feed's process: one JSON object per line, in both directions.
//!
//! [`lines`] is what a feed writes; most of its lines are samples ([`sample_line`]). [`orders`] is what tickerd writes.
//! [`splitter`] cuts a stream into lines, and [`bad_line`] says why a line makes no sense.

pub mod bad_line;
pub mod lines;
pub mod orders;
pub mod sample_line;
pub mod splitter;

#[cfg(test)]
mod lines_tests;
