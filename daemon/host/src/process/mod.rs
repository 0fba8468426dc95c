//! A feed's process, seen from tickerd: it is planned, started, read, given orders, and reaped.
//!
//! Read [`plan`] first (what is started, and with what environment), then [`feed_process`] (the running process), which
//! gives each of the process's streams a thread: [`stdout_reader`] and [`stderr_log`], which read through [`pipe`]. [`exit`] waits
//! for the end. [`warden`] kills what feeds started when tickerd itself is killed.

pub mod exit;
pub mod feed_process;
mod pipe;
pub mod plan;
mod spawn_lock;
mod stderr_log;
mod stdout_reader;
pub mod warden;
