//! What runs inside a feed's process, which tickerd starts as itself with another subcommand.
//!
//! [`feed_exec`] becomes the feed's program; [`feed_host`] loads a plugin library and runs it, and its [`line_sink`] turns
//! what the plugin says into lines. Both begin with [`confinement`], the limits that the process sets itself.

pub mod confinement;
pub mod feed_exec;
pub mod feed_host;
pub mod give_way;
pub mod line_sink;

#[cfg(test)]
mod line_sink_tests;
