//! The origin of every value of this feed: the simulator, so that no value is taken for a real one.

use schemars::JsonSchema;
use serde::Serialize;

/// The part that every value of this feed has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Origin {
    /// Who says so: `sim`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    source: &'static str,
    /// Always true: the value is made up.
    #[schemars(extend("const" = true, "x-tickerd-role" = "text"))]
    simulated: bool,
}

impl Origin {
    /// The simulator.
    pub(crate) const SIM: Origin = Origin { source: "sim", simulated: true };
}
