//! To be filled.
pub mod page;
