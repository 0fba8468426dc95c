//! What a connection is owed that its socket has not taken yet. It is pure: ticks, notices and answers go in, bytes come
//! out, and the caller says how many of them the socket took. An idle connection has no outbox.
//!
//! A client gets level in this order: the bytes that were cut and answers, snapshots, the ticks it asked for with `since`
//! ([`replay`]), notices, every tick of the topics it has with mode `all` ([`backlog`], or a reset if there were too many), and
//! the newest tick of each other topic that moved meanwhile ([`newest`]). Of topics with mode `latest` nothing is kept.
//! Whatever waits is judged by what the client holds when it is sent, and not by what it held when it was due.

pub mod ahead;
pub mod backlog;
pub mod item;
pub mod late_notices;
pub mod newest;
pub mod refill;
pub mod replay;

use std::collections::HashSet;
use std::sync::Arc;

use self::backlog::{Backlog, Waiting};
use self::item::{Item, Payload};
use self::late_notices::LateNotices;
use self::replay::Replay;
use crate::fanout::notices::WhenLate;
use crate::fanout::table::ids::SlotId;
use tickerd_model::tier::Tier;
use tickerd_model::topic::Topic;
use tickerd_model::wire::frame::Frame;
use tickerd_process::clock::now_unix_ms;

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

/// An answer to a client: bytes that are whole frames, and what follows them.
#[derive(Debug, Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    /// Topics whose newest tick follows.
    pub snapshots: Vec<Snapshot>,
    /// Ticks that follow those, in order.
    pub replay: Vec<(SlotId, Vec<Arc<Frame>>)>,
}

impl Reply {
    /// Whether nothing follows the bytes.
    pub fn is_only_bytes(&self) -> bool {
        self.snapshots.is_empty() && self.replay.is_empty()
    }
}

/// What a connection is owed.
#[derive(Debug)]
pub struct Outbox {
    /// The rest of the frame that was cut, and whole frames.
    bytes: Vec<u8>,
    /// How many of `bytes` are out.
    out: usize,
    /// The last push it got whole, on the shard's count: whatever was pushed later is owed, in its newest form.
    pos: u64,
    /// The last push up to which it was told how sources are.
    health_pos: u64,
    /// The last push up to which it was told which topics are stale.
    stale_pos: u64,
    /// The last push up to which it was told whose numbers topics have; and how many of those that have others since then were
    /// named already.
    epochs_told: (u64, usize),
    snapshots: Vec<Snapshot>,
    /// Ticks it missed before it subscribed, in order.
    replay: Replay,
    /// Ticks of the topics of which it gets every one.
    backlog: Backlog,
    late_notices: LateNotices,
    passed: Passed,
    /// When a byte last went out, in the shard's seconds.
    progress_s: u32,
    /// Whether the socket refused bytes at least once; else this is only an answer on its way out.
    is_lagging: bool,
}

/// Pushes that passed by a client while it had an outbox.
#[derive(Debug)]
struct Passed {
    /// Since when, Unix milliseconds.
    since: u64,
    /// How many passed by.
    missed: u64,
    /// Newest ticks that were sent in their place.
    caught_up: u64,
    /// Whose those were.
    topics: HashSet<SlotId>,
}

/// What a client that lagged did not get.
#[derive(Debug, PartialEq, Eq)]
pub struct Lag {
    /// How many topics it caught up with.
    pub topics: usize,
    /// Pushes it did not get.
    pub skipped: u64,
    /// Since when, Unix milliseconds.
    pub since: u64,
}

impl Outbox {
    /// Whatever was pushed up to `pos` is out, or will be with `bytes`.
    pub fn new(pos: u64, bytes: Vec<u8>, now_s: u32) -> Outbox {
        Outbox {
            bytes,
            out: 0,
            pos,
            health_pos: pos,
            stale_pos: pos,
            epochs_told: (pos, 0),
            snapshots: Vec::new(),
            replay: Replay::default(),
            backlog: Backlog::new(pos),
            late_notices: LateNotices::default(),
            passed: Passed { since: now_unix_ms(), missed: 0, caught_up: 0, topics: HashSet::new() },
            progress_s: now_s,
            is_lagging: false,
        }
    }

    /// The outbox of a client whose socket took only a part of a beat.
    pub fn lagging(pos: u64, bytes: Vec<u8>, now_s: u32) -> Outbox {
        Outbox { is_lagging: true, ..Outbox::new(pos, bytes, now_s) }
    }

    /// Adds bytes that are whole frames behind those that wait.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds what follows the bytes of an answer.
    pub fn push_rest(&mut self, snapshots: Vec<Snapshot>, replay: Vec<(SlotId, Vec<Arc<Frame>>)>) {
        self.snapshots.extend(snapshots);
        self.replay.extend(replay);
    }

    /// Takes note of an item that is due and cannot go out now. Of ticks that cannot be left out, `pending` bytes may wait.
    pub fn pass(&mut self, item: &Item, pending: usize) {
        match &item.payload {
            Payload::Newest(..) => self.passed.missed += 1,
            Payload::Every(slot, frame) => {
                let waiting = Waiting { pos: item.pos, slot: *slot, frame: frame.clone() };
                self.passed.missed += self.backlog.push(waiting, pending);
            }
            Payload::Notice(WhenLate::Drop, _) => {}
            Payload::Notice(WhenLate::Keep(subject), notice) => self.late_notices.push(subject, notice),
            Payload::Notice(WhenLate::LoseBacklog, _) => self.passed.missed += self.backlog.lose(),
        }
    }

    /// So many pushes passed by of which nothing is kept.
    pub fn miss(&mut self, pushes: u64) {
        self.passed.missed += pushes;
    }

    /// Nothing of these slots is owed any more, except what is newest in the end.
    pub fn forget(&mut self, gone: &HashSet<SlotId>) {
        if !gone.is_empty() {
            self.snapshots.retain(|snapshot| !gone.contains(&snapshot.slot));
            self.replay.forget(gone);
            self.backlog.forget(|slot| gone.contains(&slot));
        }
    }

    /// No snapshot is owed any more: the connection is about to end.
    pub fn forget_snapshots(&mut self) {
        self.snapshots.clear();
    }

    /// The bytes that are next.
    pub fn unsent(&self) -> &[u8] {
        self.bytes.get(self.out..).unwrap_or_default()
    }

    /// The socket took so many of [`Outbox::unsent`].
    pub fn sent(&mut self, bytes: usize, now_s: u32) {
        self.out += bytes;
        self.progress_s = now_s;
        if self.out >= self.bytes.len() {
            self.bytes.clear();
            self.out = 0;
        }
    }

    /// The socket took something that came before all of this.
    pub fn progressed(&mut self, now_s: u32) {
        self.progress_s = now_s;
    }

    /// The socket takes nothing now. Whether that is the first time.
    pub fn refused(&mut self) -> bool {
        // What is out already need not be kept, least of all for long.
        self.bytes.drain(..self.out);
        self.bytes.shrink_to_fit();
        self.out = 0;
        !std::mem::replace(&mut self.is_lagging, true)
    }

    /// Whether the socket refused bytes; else this is an answer on its way out.
    pub fn is_lagging(&self) -> bool {
        self.is_lagging
    }

    /// Whether ticks that were asked for with `since` are still to be sent.
    pub fn is_replaying(&self) -> bool {
        !self.replay.is_empty()
    }

    /// Bytes of answers that wait.
    pub fn answers(&self) -> usize {
        self.unsent().len() + self.replay.bytes()
    }

    /// Bytes that wait, of answers and of ticks with mode `all`.
    pub fn waiting_bytes(&self) -> usize {
        self.answers() + self.backlog.bytes()
    }

    /// Since when there is something to wait for, Unix milliseconds.
    pub fn since_ms(&self) -> u64 {
        self.passed.since
    }

    /// Pushes that have passed by so far, less those that were made up for.
    pub fn skipped(&self) -> u64 {
        self.passed.missed.saturating_sub(self.passed.caught_up)
    }

    /// When a byte last went out, in the shard's seconds.
    pub fn progress_s(&self) -> u32 {
        self.progress_s
    }

    /// Of an outbox of which all is out: what its client is told that it did not get.
    pub fn lag(&self) -> Option<Lag> {
        let Passed { since, missed, caught_up, topics } = &self.passed;
        let skipped = missed.saturating_sub(*caught_up);
        (self.is_lagging && skipped > 0).then_some(Lag { topics: topics.len(), skipped, since: *since })
    }
}

#[cfg(test)]
mod tests;
