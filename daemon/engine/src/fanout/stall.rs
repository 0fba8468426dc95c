//! What is owed to a connection whose socket does not take bytes, and what it got outside the beats.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::backlog::{Backlog, Waiting};
use super::comings::Named;
use super::walk::{About, Item, Payload};
use crate::fanout::table::ids::SlotId;
use tickerd_model::frame::Frame;
use tickerd_model::message::Message;
use tickerd_model::tier::Tier;
use tickerd_model::topic::Topic;
use tickerd_process::clock::now_unix_ms;

/// Most bytes of notices about topics that came and went which wait; they are shared by all who wait for them.
const ROSTER_BYTES_MAX: usize = 64 * 1024;

/// A snapshot that is owed.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where the topic is.
    pub slot: SlotId,
    /// Which it is, since its place may be another's by then.
    pub topic: Topic,
    /// The tier at which it is had.
    pub tier: Tier,
}

/// What a connection got outside the beats: by topic, the process-wide number of the tick.
#[derive(Debug, Default)]
pub struct Fresh {
    /// Gone when every tier has beaten once.
    pub sent: HashMap<SlotId, u64>,
    /// When that is, in the shard's seconds.
    pub until_s: u32,
}

impl Fresh {
    /// Whether the connection has this tick or a later one of the topic.
    pub fn has(&self, slot: SlotId, n: u64) -> bool {
        self.sent.get(&slot).is_some_and(|sent| *sent >= n)
    }
}

/// A connection whose socket does not take bytes: what it is owed. Of topics it has with mode `latest` nothing is kept.
#[derive(Debug)]
pub struct Stall {
    /// The rest of the frame that was cut, and answers that wait.
    pub rest: Vec<u8>,
    /// How much of `rest` is out.
    pub out: usize,
    /// The last push it got whole, on the shard's count: whatever was pushed later is owed, in its newest form.
    pub pos: u64,
    /// The same for health notices.
    pub health_pos: u64,
    /// The same for topics that went stale or had news.
    pub aged_pos: u64,
    /// Snapshots it is owed.
    pub snapshots: Vec<Snapshot>,
    /// Ticks it missed before it subscribed, in order.
    pub replay: Replay,
    /// Ticks of the topics of which it gets every one.
    pub backlog: Backlog,
    /// Which topics came and went.
    pub roster: Roster,
    /// Since when, Unix milliseconds.
    pub since: u64,
    /// When a byte last went out, in the shard's seconds.
    pub progress_s: u32,
    /// Pushes that passed by.
    pub missed: u64,
    /// Owed frames sent since.
    pub caught_up: u64,
    /// Whose they were.
    pub caught_up_topics: HashSet<SlotId>,
    /// Whether the socket refused bytes at least once; else this is only an answer on its way out.
    pub blocked: bool,
}

impl Stall {
    /// Whatever was pushed up to `pos` is out, or will be with `rest`.
    pub fn new(pos: u64, rest: Vec<u8>, now_s: u32) -> Stall {
        Stall {
            rest,
            out: 0,
            pos,
            health_pos: pos,
            aged_pos: pos,
            snapshots: Vec::new(),
            replay: Replay::default(),
            backlog: Backlog::new(pos),
            roster: Roster::default(),
            since: now_unix_ms(),
            progress_s: now_s,
            missed: 0,
            caught_up: 0,
            caught_up_topics: HashSet::new(),
            blocked: false,
        }
    }

    /// Something is due that cannot go out now.
    pub fn pass(&mut self, item: &Item) {
        match &item.payload {
            Payload::Newest(..) => self.missed += 1,
            Payload::Every(slot, frame) => {
                let waiting = Waiting { pos: item.pos, slot: *slot, frame: frame.clone() };
                self.missed += self.backlog.push(waiting);
            }
            // Told again from what the shard knows then.
            Payload::Notice(About::State, _) => {}
            Payload::Notice(About::Roster(named), notice) => self.roster.push(named, notice),
            Payload::Notice(About::Reset, _) => self.missed += self.backlog.lose(),
        }
    }

    /// Nothing of these slots is owed any more, but what is newest in the end.
    pub fn forget(&mut self, gone: &HashSet<SlotId>) {
        if !gone.is_empty() {
            self.snapshots.retain(|snapshot| !gone.contains(&snapshot.slot));
            self.replay.forget(gone);
            self.backlog.forget(|slot| gone.contains(&slot));
        }
    }

    /// Bytes of answers that wait.
    pub fn answers(&self) -> usize {
        self.rest.len() - self.out + self.replay.bytes
    }
}

/// Ticks that were missed, as they are sent after `since`. How many there may be was decided where they were found.
#[derive(Debug, Default)]
pub struct Replay {
    frames: VecDeque<(SlotId, Arc<Frame>)>,
    bytes: usize,
}

impl Replay {
    /// Adds the ticks of topics behind the others.
    pub fn extend(&mut self, replay: Vec<(SlotId, Vec<Arc<Frame>>)>) {
        for (slot, frame) in
            replay.into_iter().flat_map(|(slot, frames)| frames.into_iter().map(move |f| (slot, f)))
        {
            self.bytes += frame.tick().value.len();
            self.frames.push_back((slot, frame));
        }
    }

    /// Whether all of them are sent.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The next to send.
    pub fn pop(&mut self) -> Option<Arc<Frame>> {
        let (_, frame) = self.frames.pop_front()?;
        self.bytes -= frame.tick().value.len();
        Some(frame)
    }

    fn forget(&mut self, gone: &HashSet<SlotId>) {
        self.frames.retain(|(slot, _)| !gone.contains(slot));
        self.bytes = self.frames.iter().map(|(_, frame)| frame.tick().value.len()).sum();
    }
}

/// Notices of topics and people that came and went, each shared by all who wait for it. Whether their client still holds
/// what they name is for who sends them to see.
#[derive(Debug, Default)]
pub struct Roster {
    notices: Vec<(Rc<Named>, Rc<Message>)>,
    bytes: usize,
    /// Some of them were about topics, and about people.
    of: [bool; 2],
    /// There were too many: the client has to list the topics.
    is_lost: bool,
}

/// What is to be told of a roster.
#[derive(Debug, Default)]
pub struct Told {
    /// Notices, in order.
    pub notices: Vec<(Rc<Named>, Rc<Message>)>,
    /// Some about topics were lost.
    pub lost_topics: bool,
    /// Some about people were.
    pub lost_people: bool,
}

impl Roster {
    fn push(&mut self, named: &Rc<Named>, notice: &Rc<Message>) {
        let [topics, people] = &mut self.of;
        *(if matches!(**named, Named::Room(_)) { people } else { topics }) = true;
        self.bytes += notice.text().len();
        if self.bytes > ROSTER_BYTES_MAX {
            self.is_lost = true;
            self.notices = Vec::new();
        }
        if !self.is_lost {
            self.notices.push((named.clone(), notice.clone()));
        }
    }

    /// Takes out what is to be told.
    pub fn take(&mut self) -> Told {
        let Roster { notices, is_lost, of: [topics, people], .. } = std::mem::take(self);
        Told { notices, lost_topics: is_lost && topics, lost_people: is_lost && people }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::slab::Key;

    #[test]
    fn notices_that_wait_have_a_bound_and_their_loss_is_told() {
        let notice = Rc::new(Message::new(&[b'x'; 20_000], 0));
        let mut roster = Roster::default();
        let room = Rc::new(Named::Room(SlotId::new(0)));
        let topics = Rc::new(Named::Topics { added: Vec::new(), removed: Vec::new() });
        let mut told = |of: &[&Rc<Named>]| {
            of.iter().for_each(|named| roster.push(named, &notice));
            let Told { notices, lost_topics, lost_people } = roster.take();
            (notices.len(), lost_topics, lost_people)
        };
        assert_eq!(told(&[&room, &topics, &room]), (3, false, false));
        assert_eq!(told(&[&topics; 5]), (0, true, false));
        assert_eq!(told(&[&room; 5]), (0, false, true));
        assert_eq!(told(&[&room, &topics, &room, &room]), (0, true, true));
        assert_eq!(told(&[&topics]), (1, false, false), "it begins anew");
    }
}
