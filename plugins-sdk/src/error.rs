//! Why a feed could not do what it was asked, and with that what tickerd does next.

use std::fmt;

use crate::abi::*;

/// Why `create`, `poll`, `run` or a call to the host failed. The text is for the operator: say what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong; nothing goes on until it changes, but for a rare try.
    Config(String),
    /// It may work later. After `poll` tickerd keeps the instance and polls it again, less often with each failure in a row;
    /// after `create` and `run` it makes a new one, after a back-off.
    Transient(String),
    /// The instance is broken; tickerd destroys it and makes a new one after a back-off.
    Fatal(String),
    /// tickerd refused a sample or topic; from `poll` it counts as [`Error::Transient`].
    Invalid(String),
    /// The feed is being stopped; return from `poll` or `run`.
    Stopping,
}

impl Error {
    /// A [`Error::Config`] with anything that can be shown.
    pub fn config(text: impl fmt::Display) -> Self {
        Error::Config(text.to_string())
    }

    /// A [`Error::Transient`] with anything that can be shown.
    pub fn transient(text: impl fmt::Display) -> Self {
        Error::Transient(text.to_string())
    }

    /// A [`Error::Fatal`] with anything that can be shown.
    pub fn fatal(text: impl fmt::Display) -> Self {
        Error::Fatal(text.to_string())
    }

    /// The status that says this across the boundary.
    pub fn status(&self) -> TkrStatus {
        match self {
            Error::Config(_) => TKR_ERR_CONFIG,
            Error::Transient(_) => TKR_ERR_TRANSIENT,
            Error::Fatal(_) => TKR_ERR_FATAL,
            Error::Invalid(_) => TKR_ERR_INVALID,
            Error::Stopping => TKR_ERR_STOPPING,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(text) | Error::Transient(text) | Error::Fatal(text) | Error::Invalid(text) => {
                f.write_str(text)
            }
            Error::Stopping => f.write_str("the feed is being stopped"),
        }
    }
}

impl std::error::Error for Error {}
