//! What all parts of a process of tickerd share: its log and output, what a panic does, the clock, and the bell that wakes a
//! thread.
#![forbid(unsafe_code)]

mod bell;
pub mod clock;
pub mod exit;
pub mod log;
pub mod output;
pub mod panics;

pub use bell::Bell;
