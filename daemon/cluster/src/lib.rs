//! Who holds a feed among several nodes, and how the others follow it: the rules alone. No socket, no clock, no thread.
//!
//! One node **holds** a feed: it runs the plugin, numbers the ticks and sends a **beat** for all that is due at one instant.
//! The others **follow**: they apply each beat to a board of their own. The transport may lose, repeat, delay and reorder.
//!
//! # The rules
//! - A holder speaks in an **era**. It takes the era by compare-and-set on a record that all nodes share. There is no lease: a
//!   record does not expire, and a holder that is heard stays.
//! - A node takes a feed when nobody has said for two seconds that they hold it, and most of the nodes that it hears, itself
//!   included, say so too. Edges are asked for ten seconds. It numbers on from era · 2^32, so what two nodes number is never the same.
//! - A follower has one node per era, and goes on to higher eras alone. All else is dropped and counted.
//! - A holder that hears a higher era stops. Of two that hold one era both stop, and the greater takes a new one.
//! - Who drops all that a living node says as the holder tells it whom it follows, and that node stops. If it is the one that is
//!   followed, and nothing it says can be taken, it takes a new era.
//! - A holder hands over with a beat that names the taker. The taker takes the very next era, and only from that holder's own.
//!   It goes on with the holder's numbers, and its first beat says which beat it follows.
//! - Beats are numbered. What is missing is asked for; what cannot be had is replaced by the whole board, and told as a reset.
//!
//! # Who calls what
//! [`Part`] is one node's part in one feed. It is told what is heard, what the record says, and the time, and answers with
//! [`Act`]s. `follow` puts beats in order, `kept` has the beats of the last minute for those who ask, `roll` knows which
//! nodes are heard. The tests run several of them in a world that loses, delays, cuts, pauses and kills.

#![forbid(unsafe_code)]

mod beat;
mod era;
mod follow;
mod kept;
pub mod load;
mod part;
mod roll;
mod time;
pub mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use beat::{Answer, Beat, Head, Node, Position, Root};
pub use era::Era;
pub use follow::{Counts, Joint};
pub use part::Part;
pub use time::Millis;
pub use words::{Act, Claim, Found, Heartbeat, Record, Settings};
