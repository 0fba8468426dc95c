//! One feed to run, and what it runs in.
//!
//! A [`spec`] says what to run, and its [`policy`] how patiently. [`admission`] decides whether that may run. [`running`]
//! starts it, in a process or on a thread. [`dry_run`] does the same as far as a feed gets without any work, to check a
//! configuration.

pub mod admission;
pub mod dry_run;
pub mod policy;
pub mod running;
pub mod spec;
