//! Keys that verify signatures: what one is, how a set of them is read, and where an issuer's are.

mod jwk;
mod key;

pub(crate) use jwk::KeySet;
pub(crate) use key::Key;
