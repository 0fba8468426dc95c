//! What was built.

/// As in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit this was built from, where the build told.
pub const COMMIT: &str = match option_env!("TICKERD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
