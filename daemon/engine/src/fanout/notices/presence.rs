//! Who came to a declared topic and left it, told to those who have it.

use std::rc::Rc;

use super::subject::Subject;
use super::{Announcement, WhenLate};
use crate::exchange::question::MEMBERS_MAX;
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::topics::Topics;
use tickerd_model::protocol::event::{self, Member};
use tickerd_model::rooms::{Person, Turnover};

/// The notice of a turnover.
pub fn announce(topics: &Topics, at: SlotId, turnover: &Turnover, pos: u64) -> Option<Announcement> {
    let slot = topics.slot(at)?;
    let mut to: Vec<CohortId> = slot.taps().map(|tap| tap.cohort).collect();
    to.sort_unstable();
    to.dedup();
    if to.is_empty() {
        return None;
    }
    let named = |people: &[Person]| people.iter().take(MEMBERS_MAX).cloned().map(member).collect();
    let event = event::Turnover {
        topic: &slot.name,
        count: turnover.count,
        joined: named(&turnover.joined),
        left: named(&turnover.left),
        more: turnover.joined.len().max(turnover.left.len()) > MEMBERS_MAX,
    };
    let when_late = WhenLate::Keep(Rc::new(Subject::People(at)));
    Some(Announcement::new(pos, when_late, &event, to.into()))
}

/// A person as events name them.
pub fn member(person: Person) -> Member {
    Member { conn: person.conn, name: person.name, info: person.info }
}
