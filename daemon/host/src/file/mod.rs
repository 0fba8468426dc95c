//! The file of a plugin, before any of its code runs.
//!
//! [`find`] finds it by its name. [`elf`] and [`meta`] read what it says about itself. [`trust`] judges who else could have
//! written it. [`sealed`] takes the bytes of a library once, into a [`private_copy`], so that nobody can change what runs.
//! [`load_error`] says why a file is no plugin that can be used here.

pub mod elf;
pub mod find;
pub mod load_error;
pub mod meta;
#[expect(unsafe_code, reason = "mapping a page is the one way to learn whether a copy can be executed")]
mod private_copy;
pub mod sealed;
pub mod trust;
