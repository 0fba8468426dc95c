//! The traits a feed implements.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Error, FeedInfo, Host};

/// Makes a blocked `poll` or `run` return. Called from any thread, perhaps while they run; must not block.
pub type Interrupter = Box<dyn Fn() + Send + Sync>;

/// A source of values: what it is, how it is configured, how an instance is made.
///
/// One thread of tickerd's makes the instance, calls it and drops it. Dropping must end what the feed started.
pub trait Feed: Sized + Send + 'static {
    /// What the feed is and which events it may emit.
    const INFO: FeedInfo;

    /// The feed's configuration. Its schema is the plugin's schema: doc comments become descriptions, and tickerd
    /// checks a configuration against it before `create`.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes an instance. May block.
    ///
    /// # Errors
    /// [`Error::Config`] for a value that makes no sense, with what to change. After [`Error::Transient`] and
    /// [`Error::Fatal`] tickerd tries again, after a back-off. After any of them there is no instance.
    fn create(config: Self::Config, host: Host) -> Result<Self, Error>;

    /// How to wake a blocked `poll` or `run`; asked for once, after `create`.
    fn interrupter(&self) -> Option<Interrupter> {
        None
    }
}

/// A feed that is asked for values at each interval.
pub trait PollFeed: Feed {
    /// Emits none or more samples and returns, within the interval if it can. May block.
    ///
    /// # Errors
    /// [`Error::Transient`] keeps the instance, which is polled again, less often with each failure in a row; [`Error::Fatal`]
    /// and a panic end it, and a new one is made after a back-off. What a call of the [`Host`] answers can be handed on with `?`.
    fn poll(&mut self, host: &Host) -> Result<(), Error>;
}

/// A feed that has a thread to itself and emits when there is something to say.
pub trait PushFeed: Feed {
    /// Emits until [`Host::should_stop`], then returns soon. `Ok` before that means the source has ended.
    ///
    /// Every call of the [`Host`] is a sign of life. Without one for 30 s (the feed's `heartbeat`) it is interrupted, and
    /// after as long again taken for hung: wait for a silent source with a timeout, and call [`Host::heartbeat`] between.
    ///
    /// # Errors
    /// Any error but [`Error::Stopping`] is a failure that ends the instance; a new one is made after a back-off, or after
    /// [`Error::Config`] once the configuration has changed. [`Error::Stopping`], as calls of the [`Host`] answer it, is the
    /// usual way out.
    fn run(&mut self, host: &Host) -> Result<(), Error>;
}

/// The configuration of a feed that has none.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}
