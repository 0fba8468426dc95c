//! JWTs: taken apart, verified, and read as an identity. Done here rather than by a library, so that the time comes in from
//! outside, no key can meet an algorithm of another kind, and no error holds a part of the token.

mod centrifugo;
mod claims;
mod json;
mod parts;

pub(crate) use claims::{Claims, LIFE_MAX_S, Rules};
pub(crate) use parts::Parts;
