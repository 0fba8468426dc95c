//! Several nodes over real NATS servers. Needs `cargo build --workspace`, and nats-server, which `make test-tools` installs.
//!
//! - `nats`: the way to the servers and the records, without a daemon.
//! - `nodes` starts daemons as one cluster; `checker` has a client on each, which fails at what PROTOCOL.md does not allow.
//! - `alone`: a daemon without a cluster.
//! - `access`: who may connect, on all nodes.
//! - `rooms`: messages and people of several nodes.
//! - `holders`, `servers`, `input` and `crowd`: what may happen to a cluster, each with what must come of it.
//! - `reload`: their configuration changes, one node after the other.
//! - `metrics`: what operators see.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod access;
mod alone;
mod checker;
mod clocks;
mod crowd;
mod followers;
mod hangs;
mod holders;
mod input;
mod metrics;
mod names;
mod nats;
mod nodes;
mod partition;
mod reload;
mod rooms;
mod servers;
mod tls;
