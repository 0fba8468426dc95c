//! Asking a provider over HTTP.

mod answer;
mod body;
mod client;
mod freshness;
mod request;
mod settings;
mod trouble;
mod validators;

pub use body::{Body, Reply};
pub use client::Client;
pub use request::Request;
pub use settings::{Settings, Share};
