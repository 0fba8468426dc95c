//! One feed, and what it runs in.

pub mod admission;
pub mod dry_run;
pub mod policy;
pub mod running;
pub mod spec;
