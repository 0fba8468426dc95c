//! What is written about feeds: to the log, and to whoever listens to it.
//!
//! [`feed_log`] is one feed's way into the log, within a [`rate_limit`] and without secrets; [`trace`] names the log targets
//! that `tickerd plugin run` listens to. [`text`] and [`figures`] make words and numbers fit to be read.

pub mod feed_log;
pub mod figures;
pub mod rate_limit;
pub mod text;
pub mod trace;
