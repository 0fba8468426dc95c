//! The table of errors: what a client did wrong, and what went wrong on the server.

use std::borrow::Cow;

/// The kinds of error, with their stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The message does not follow the protocol.
    BadRequest = 400,
    /// The client must authenticate first.
    Unauthenticated = 401,
    /// The client has no right to this.
    Forbidden = 403,
    /// There is no such topic, and no feed that could have it.
    UnknownTopic = 404,
    /// There is no such command, or this version does not have it yet.
    UnknownEvent = 405,
    /// It contradicts the present state.
    Conflict = 409,
    /// The message is too long.
    TooLarge = 413,
    /// The pattern breaks the grammar.
    BadPattern = 422,
    /// Too many commands.
    RateLimited = 429,
    /// Too many topics or patterns on one connection.
    TooManyTopics = 431,
    /// The server's fault.
    Internal = 500,
    /// The feed does not run now.
    FeedUnavailable = 503,
}

impl Code {
    /// All codes, by number.
    pub const ALL: [Code; 12] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::UnknownTopic,
        Self::UnknownEvent,
        Self::Conflict,
        Self::TooLarge,
        Self::BadPattern,
        Self::RateLimited,
        Self::TooManyTopics,
        Self::Internal,
        Self::FeedUnavailable,
    ];

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::UnknownTopic => "unknown_topic",
            Self::UnknownEvent => "unknown_event",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::BadPattern => "bad_pattern",
            Self::RateLimited => "rate_limited",
            Self::TooManyTopics => "too_many_topics",
            Self::Internal => "internal",
            Self::FeedUnavailable => "feed_unavailable",
        }
    }

    /// Whether the same command may succeed later.
    pub fn temporary(self) -> bool {
        matches!(self, Self::RateLimited | Self::Internal | Self::FeedUnavailable)
    }
}

/// One error, with what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// Its kind.
    pub code: Code,
    /// What to change, for a person.
    pub message: Cow<'static, str>,
    /// In how many milliseconds to try again, for temporary errors.
    pub retry_after_ms: Option<u64>,
}

impl ProtocolError {
    /// An error that trying again does not cure.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> ProtocolError {
        ProtocolError { code, message: message.into(), retry_after_ms: None }
    }
}
