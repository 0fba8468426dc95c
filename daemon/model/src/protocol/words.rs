//! The words that belong to the server, in v1 for ever: event names that no feed may use as a kind. The list is the
//! SDK's, which tells feed authors at compile time.

pub use tickerd_sdk::RESERVED_EVENTS;

/// Whether `kind` is one of the server's words.
pub fn is_reserved(kind: &str) -> bool {
    RESERVED_EVENTS.contains(&kind)
}
