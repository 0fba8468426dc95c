//! What the server tells clients besides ticks and answers: how feeds are ([`health`]), which topics are stale ([`stale`]),
//! whose numbers topics have ([`epochs`]), which topics came and went ([`topics`]), and which people came to a declared topic or left it ([`presence`]).
//!
//! Each file builds the notices of one beat, once for all cohorts that are told the same, as [`Announcement`]s. Each kind also
//! says, as [`WhenLate`], what a client gets that cannot be told at once.

pub mod epochs;
pub mod health;
pub mod presence;
mod shares;
pub mod stale;
pub mod subject;
pub mod topics;

use std::rc::Rc;

use self::subject::Subject;
use super::table::ids::CohortId;
use tickerd_model::protocol::event::{self, Event};
use tickerd_model::wire::message::Message;

/// Topics of one notice: with the longest names some 40 KiB.
pub const TOPICS_MAX: usize = 256;

/// A notice, and who is told it.
#[derive(Debug)]
pub struct Announcement {
    /// Its place on the shard's count of pushes.
    pub pos: u64,
    /// What becomes of it where it cannot go out at once.
    pub when_late: WhenLate,
    /// What is said.
    pub message: Rc<Message>,
    /// Who is told.
    pub to: Rc<[CohortId]>,
}

impl Announcement {
    /// A notice that says this event.
    pub fn new<T: Event>(pos: u64, when_late: WhenLate, event: &T, to: Rc<[CohortId]>) -> Announcement {
        Announcement { pos, when_late, message: Rc::new(event::message(event)), to }
    }
}

/// What becomes of a notice that cannot go out at once.
#[derive(Debug, Clone)]
pub enum WhenLate {
    /// It is dropped. It tells how a feed or a topic is, and the client is told how that is when it catches up.
    Drop,
    /// It waits, and is sent as far as the client still holds what it names.
    Keep(Rc<Subject>),
    /// It is dropped, and with it all ticks that wait: they are no longer without a gap.
    LoseBacklog,
}
