//! What this room says of itself, and why it does not begin.

/// As in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why the daemon did not start, in words that say what to change.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Said of `[cluster]` where the feature `cluster` is missing.
pub const WITHOUT_CLUSTER: &str = "this tickerd was built without the feature cluster";
