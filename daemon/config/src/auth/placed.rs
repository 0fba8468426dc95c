//! Problems that are not about a value that is there.

use crate::problem::Origin;
use crate::section::Refusal;

/// A problem at the header of a table, or at a list's item too many.
pub(super) fn placed(at: &Origin, what: impl Into<String>) -> Refusal {
    Refusal {
        at: at.clone(),
        suffix: String::new(),
        seen: Some(String::new()),
        what: what.into(),
        allowed: String::new(),
        change: String::new(),
    }
}
