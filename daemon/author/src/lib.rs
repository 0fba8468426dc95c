//! What feed authors run: `tickerd plugin` and `tickerd record`. Both run feeds as the daemon does, and serve no clients.
//!
//! - [`plugin`]: the subcommands of `tickerd plugin`, one file or folder each.
//! - [`record`]: `tickerd record`.
//! - `solo`: one feed that runs without a daemon. `setting`: `KEY=VALUE` arguments. `on_signal`: how a command is told to end.
//!   `stdout`: what is printed, and whether it could be.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "tools for authors, which serve nobody")]

mod on_signal;
pub mod plugin;
pub mod record;
mod setting;
mod solo;
mod stdout;
