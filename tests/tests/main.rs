//! The daemon as its users meet it: one module per behaviour, over real sockets. Needs `cargo build --workspace`.
#![allow(clippy::unwrap_used)]

mod cohorts;
mod commands;
mod config;
mod crowd;
mod echo;
mod errors;
mod frames;
mod handshake;
mod heartbeat;
mod rates;
mod shutdown;
mod slow_client;
mod subscribe;
