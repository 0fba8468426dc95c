//! Small things that many parts need.

pub mod base64url;
pub mod bucket;
pub mod digest;
pub mod near;
pub mod slab;
