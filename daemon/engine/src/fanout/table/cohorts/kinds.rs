//! How many subscriptions there are of each kind, kept as members come and go: nothing is counted per beat.

use super::{Ask, Cohort, What};
use crate::fanout::metrics::clients::KINDS;
use tickerd_model::protocol::command::Mode;

/// Subscriptions, in the order of [`KINDS`].
pub type Kinds = [i64; KINDS.len()];

/// Of what is asked for.
pub fn kinds(asks: &[Ask]) -> Kinds {
    let mut kinds = Kinds::default();
    for Ask { what, terms } in asks {
        let mode = match (terms.mode, terms.rate) {
            (Mode::All, _) => "all",
            (Mode::Latest, Some(_)) => "rate",
            (Mode::Latest, None) => "latest",
        };
        let kind = if matches!(what, What::Exact(_)) { "topic" } else { "pattern" };
        let at = KINDS.iter().position(|known| *known == (kind, mode));
        at.and_then(|at| kinds.get_mut(at)).into_iter().for_each(|count| *count += 1);
    }
    kinds
}

/// Adds those of a cohort, `times` over; less than 0 takes them away.
pub fn add(to: &mut Kinds, cohort: &Cohort, times: i64) {
    to.iter_mut().zip(cohort.kinds).for_each(|(to, count)| *to += count * times);
}
