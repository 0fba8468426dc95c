//! Several nodes over real NATS servers. Needs `cargo build --workspace`, and nats-server, which `make test-tools` installs.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod nats;
