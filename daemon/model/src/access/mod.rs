//! Who a client is, and what it may do. Pure: what a token says is read elsewhere.

pub mod identity;
pub mod pattern_set;
pub mod refusal;
pub mod rights;
pub mod secret;
pub mod user;
