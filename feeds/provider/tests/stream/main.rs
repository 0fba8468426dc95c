//! The life of a streaming feed, against a provider that has every bad day there is.

mod echo;
mod handshake;
mod life;
