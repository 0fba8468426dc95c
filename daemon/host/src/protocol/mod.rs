//! The line protocol between tickerd and a feed's process.

pub mod bad_line;
pub mod lines;
pub mod orders;
pub mod sample_line;
pub mod splitter;

#[cfg(test)]
mod lines_tests;
