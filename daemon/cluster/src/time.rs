//! The one measure of time.

/// Milliseconds of a clock that never goes back. Only differences mean something, and only on one node.
pub type Millis = u64;
