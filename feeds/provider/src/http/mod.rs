//! Asking a provider over HTTP.

mod answer;
mod body;
mod client;
mod freshness;
mod lookup;
mod request;
mod settings;
mod trouble;
mod validators;

pub(crate) use answer::Failure;
pub use body::{Body, Reply, excerpt};
pub use client::Client;
pub(crate) use freshness::retry_after;
pub use request::Request;
pub use settings::{Settings, Share};
pub(crate) use trouble::{Stage, io_words, no_such_host};
