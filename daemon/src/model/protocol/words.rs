//! The words that belong to the server, in v1 for ever.

/// Event names that no feed may use as a kind.
pub const RESERVED: [&str; 17] = [
    "connected",
    "authenticated",
    "subscribed",
    "unsubscribed",
    "subscriptions",
    "topics",
    "values",
    "history",
    "published",
    "message",
    "presence",
    "error",
    "notice",
    "heartbeat",
    "pong",
    "closing",
    "closed",
];

/// Whether `kind` is the server's.
pub fn is_reserved(kind: &str) -> bool {
    RESERVED.contains(&kind)
}
