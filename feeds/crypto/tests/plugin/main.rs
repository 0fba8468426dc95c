//! The feed against each provider, on loopback, on their good and their bad days.

mod binance;
mod coinbase;
mod kraken;
mod play;
