//! Keys that verify signatures: what one is, how a set of them is read, and where an issuer's are.

mod fetch;
mod jwk;
mod key;
mod pace;
mod remote;

pub(crate) use jwk::KeySet;
pub(crate) use key::Key;
pub(crate) use pace::Pace;
#[cfg(test)]
pub(crate) use remote::MISSING_MAX;
pub(crate) use remote::{Looked, Remote};
