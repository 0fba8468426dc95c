//! Names as browsers write them: hosts and Origins.

pub mod host;
pub mod origin;
