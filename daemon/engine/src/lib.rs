//! tickerd without its command line: ticks come in from feeds, and go out to clients.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test's thread ends with its test"))]

pub mod admin;
pub mod app;
pub mod contract;
pub mod control;
pub mod exchange;
pub mod fanout;
pub mod listen;
pub mod metrics;
pub mod pulse;
pub mod server;
pub mod store;
pub mod systemd;
