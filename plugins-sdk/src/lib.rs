//! Write feeds for tickerd, a live-data ticker daemon: the frozen C ABI and a safe face on it.
//!
//! A feed is a type with a [`Feed`] implementation and one of [`PollFeed`] (asked at each interval) or [`PushFeed`]
//! (given a thread). [`export!`] turns such types into the one symbol that tickerd looks for. Everything a feed can
//! tell tickerd goes through its [`Host`]. [`testing`] runs a feed without a daemon.
#![doc = include_str!("../README.md")]
#![deny(missing_docs, rustdoc::all, clippy::missing_errors_doc, clippy::undocumented_unsafe_blocks)]

pub mod abi;
mod error;
#[doc(hidden)]
pub mod export;
mod feed;
mod host;
mod info;
mod sample;
#[doc(hidden)]
pub mod secrets;
pub mod testing;

pub use error::Error;
pub use feed::{Feed, Interrupter, NoConfig, PollFeed, PushFeed};
pub use host::{Emitted, Health, Host, Level};
pub use info::{EventClass, EventInfo, FeedInfo, RESERVED_EVENTS};
pub use sample::{RawJson, Sample, Serialised, Value};

// A feed's derives must meet the versions this crate was built with.
pub use {schemars, serde, serde_json};
