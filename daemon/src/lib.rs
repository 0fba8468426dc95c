//! tickerd: feed plugins in, WebSocket ticks out.
//!
//! # Layout
//! One tick's way is downhill: `feed` → `model::normalise` → `model::lane` → `pulse` (`model::board`, `model::schedule`)
//! → `model::frame` → `fanout` → socket. `server` brings sockets to `fanout`; `app` alone sees every room.
pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod fanout;
pub mod feed;
pub mod metrics;
pub mod model;
pub mod pulse;
pub mod server;
pub mod systemd;
