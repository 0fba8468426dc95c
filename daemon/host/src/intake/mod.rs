//! What a feed says on its way to its lane.

pub mod acceptance;
pub mod activity;
pub mod lane_sink;
pub mod metrics;
pub mod refusals;
pub mod sink;
