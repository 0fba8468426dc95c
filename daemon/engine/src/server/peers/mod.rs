//! Who is at the other end, and how much one address and all of them may take.

pub mod budgets;
pub mod introduction;
pub mod limits;
pub mod memory;
mod pace;
pub mod peer;
