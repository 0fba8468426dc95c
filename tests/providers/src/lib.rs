//! Providers of data as they behave on good and on bad days, on loopback.
//!
//! Real sockets and real threads, all of which end with their server; nothing here knows the feeds. [`Server`] speaks
//! HTTP well enough for clients that are to be tested, and as badly as [`Reply`] is told to; [`Sockets`] speaks WebSocket,
//! move by move.
#![deny(missing_docs)]

pub mod alpaca;
mod authority;
mod binance;
mod coinbase;
mod connection;
pub mod finnhub;
mod kraken;
mod listener;
mod mangled;
pub mod metar;
pub mod moods;
pub mod nws;
pub mod open_meteo;
pub mod open_weather_map;
mod reply;
mod request;
mod script;
mod server;
pub mod socket;
pub mod yahoo;

pub use authority::Authority;
pub use binance::{Binance, BinancePeer};
pub use coinbase::{Coinbase, CoinbasePeer};
pub use kraken::{Kraken, KrakenPeer, StandingKraken};
pub use listener::{Ending, Listener};
pub use mangled::mangled;
pub use reply::Reply;
pub use request::Request;
pub use script::{Script, Scripted};
pub use server::Server;
pub use socket::{GUARD, Peer, SOON, Sockets};

/// Unix milliseconds at which the clocks of the crypto exchanges begin: 2026-11-20T12:00:00Z.
pub const CRYPTO_START_MS: u64 = 1_795_176_000_000;
