//! What a shard's clients ask for, and what that leads to. No socket and no connection is known here.
//!
//! Read [`topics`] first (each topic's newest frames), then [`cohorts`] (who asked for the same, and the wires from topics to
//! them). [`names`] and [`patterns`] find one by the other; [`effort`] counts what that costs.

pub mod asks;
pub mod cohorts;
pub mod effort;
pub mod ids;
mod names;
pub mod patterns;
pub mod topics;
