//! tickerd: feed plugins in, WebSocket ticks out.
//!
//! # Layout
//! A tick's way is downhill. `feed` runs plugins on threads and in processes of their own; what they say is judged by
//! `model::normalise` on the feed's thread and waits in a bounded `model::lane`. `pulse` numbers it on the `model::board`
//! and, when `model::schedule` says so, hands what is due to `fanout`, whose shards own the connections and write each
//! `model::frame` to all who asked for it. `server` brings upgraded sockets to `fanout`. `app` alone sees every room.
//!
//! One edge runs uphill: a client's command changes its own shard's table of who asked for what; if it is about the past,
//! it goes on to the pulse, which keeps that and answers in line with its beats. `store` writes the past to disk.
//!
//! # Who may know whom
//! `main → cli → app → {feed, pulse, fanout, server, admin, control, store, contract}`, and each of these → `model`; `pulse` hands
//! what changed to `store`. `feed` and `server` never name each other; of `server`, `control` knows how a socket's file is
//! kept and `admin` by which names it is reached, and neither knows anybody else. `model` names nobody but the SDK's plain
//! data: no tokio, no socket, no clock; bytes and `now` come in. Anyone may know `version`, `output` and `panics`.
//!
//! # Invariants
//! - Unsafe code is only in `feed::{library, raw_descriptor, host, instance, sealed, cstate}`, at the plugin boundary.
//! - Every queue is bounded: lanes (`model::lane::LANE_TICKS_MAX`), beats, arrivals and questions per shard, ticks and answers
//!   for a client that does not read. What is dropped, merged or skipped is counted.
//! - No feed can block another feed, the pulse, or a client; no client can block a shard. Nobody waits for who reads
//!   standard error or output: what a thread logs is written by another one (`output`).
//! - A connection gets one write per beat, and no `seq` of a topic twice.
//! - Metric labels are feeds, reasons, tiers and codes, never topics or clients.
//! - Who has a topic with mode `all` gets each `seq` in order, or is told of the gap before it.
//! - The pulse never touches a socket and never waits for a shard or the disk; a shard takes no lock and shares no state.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test's thread ends with its test"))]

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod contract;
pub mod control;
pub mod fanout;
pub mod feed;
pub mod metrics;
pub mod model;
pub mod output;
pub mod panics;
pub mod priority;
pub mod pulse;
pub mod server;
pub mod store;
pub mod systemd;
pub mod version;
