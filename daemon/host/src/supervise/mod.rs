//! Keeps one feed alive: starts it, watches it, starts it again after a growing wait, and ends it in order.
//!
//! [`supervisor`] is the handle; its thread, in `overseer`, goes from one life to the next. A `life` is what happens between
//! a start and an end. Its clocks are `polling` (with `pacer`), `watchdog` and `memory_watch`. `recovery` (with `backoff`)
//! decides what follows an end. `swap` brings a new process beside the old one when a [`reload`] asks for it.
//! `health_notices` tells everyone how the feed is. The clocks, and `recovery`, are pure: they are given the time.

mod backoff;
mod health_notices;
mod life;
mod memory_watch;
mod overseer;
mod pacer;
mod polling;
mod recovery;
pub mod reload;
mod shared;
pub mod supervisor;
mod swap;
mod watchdog;

pub use health_notices::OnChange;
pub use life::nothing_came;
pub use overseer::OnHello;
