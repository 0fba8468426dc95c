//! tickerd without its command line: ticks come in from sources, and go out to clients.
//!
//! # The way of a tick
//! A feed runs in the plugin host (crate `tickerd-host`). What it says is normalised on the feed's own thread and waits in a
//! bounded lane. The `pulse` takes it from there, numbers it on the board, and at each beat hands what is due to the
//! `fanout`, whose shards own the connections and write to all who asked for it. The `server` brings upgraded sockets to
//! the shards. `app` builds all of it, and alone knows every room.
//!
//! One edge runs uphill: a client's command changes the table of its own shard. If it is about the past or about a room, the
//! shard asks the pulse, which answers in line with its beats. The `store` writes the past to disk.
//!
//! # Who may know whom
//! What rooms hand each other is in `exchange`, below all of them. A test holds this table to the imports.
//! ```text
//! app      → admin, cluster, contract, control, exchange, fanout, listen, metrics, pulse, server, store, systemd
//! admin    → control, exchange, listen
//! cluster  → exchange
//! control  → exchange, listen
//! server   → exchange, listen
//! pulse    → exchange, store
//! fanout   → exchange
//! contract →
//! exchange →
//! listen   →
//! metrics  →
//! store    →
//! systemd  →
//! ```
//!
//! # Invariants
//! - Every queue is bounded: lanes, beats, arrivals, questions and enquiries, and what waits for a client that does not read.
//!   What is dropped, merged or skipped is counted.
//! - No feed can block another feed, the pulse, or a client; no client can block a shard. The pulse never touches a socket
//!   and never waits for a shard or the disk. Nobody waits for who reads standard error or output.
//! - A connection gets one write per beat, and no `seq` of a topic twice. Whoever has a topic with mode `all` gets each
//!   `seq` in order, or is told of the gap before it.
//! - Metric labels are sources, reasons, tiers and codes, never topics or clients.
//! - A thread has a name. If it panics, the process ends, so that the service manager starts it anew: see `tickerd-process`'s
//!   `panics`. Only a feed's own threads (`feed-…`) are caught, and supervised.
//! - A shard owns what it works on. It shares with others only the bytes of a tick, which the first who needs them writes
//!   (`model::frame`), and counters. A signed tick is signed when its bytes are written, so once. The pulse's thread `signing` does that
//!   ahead of the shards, as far as it gets.
//!
//! # Words of our own
//! - **Sample**: what a feed said. **Tick**: a sample that was accepted; the board gives it its `seq`. **Frame**: a tick with
//!   its bytes, built once for all who get it.
//! - **Source**: where ticks come from: a feed, a room, or the server itself. It has an id for as long as the process runs.
//! - **Lane**: the bounded queue between a feed and the pulse. **Board**: every topic with its newest tick. **History**: the
//!   ticks before that, in rings.
//! - **Bar**: what a topic's figure did in one period: its first, greatest, least and last value. The pulse makes them of ticks
//!   as it collects them. They are topics of the server's own (`pulse::live`) while someone asks for them.
//! - **Pulse**: the thread that owns the board. **Beat**: all that is due at one instant, shared by all shards.
//! - **Tier**: at which of its source's beats a topic is had: every tick, or the newest one at the source's own or a slower
//!   interval.
//! - **Shard**: a thread that owns connections. **Cohort**: the connections of a shard that asked for the same; a beat is put
//!   together once for all of them.
//! - **Room**: a declared topic that clients publish to. **Direct message** (`letter` in older names): from one client to another.
//! - **Epoch**: names one history. Numbers of another epoch say nothing about this one.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test's thread ends with its test"))]

pub mod admin;
pub mod app;
pub mod cluster;
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
