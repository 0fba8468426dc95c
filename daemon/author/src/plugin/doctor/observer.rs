//! What all examinations of one command share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::plugin::log_listener::LogListener;
use tickerd_process::Bell;

/// Hears what tickerd says about the feeds that are examined, and when someone wants no more.
pub struct Observer {
    /// True once someone asked to end.
    pub asked: Arc<AtomicBool>,
    /// Rung when there is something to look at.
    pub bell: Arc<Bell>,
    /// What is said about the feeds.
    pub log: LogListener,
}
