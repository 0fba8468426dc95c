//! The harness: the real daemon, on ports of its own, with clients that are not ours.
//!
//! ```text
//! let (script, daemon) = scripted().await;
//! let mut client = daemon.client("/ws").await;
//! client.send(json!({"event": "subscribe", "data": {"id": 1, "topics": ["s.a"]}})).await;
//! let subscribed = client.expect("subscribed").await;
//! script.tick("a", json!(1)).await;
//! ```
//!
//! Every wait is for an event and ends at [`GUARD`], whatever else comes meanwhile; nothing sleeps. Each test has a daemon and a folder of its own, so
//! all may run at once. A daemon whose test panics prints what it logged.
// A harness may panic: that is how it says that a test failed.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

pub mod author;
pub mod cli;
pub mod client;
pub mod contract;
pub mod daemon;
pub mod feed;
mod lines;
pub mod nats;
pub mod plugins;
pub mod process;
pub mod raw;
pub mod script;
pub mod space;
pub mod tape;
pub mod told;
pub mod witness;
pub mod zoo;

use std::future::Future;
use std::time::Duration;

pub use client::{Client, Event, Incoming};
pub use daemon::{Builder, Daemon, daemon};
pub use feed::{Feed, exec, sim};
pub use nats::Nats;
pub use plugins::{broken, raw_c};
pub use process::{Process, gone};
pub use raw::Raw;
pub use script::{Script, scripted};
pub use serde_json::{Value, json};
pub use space::{Space, Spaces};
pub use tokio_tungstenite::tungstenite::Message;
pub use told::Told;
pub use witness::{Witness, steady};
pub use zoo::{of_feed, told, zoo};

/// Ends a test that waits for what never comes. No outcome depends on its length.
pub const GUARD: Duration = Duration::from_secs(60);

/// Waits for `what`, and fails the test if it does not come.
pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(GUARD, wait).await {
        Ok(done) => done,
        Err(_) => panic!("waited {} s for {what}", GUARD.as_secs()),
    }
}
