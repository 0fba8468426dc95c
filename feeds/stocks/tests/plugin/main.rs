//! The stocks feed against providers on loopback, on good days and on bad ones.

mod alpaca;
mod alpaca_stream;
mod finnhub;
mod finnhub_stream;
mod play;
mod plugin;
mod yahoo;
