//! To be filled.
pub mod feed_host;
