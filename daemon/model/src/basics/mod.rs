//! Small things that many parts need.

pub mod bucket;
pub mod digest;
pub mod near;
pub mod slab;
