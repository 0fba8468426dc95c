//! How many subscriptions there are of each kind, kept as members come and go: nothing is counted per beat.

use crate::fanout::metrics::clients::KINDS;
use crate::fanout::table::asks::{Ask, What};
use tickerd_model::protocol::command::Mode;

/// Subscriptions, in the order of [`KINDS`].
pub type Kinds = [i64; KINDS.len()];

/// Counts one ask, `times` over.
pub fn count(kinds: &mut Kinds, Ask { what, terms }: &Ask, times: i64) {
    let mode = match (terms.mode, terms.rate) {
        (Mode::All, _) => "all",
        (Mode::Latest, Some(_)) => "rate",
        (Mode::Latest, None) => "latest",
    };
    let kind = if matches!(what, What::Exact(_)) { "topic" } else { "pattern" };
    let at = KINDS.iter().position(|known| *known == (kind, mode));
    at.and_then(|at| kinds.get_mut(at)).into_iter().for_each(|count| *count += times);
}

/// Adds those of a member, `times` over; less than 0 takes them away.
pub fn add(to: &mut Kinds, kinds: &Kinds, times: i64) {
    to.iter_mut().zip(kinds).for_each(|(to, count)| *to += count * times);
}
