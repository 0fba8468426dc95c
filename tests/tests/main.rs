//! The daemon as its users meet it: one module per behaviour, over real sockets. Needs `cargo build --workspace`.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod bad_commands;
mod cohorts;
mod commands;
mod config;
mod contract;
mod crowd;
mod demo;
mod echo;
mod errors;
mod feed_exec;
mod feed_faults;
mod feed_hangs;
mod feed_library;
mod feed_restart;
mod feed_stop;
mod feed_zoo;
mod floods;
mod frames;
mod handshake;
mod heartbeat;
mod host;
mod metrics;
mod protocol_md;
mod rates;
mod record;
mod replay;
mod shutdown;
mod sim;
mod slow_client;
mod sources;
mod stale;
mod stale_crowd;
mod subscribe;
mod systemd;
