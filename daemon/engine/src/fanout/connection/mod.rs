//! One client, as its shard keeps it. An idle one costs this struct, its socket and a small reading task.

pub mod budget;
pub mod echoes;
pub mod link;
pub mod phase;
pub mod request;
mod secured;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use self::budget::Budget;
use self::echoes::Echoes;
use self::link::Link;
use self::phase::Phase;
use crate::exchange::arrival::{Caller, Opening, Permit, Share};
use crate::fanout::metrics::Counts;
use crate::fanout::outbox::ahead::Ahead;
use crate::fanout::outbox::item::{Item, Payload};
use crate::fanout::outbox::newest::PushedSince;
use crate::fanout::outbox::refill::{CatchingUp, Current};
use crate::fanout::outbox::{Lag, Outbox};
use crate::fanout::table::ids::CohortId;
use tickerd_model::access::identity::Identity;
use tickerd_model::wire::decoder::Decoder;
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::shared::Step;

/// Bytes written to one client before others have their turn: about a millisecond.
const TURN_BYTES: usize = 1 << 20;
/// Bytes of a replay written to one client in a turn: some 60 clients have their turn before the shard looks at what is live again.
const REPLAY_TURN_BYTES: usize = 64 * 1024;

/// A client. What each beat looks at comes first, together: it is seldom in the caches, and there are thousands.
#[repr(C)]
pub struct Connection {
    /// Its socket; the tasks that wait on it hold it too.
    pub link: Rc<Link>,
    /// The last beat it was served in, by the shard's count.
    pub beat: u64,
    /// What it is owed: present while its socket does not take bytes, or while there is more than one turn sends.
    pub outbox: Option<Box<Outbox>>,
    /// Ticks sent outside the beats that a slower tier may still bring again.
    pub ahead: Option<Box<Ahead>>,
    /// Whose beats it gets.
    pub cohort: Option<CohortId>,
    /// When something was last sent, in the shard's seconds.
    pub sent_s: u32,
    /// How far it has come with a shared stream.
    pub step: Step,
    /// How it is spoken to.
    pub encoding: Encoding,
    /// Whether a ping waits for its answer.
    pub pinged: bool,
    /// Whether the reading task runs.
    pub is_read: bool,
    /// Whether the task that waits for the socket to take bytes runs.
    pub is_awaited: bool,
    /// Serves `/echo`: its messages come back and nothing else is sent.
    pub echo: bool,
    /// Bytes that were sent to it.
    pub sent_bytes: u64,
    /// When something was last heard, in the shard's seconds.
    pub heard_s: u32,
    /// Tells this connection from a later one of the same number.
    pub generation: u32,
    /// How far it is.
    pub phase: Phase,
    /// What may still be asked of it.
    pub budget: Budget,
    /// What was read and is not whole yet.
    pub decoder: Decoder,
    /// What its address may still ask of all shards; none where addresses have no limit.
    pub share: Option<Share>,
    /// Whom it speaks for, and so what it may do.
    pub who: Arc<Identity>,
    /// Whether its client was told that its token ends soon.
    pub is_warned: bool,
    /// When it came, in the shard's seconds.
    pub born_s: u32,
    /// Since when it may have to say who it is, in the shard's seconds.
    pub unknown_since_s: u32,
    /// What its address asked for, until its client has said who it is.
    pub opening: Option<Box<Opening>>,
    /// What its client calls itself. With `[auth]` that must be its user, and nothing else is told to others.
    pub name: Option<Box<str>>,
    /// Counts the connection for as long as it lives.
    pub permit: Permit,
    /// Who it comes from.
    pub caller: Box<Caller>,
    /// Pushes it did not get since it lagged.
    pub skipped: u64,
    /// The stream in which its messages come back, on `/echo/shared`.
    pub echoes: Option<Box<Echoes>>,
}

/// What a turn of sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Nothing is owed any more. The outbox is still there, for [`Connection::end_outbox`].
    Level,
    /// The socket refused bytes for the first time: from now on it lags.
    Lags,
    /// The rest waits until the socket takes bytes, or until the next turn.
    Waits,
    /// The peer is gone.
    Gone,
}

impl Connection {
    /// Whether it has what an item brings, since that was sent outside the beats.
    pub fn has(&self, item: &Item) -> bool {
        match (&item.payload, &self.ahead) {
            (Payload::Newest(slot, frame) | Payload::Every(slot, frame), Some(ahead)) => {
                ahead.has(*slot, frame.tick().n)
            }
            _ => false,
        }
    }

    /// Sends what is owed, until the socket refuses, the turn is over or nothing is left.
    pub fn send_owed(&mut self, current: Current<'_>, now_s: u32, counts: &mut Counts) -> Sent {
        let Some(outbox) = &mut self.outbox else { return Sent::Level };
        // What it catches up with is compressed by itself.
        self.step = Step::OUT;
        let mut left = if outbox.is_replaying() { REPLAY_TURN_BYTES } else { TURN_BYTES };
        let mut pushed = PushedSince::default();
        loop {
            // What is sealed goes before all that is not.
            if self.link.owes() {
                if left == 0 {
                    return Sent::Waits;
                }
                match self.link.flush() {
                    Ok(n) => {
                        left = left.saturating_sub(n);
                        outbox.progressed(now_s);
                        continue;
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        return if outbox.refused() { Sent::Lags } else { Sent::Waits };
                    }
                    Err(_) => return Sent::Gone,
                }
            }
            let joins = outbox.joins_snapshots() && self.cohort.is_some();
            if outbox.unsent().is_empty() || joins {
                let cohort = self.cohort.and_then(|id| current.cohorts.held(id));
                let Some(cohort) = cohort else { return Sent::Level };
                let ahead = self.ahead.get_or_insert_default();
                if !outbox.refill(current, CatchingUp { cohort, ahead, pushed: &mut pushed, counts }) {
                    return Sent::Level;
                }
                continue;
            }
            if left == 0 {
                return Sent::Waits;
            }
            match self.link.try_write(outbox.unsent()) {
                Ok(n) => {
                    left = left.saturating_sub(n);
                    outbox.sent(n, now_s);
                    self.sent_s = now_s;
                    self.sent_bytes += n as u64;
                    counts.bytes += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return if outbox.refused() { Sent::Lags } else { Sent::Waits };
                }
                Err(_) => return Sent::Gone,
            }
        }
    }

    /// All that was owed is out: the beats bring what follows. `ahead_until_s` is when each tier has beaten once, and
    /// `has_slow_tiers` says whether its cohort gets anything at a tier that is slower than a feed's own. Whether it lagged, and
    /// what it is to be told of that.
    pub fn end_outbox(
        &mut self,
        has_slow_tiers: bool,
        ahead_until_s: u32,
        now_s: u32,
    ) -> (bool, Option<Lag>) {
        let Some(outbox) = self.outbox.take() else { return (false, None) };
        // At a feed's own beat only newer ticks follow; a slower tier may still bring one that was a snapshot.
        match &mut self.ahead {
            Some(ahead) if has_slow_tiers && !ahead.sent.is_empty() => ahead.until_s = ahead_until_s,
            ahead => *ahead = None,
        }
        if outbox.is_lagging() {
            // Nobody listened to it meanwhile, so its silence said nothing.
            (self.heard_s, self.pinged) = (now_s, false);
        }
        (outbox.is_lagging(), outbox.lag())
    }

    /// Whether its client may be listened to now.
    pub fn may_be_read(&self) -> bool {
        self.outbox.is_none() && (self.phase.is_open() || self.phase.is_closing() && !self.phase.is_mute())
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    /// There are thousands of connections, and each beat looks at all of them.
    #[test]
    fn what_a_beat_looks_at_is_one_cache_line() {
        assert!(offset_of!(Connection, encoding) < 64);
        assert!(offset_of!(Connection, sent_bytes) < 64);
        // With its socket and its reading task an idle connection has some 1.2 KiB.
        assert!(size_of::<Connection>() <= 256, "{} bytes", size_of::<Connection>());
    }
}
