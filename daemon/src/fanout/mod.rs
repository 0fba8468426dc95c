//! To be filled.
pub mod arrival;
