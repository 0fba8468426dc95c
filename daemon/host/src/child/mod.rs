//! What runs in a feed's process.

pub mod confinement;
pub mod feed_exec;
pub mod feed_host;
pub mod line_sink;

#[cfg(test)]
mod line_sink_tests;
