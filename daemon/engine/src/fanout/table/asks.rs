//! What a connection asks for, and how that changes.

use std::cmp::Ordering::{Greater, Less};

use super::ids::{PatternId, SlotId};
use crate::exchange::ConnId;
use tickerd_model::protocol::command::Terms;
use tickerd_model::tier::Tier;
use tickerd_model::wire::encoding::Encoding;

/// A connection, as far as cohorts are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Which.
    pub id: ConnId,
    /// How it is spoken to; that never changes.
    pub encoding: Encoding,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// One topic.
    Exact(SlotId),
    /// All that match.
    Pattern(PatternId),
}

/// One ask of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ask {
    /// For what.
    pub what: What,
    /// On which terms.
    pub terms: Terms,
}

/// One change of what a connection asks for.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// Ask, or ask on other terms.
    Set(Ask),
    /// Ask no more.
    Clear(What),
}

/// What an edit did to one topic: its tier before and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierChange {
    /// The topic.
    pub slot: SlotId,
    /// The tier at which it was had.
    pub before: Option<Tier>,
    /// The tier at which it is had now.
    pub now: Option<Tier>,
}

/// Where two lists of asks, both sorted, differ: each as it was, if it was, and as it is now.
pub fn changes<'a>(
    mut old: &'a [Ask],
    mut new: &'a [Ask],
) -> impl Iterator<Item = (Option<&'a Ask>, Option<&'a Ask>)> {
    std::iter::from_fn(move || {
        loop {
            let next = match (old.first(), new.first()) {
                (None, None) => return None,
                (Some(was), Some(is)) => was.what.cmp(&is.what),
                (Some(_), None) => Less,
                (None, Some(_)) => Greater,
            };
            let was = if next == Greater { None } else { old.split_off_first() };
            let is = if next == Less { None } else { new.split_off_first() };
            if was != is {
                return Some((was, is));
            }
        }
    })
}
