//! The calls of a link where the feature `nats` is missing: it cannot be had.

use std::convert::Infallible;

use bytes::Bytes;

use crate::settings::{Error, Settings};

/// There is none.
#[derive(Debug, Clone)]
pub struct Link(Infallible);

#[derive(Debug)]
pub struct Events(Infallible);

#[derive(Debug)]
pub struct Hearing(Infallible);

#[derive(Debug, Clone)]
pub struct Heard {
    pub bytes: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Connected,
    Disconnected,
    SlowConsumer,
    Refused(String),
}

impl Heard {
    #[must_use]
    pub fn subject(&self) -> &str {
        ""
    }
}

impl Events {
    pub async fn next(&mut self) -> Option<Event> {
        match self.0 {}
    }
}

impl Hearing {
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0 {}
    }
}

impl Link {
    /// # Errors
    /// Always: this was built without it.
    pub async fn connect(_: Settings) -> Result<(Link, Events), Error> {
        Err(Error("this tickerd was built without the feature cluster".to_owned()))
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        match self.0 {}
    }

    pub async fn settled(&self) -> bool {
        match self.0 {}
    }

    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self.0 {}
    }

    pub async fn publish(&self, _: String, _: Bytes) -> bool {
        match self.0 {}
    }

    /// # Errors
    /// None.
    pub async fn subscribe(&self, _: &[String]) -> Result<Hearing, Error> {
        match self.0 {}
    }

    /// # Errors
    /// None.
    pub async fn read(&self, _: &str) -> Result<Option<(u64, Bytes)>, Error> {
        match self.0 {}
    }

    /// # Errors
    /// None.
    pub async fn swap(&self, _: &str, _: u64, _: Bytes) -> Result<bool, Error> {
        match self.0 {}
    }
}
