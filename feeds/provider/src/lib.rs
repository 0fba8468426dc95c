//! What the feeds of real sources share: good behaviour towards a provider, and the shapes of what it says.
//!
//! There is one shape per kind, whatever the source: [`Quote`], [`Trade`], [`Correction`], [`Observation`]. Digits
//! pass through unchanged ([`Digits`]). What a source does not say is left out, never guessed.
//!
//! # Manners
//!
//! A feed makes a [`Client`] from [`Settings`], implements [`poll::Ask`] with it, and calls [`poll::run`] from the
//! `run` of its `PushFeed`. [`Client::interrupter`] is its interrupter. The feed then behaves as follows:
//!
//! | a provider | what happens |
//! |---|---|
//! | has limits | [`limiter`]: every [`Limit`] holds for all processes of the user with the same host and key; a short wait is slept, a long one is [`Fault::Held`] |
//! | answers 429, with or without Retry-After (seconds, a date, a rate limit's reset) | [`Fault::Limited`]; the wait it asks for, 1 s to 24 h, holds back every feed with this key; without one, 5 s and more |
//! | answers 401, 402, 403, 407, 451 | [`Fault::Refused`]; never asked again, the feed waits for its configuration |
//! | answers 408, 425, 5xx, breaks off, is silent, drips, cannot be reached | [`Fault::Unavailable`]; asked again with full jitter, 1 s doubling to 60 s; a Retry-After with 503 is kept |
//! | answers another 4xx | [`Fault::Unknown`], with its own words |
//! | answers a web page, broken JSON or another shape under 200, or sends us to another host | [`Fault::Nonsense`] that names it; asked again after a minute, then 2, 4, 8, 15 |
//! | marks its answers (ETag, Last-Modified) | asked conditionally; 304 is [`Reply::Unchanged`] |
//! | says how long they hold (Cache-Control, Expires) | [`Reply::fresh_for`]; [`poll::run`] asks no sooner |
//! | wants to know who asks | `User-Agent: tickerd/<version> (+<page>; <contact>)` |
//! | needs a key | [`SecretSource`]: a file, a credential or a variable, never the configuration; a [`Secret`] is in no text, also where the provider echoes it |
//! | sends more than it should | a body ends at 8 MiB after decompression, a request after 8 s in all |
//! | is slow when the feed is to stop | [`Client::interrupter`] ends a request and a name's lookup at once, connecting within 4 s; without it, the request's 8 s |
//!
//! A feed that listens instead of asking implements [`stream::Stream`] and calls [`stream::run`] with
//! [`socket::Settings`]. Refusals, limits and keys are handled as above; [`stream`] describes the life of a
//! connection. [`Order`] decides which of a source's states are news, and [`Numbers`] which of its events, even if
//! the source's clock, count or order is wrong. [`Tally`] counts what is not news and tells it.
#![deny(missing_docs)]

mod duration;
mod fault;
mod http;
pub mod limiter;
mod numbers;
mod order;
pub mod poll;
mod redact;
mod retry;
mod secret;
mod shapes;
pub mod socket;
pub mod stream;
mod tally;
pub mod time;
pub mod tls;

pub use duration::{BadPeriod, Period};
pub use fault::Fault;
pub use http::{Body, Client, Reply, Request, Settings, Share, excerpt};
pub use limiter::Limit;
pub use numbers::{Came, Numbers};
pub use order::{AHEAD_MAX_MS, Order, Place, is_ahead};
pub use redact::redact;
pub use retry::Retry;
pub use secret::{Secret, SecretSource};
pub use shapes::{
    Action, BadDigits, Correction, Digits, Measure, Observation, Quote, Session, Side, Symbol, SymbolEntry,
    Trade, segment,
};
pub use socket::Socket;
pub use tally::Tally;
