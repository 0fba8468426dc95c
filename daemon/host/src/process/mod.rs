//! A feed's process, from the daemon's side.

mod ears;
pub mod feed_process;
pub mod plan;
pub mod warden;
