//! What is written to the log about feeds.

pub mod allowance;
pub mod feed_log;
pub mod figures;
pub mod text;
pub mod trace;
