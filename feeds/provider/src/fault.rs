//! What went wrong with a provider, sorted by what a feed should do next.

use std::fmt;
use std::time::Duration;

use tickerd_sdk::{Error, Health};

/// Subscribers are told of a wait for the feed's own limiter from this length on.
const HELD_TOLD: Duration = Duration::from_secs(30);

/// What went wrong with a provider. The texts are for the operator and hold no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The feed's own limiter says to wait. Nothing was sent.
    Held {
        /// How long until the limiter lets a request through.
        wait: Duration,
    },
    /// The provider says that the feed asks too often (429, or words to that effect under another status).
    Limited {
        /// How long the provider wants the feed to wait, if it said so.
        wait: Option<Duration>,
        /// What it said.
        message: String,
    },
    /// The provider refuses to serve the feed (401, 403, 451). Trying again does not help; a person has to change
    /// something.
    Refused {
        /// The status, or 0 where the refusal came over a socket.
        status: u16,
        /// What it said and what to change.
        message: String,
    },
    /// The provider does not know what was asked for.
    Unknown {
        /// What it said.
        message: String,
    },
    /// The provider could not be reached, or not in time, or has troubles of its own (5xx, a reset connection, half
    /// an answer).
    Unavailable {
        /// What happened.
        message: String,
    },
    /// The provider answered with something other than its documented shape, such as HTML under status 200.
    Nonsense {
        /// What came instead.
        message: String,
    },
    /// The feed is being stopped.
    Stopping,
}

impl Fault {
    /// The same with its message changed, if it has one: to hide a key in it.
    #[must_use]
    pub fn map_message(self, change: impl FnOnce(&str) -> String) -> Fault {
        match self {
            Fault::Limited { wait, message } => Fault::Limited { wait, message: change(&message) },
            Fault::Refused { status, message } => Fault::Refused { status, message: change(&message) },
            Fault::Unknown { message } => Fault::Unknown { message: change(&message) },
            Fault::Unavailable { message } => Fault::Unavailable { message: change(&message) },
            Fault::Nonsense { message } => Fault::Nonsense { message: change(&message) },
            fault @ (Fault::Held { .. } | Fault::Stopping) => fault,
        }
    }

    /// Whether this is a wait for the feed's own limiter that subscribers are told of. A short wait is normal. A long
    /// one may have a reason that only another feed knows, for example that it was told to wait.
    pub fn is_long_wait(&self) -> bool {
        matches!(self, Fault::Held { wait } if *wait >= HELD_TOLD)
    }

    /// How the feed's values are while this lasts. A wait for the feed's own limiter is told only if it
    /// [is long](Fault::is_long_wait).
    pub fn health(&self) -> Health {
        match self {
            Fault::Stopping => Health::Up,
            Fault::Held { .. } | Fault::Limited { .. } | Fault::Unknown { .. } => Health::Degraded,
            Fault::Refused { .. } | Fault::Unavailable { .. } | Fault::Nonsense { .. } => Health::Down,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Held { wait } => {
                write!(f, "waiting {:.1} s so as not to ask too much", wait.as_secs_f64())
            }
            Fault::Limited { wait: Some(wait), message } => {
                write!(f, "{message}; the provider asks to wait {:.1} s", wait.as_secs_f64())
            }
            Fault::Limited { wait: None, message }
            | Fault::Refused { message, .. }
            | Fault::Unknown { message }
            | Fault::Unavailable { message }
            | Fault::Nonsense { message } => f.write_str(message),
            Fault::Stopping => f.write_str("the feed is being stopped"),
        }
    }
}

impl std::error::Error for Fault {}

/// Makes a fault the end of `run`: a refusal waits for a changed configuration, all other faults for time.
impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Stopping => Error::Stopping,
            Fault::Refused { .. } => Error::config(fault),
            _ => Error::transient(fault),
        }
    }
}
