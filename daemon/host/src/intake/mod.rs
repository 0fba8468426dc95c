//! What a feed says, on its way to the feed's lane.
//!
//! [`sink`] is the trait through which every feed speaks. [`lane_sink`] is tickerd's end of it: it checks each sample,
//! counts it, and puts it into the lane. Beside it, [`refusals`] decides when refused samples are logged, [`acceptance`]
//! whether a feed is degraded because nothing it says is accepted, and [`activity`] holds what the supervisor looks at.

pub mod acceptance;
pub mod activity;
pub mod lane_sink;
pub mod metrics;
pub mod refusals;
pub mod sink;
