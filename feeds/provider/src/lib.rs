//! What the feeds of real sources share: manners towards a provider, and the shapes of what it says.
//!
//! One shape per kind, whatever the source: [`Quote`], [`Trade`], [`Observation`]. Digits pass through untouched
//! ([`Digits`]); what a source does not say is left out, never guessed.
#![deny(missing_docs)]

mod digits;
mod duration;
mod fault;
mod http;
pub mod limiter;
mod observation;
mod order;
pub mod poll;
mod quote;
mod retry;
mod secret;
pub mod socket;
pub mod stream;
mod symbol;
mod tally;
pub mod time;
pub mod tls;
mod trade;
mod upgrade;
mod wire;

pub use digits::{BadDigits, Digits};
pub use duration::{BadPeriod, Period};
pub use fault::Fault;
pub use http::{Body, Client, Reply, Request, Settings, Share};
pub use limiter::Limit;
pub use observation::Observation;
pub use order::{Order, Place};
pub use quote::{Quote, Session};
pub use retry::Retry;
pub use secret::{Secret, SecretSource, redact};
pub use socket::Socket;
pub use symbol::{Symbol, SymbolEntry, segment};
pub use tally::Tally;
pub use trade::{Side, Trade};
