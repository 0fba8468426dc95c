//! The shapes of what sources say: one per kind, whatever the source. Begin with [`Digits`], of which the others are made.

mod digits;
mod measure;
mod observation;
mod quote;
mod symbol;
mod trade;

pub use digits::{BadDigits, Digits};
pub use measure::Measure;
pub use observation::Observation;
pub use quote::{Quote, Session};
pub use symbol::{Symbol, SymbolEntry, segment};
pub use trade::{Action, Correction, Side, Trade};
