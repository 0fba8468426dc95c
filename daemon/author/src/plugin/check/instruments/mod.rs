//! What the tests work with: a life of a feed to drive, and things to look at.
//!
//! [`session`] drives a library's feed, and [`recorder`] keeps what a feed says. [`arbitrary`] makes configurations up;
//! [`rules`] knows the forms of names and versions, [`marks`] what schemas say of fields. [`traces`] reads from /proc what a plugin leaves behind, and [`output`]
//! what it prints.

pub mod arbitrary;
pub mod marks;
pub mod output;
pub mod recorder;
pub mod rules;
pub mod session;
pub mod traces;
