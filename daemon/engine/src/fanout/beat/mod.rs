//! One beat on its way to the sockets of a shard: who is due what, and the bytes that all members of a cohort share.

pub mod joined;
pub mod walk;
mod whole;
