//! Keeps feeds alive.

mod backoff;
mod life;
mod overseer;
mod pacer;
mod polling;
mod recovery;
pub mod reload;
mod shared;
pub mod supervisor;
mod swap;
mod watchdog;
