//! Signs ticks with Ed25519, and lists the keys by which others verify them.

mod keyring;
mod signer;

pub use keyring::Keyring;
