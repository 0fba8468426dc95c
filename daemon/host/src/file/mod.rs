//! The file of a plugin.

pub mod elf;
pub mod find;
pub mod load_error;
pub mod meta;
pub mod sealed;
pub mod trust;
