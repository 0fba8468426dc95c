//! How nodes of one cluster reach each other: by NATS, and by the records that it keeps. It knows nothing of feeds.
//!
//! - `settings`: which servers, and who this node is to them; `secret` and `credentials`: what it proves that with.
//! - `link`: the connection. It comes back by itself, and says whether it is there.
//! - `hearing`: what others publish.
//! - `records`: compare-and-set and read, on a bucket of JetStream's key-value store.
//! - `trouble`: what goes wrong, in words for an operator.
//! - `without`: the same calls where the feature `nats` is missing; nothing is reached.
//!
//! # What it promises
//! - Nothing waits for long: what cannot be sent now is dropped and counted. Core NATS loses too, so who sends must live with it.
//! - `Link::swap` is `true` only if the server said so. On anything else the record may be either: read it.
//! - No secret is in a message, an error or what `Debug` prints. Secrets are read anew at each connection.
//!
//! # What of async-nats it goes around
//! - Its requests to JetStream: the bucket that its `create_key_value` makes allows reads from a replica that is behind, a conflict
//!   on a replicated bucket comes out as "other", and its `update` lets two win (see `records`).
//! - Its table of requests keeps those that were never answered. Here each has an inbox of its own.
//! - A subscriber that is slow loses the newest messages. They are counted, see `Link::counts`.
//! - It tries again for ever without saying why. The reason is taken from its list of servers, see `Link::trouble`.
//! - Servers that NATS tells of are not used: the configuration lists them, and certificates have names.
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "nats"), allow(dead_code, reason = "settings that nothing reads"))]

#[cfg(feature = "nats")]
mod credentials;
#[cfg(feature = "nats")]
mod hearing;
#[cfg(feature = "nats")]
mod link;
#[cfg(feature = "nats")]
mod records;
mod secret;
mod settings;
#[cfg(feature = "nats")]
mod trouble;
#[cfg(not(feature = "nats"))]
mod without;

#[cfg(feature = "nats")]
pub use hearing::{Heard, Hearing};
#[cfg(feature = "nats")]
pub use link::{Counts, Event, Events, Link};
pub use secret::Secret;
pub use settings::{Error, Settings, SignIn};
#[cfg(not(feature = "nats"))]
pub use without::{Event, Events, Heard, Hearing, Link};
