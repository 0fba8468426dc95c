//! The words that belong to the server, in v1 for ever: event names that no feed may use as a kind. The SDK tells feed
//! authors at compile time, so the list is its.

pub use tickerd_sdk::RESERVED_EVENTS;

/// Whether `kind` is the server's.
pub fn is_reserved(kind: &str) -> bool {
    RESERVED_EVENTS.contains(&kind)
}
