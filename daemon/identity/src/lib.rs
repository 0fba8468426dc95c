//! Who a client is: static tokens, JWTs, client certificates, one-time tickets; what was revoked; and the signatures of ticks. The
//! secret of a node of a cluster is read here too.
//!
//! What comes in is a token, what goes out is an [`Identity`](tickerd_model::access::identity::Identity) or a
//! [`Refusal`](tickerd_model::access::refusal::Refusal). Tokens are looked at on a thread of their own, so that no signature
//! is verified on a thread that serves.
#![forbid(unsafe_code)]

mod authenticator;
mod error;
mod judge;
mod jwt;
mod keys;
mod revocations;
mod rights;
mod sealed;
mod secrets;
mod settled;
mod signing;
mod tickets;
mod tokens;
mod worker;

#[cfg(test)]
mod tests;

pub use authenticator::{Authenticator, KeyTrouble, check};
pub use error::Error;
pub use revocations::{Merged, Revocation};
pub use sealed::Brought;
pub use sealed::envelope::{self, Letterbox};
pub use secrets::of_node;
pub use signing::Keyring;
pub use tickets::TicketPlace;
pub use tokens::AdminToken;
