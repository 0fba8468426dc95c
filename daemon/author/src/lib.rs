//! What feed authors run: `tickerd plugin` and `tickerd record`. Both run feeds as the daemon does, and neither serves.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "tools for authors, which serve nobody")]

mod on_signal;
pub mod plugin;
pub mod record;
mod setting;
mod solo;
