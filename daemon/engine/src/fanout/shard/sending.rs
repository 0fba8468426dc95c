//! Bytes on their way to one client. Nothing here decides what follows: a client that has got level is listened to again by
//! the loop, see `run`.

use super::Shard;
use crate::exchange::ConnId;
use crate::fanout::connection::{Connection, Sent};
use crate::fanout::outbox::{Lag, Outbox, Reply};
use crate::fanout::table::Table;
use crate::fanout::table::ids::SlotId;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event::{self, Event, Notice};
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::shared::Step;
use tickerd_model::wire::websocket;

/// Answers that wait for the end of a read are not more.
const CORKED_BYTES_MAX: usize = 64 * 1024;

/// Answers to what came in one read: they wait for its end and leave in one write.
#[derive(Debug, Default)]
pub struct Cork {
    /// Who is heard now.
    of: Option<ConnId>,
    bytes: Vec<u8>,
}

impl Shard {
    /// From now on, and until [`Shard::uncork`], answers to this client wait for each other.
    pub fn cork(&mut self, id: ConnId) {
        self.cork.of = Some(id);
    }

    /// Sends the answers that waited.
    pub fn uncork(&mut self) {
        self.flush_cork();
        self.cork.of = None;
    }

    /// Sends the answers that wait, as others will.
    pub fn flush_cork(&mut self) {
        let Some(id) = self.cork.of.filter(|_| !self.cork.bytes.is_empty()) else { return };
        let mut bytes = std::mem::take(&mut self.cork.bytes);
        self.send_now(id, &bytes, Reply::default());
        bytes.clear();
        bytes.shrink_to(CORKED_BYTES_MAX);
        self.cork.bytes = bytes;
    }

    /// Sends bytes that are whole frames.
    pub fn send(&mut self, id: ConnId, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.send_bytes(id, bytes, Reply::default());
        }
    }

    /// Sends an answer and what follows it.
    pub fn send_reply(&mut self, id: ConnId, mut reply: Reply) {
        let bytes = std::mem::take(&mut reply.bytes);
        if !bytes.is_empty() || !reply.is_only_bytes() {
            self.send_bytes(id, &bytes, reply);
        }
    }

    fn send_bytes(&mut self, id: ConnId, bytes: &[u8], rest: Reply) {
        if self.cork.of != Some(id) {
            return self.send_now(id, bytes, rest);
        }
        if self.connection(id).is_none() {
            return;
        }
        self.cork.bytes.extend_from_slice(bytes);
        if !rest.is_only_bytes() {
            let bytes = std::mem::take(&mut self.cork.bytes);
            self.send_now(id, &bytes, rest);
        } else if self.cork.bytes.len() > CORKED_BYTES_MAX {
            self.flush_cork();
        }
    }

    fn send_now(&mut self, id: ConnId, bytes: &[u8], rest: Reply) {
        // An outbox begins behind the beat that is on its way, so the client must have its share of that, or be owed it.
        self.serve_early(id);
        let (pos, now_s) = (self.pos, self.now_s);
        let Some(conn) = self.connection(id) else { return };
        if let Some(outbox) = &mut conn.outbox {
            outbox.push_bytes(bytes);
            return outbox.push_rest(rest.snapshots, rest.replay);
        }
        if conn.step.is_in() && websocket::any_is_compressed(bytes) {
            // Its window moves on with what was compressed by itself.
            conn.step = Step::OUT;
        }
        // Snapshots leave in one write with the answer before them.
        let waits = !rest.snapshots.is_empty() && conn.cohort.is_some();
        // The common case needs no outbox at all: one short answer that the socket takes.
        let written = match if waits { Ok(0) } else { conn.link.try_write(bytes) } {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.drop_connection(id, 1006),
        };
        conn.sent_s = now_s;
        conn.sent_bytes += written as u64;
        let unsent = bytes.get(written..).unwrap_or_default();
        let is_whole = unsent.is_empty() && rest.is_only_bytes() && !conn.link.owes();
        if !is_whole {
            let mut outbox = Box::new(Outbox::new(pos, unsent.to_vec(), now_s));
            outbox.push_rest(rest.snapshots, rest.replay);
            let is_replaying = outbox.is_replaying();
            conn.outbox = Some(outbox);
            if is_replaying {
                // Many may come back at once: each waits for its turn, and beats go first.
                self.await_writable(id);
            } else {
                self.send_owed(id);
            }
        }
        self.counts.bytes += written as u64;
    }

    /// Sends what a connection is owed, as far as its socket takes it and its turn goes. Returns whether it has got level.
    pub fn send_owed(&mut self, id: ConnId) -> bool {
        loop {
            let now_s = self.now_s;
            let (connections, current, counts) = self.current();
            let Some(conn) = connections.get_mut(id).filter(|conn| conn.outbox.is_some()) else {
                return false;
            };
            match conn.send_owed(current, now_s, counts) {
                Sent::Level => {
                    if self.end_outbox(id) {
                        return true;
                    }
                    // The notice of its lag is owed as well, and is sent in the next round.
                }
                Sent::Lags => {
                    self.begin_lag(id);
                    return false;
                }
                Sent::Waits => {
                    self.await_writable(id);
                    return false;
                }
                Sent::Gone => {
                    self.drop_connection(id, 1006);
                    return false;
                }
            }
        }
    }

    /// Ends an outbox of which all is out. Returns false if the client is owed something again, the notice of what it did not
    /// get, or if the connection ended.
    fn end_outbox(&mut self, id: ConnId) -> bool {
        let (now_s, ahead_until_s, pos) = (self.now_s, self.all_tiers_by_s(), self.pos);
        let Shard { connections, table: Table { cohorts, .. }, metrics, counts, encoder, .. } = self;
        let Some(conn) = connections.get_mut(id) else { return false };
        if conn.phase.is_closing() && !conn.link.finish() {
            // What TLS says at the end is owed too.
            return false;
        }
        let cohort = conn.cohort.and_then(|id| cohorts.held(id));
        let has_slow_tiers = cohort.is_some_and(|cohort| cohort.wires.iter().any(|wire| wire.tier.is_slow()));
        let (lagged, lag) = conn.end_outbox(has_slow_tiers, ahead_until_s, now_s);
        if lagged {
            metrics.connections_lagging.dec();
        }
        let skipped = lag.as_ref().map_or(0, |lag| lag.skipped);
        conn.skipped += skipped;
        counts.skipped += skipped;
        match lag {
            _ if conn.phase.is_closing() => {
                let has_ended = conn.phase.is_mute();
                if has_ended {
                    self.drop_connection(id, 1006);
                }
                !has_ended
            }
            None => true,
            Some(Lag { topics, skipped, since }) => {
                let mut bytes = Vec::new();
                event::write(&Notice::Lag { topics, skipped, since }, conn.encoding, encoder, &mut bytes);
                conn.outbox = Some(Box::new(Outbox::new(pos, bytes, now_s)));
                false
            }
        }
    }

    /// Where reading led to an answer that the socket did not take at once, that is owed like all else.
    pub fn owe_answer(&mut self, id: ConnId) {
        let owes = |conn: &mut Connection| conn.link.owes() && conn.outbox.is_none();
        if !self.connection(id).is_some_and(owes) {
            return;
        }
        self.serve_early(id);
        let (pos, now_s) = (self.pos, self.now_s);
        if let Some(conn) = self.connection(id).filter(|conn| conn.outbox.is_none()) {
            conn.outbox = Some(Box::new(Outbox::new(pos, Vec::new(), now_s)));
            self.send_owed(id);
        }
    }

    /// The socket refused bytes: a task waits until it takes them again.
    pub fn begin_lag(&mut self, id: ConnId) {
        self.metrics.connections_lagging.inc();
        self.await_writable(id);
    }

    fn await_writable(&mut self, id: ConnId) {
        if let Some(conn) = self.connections.get_mut(id) {
            self.tasks.await_writable(id, conn);
        }
    }

    /// Listens to the client, unless that is done already or must not be now.
    pub fn start_reading(&mut self, id: ConnId) {
        if let Some(conn) = self.connections.get_mut(id) {
            self.tasks.read(id, conn);
        }
    }

    /// Sends an event.
    pub fn tell<T: Event>(&mut self, id: ConnId, data: &T) {
        let mut out = Vec::new();
        self.write(id, data, &mut out);
        self.send(id, &out);
    }

    /// Sends an event that has words of clients in it: to who keeps a window they are not compressed.
    pub fn tell_said<T: Event>(&mut self, id: ConnId, data: &T) {
        let mut out = Vec::new();
        event::write(data, self.encoding(id), &self.encoder, &mut out);
        self.send(id, &out);
    }

    /// Appends an event as a connection is spoken to.
    pub fn write<T: Event>(&self, id: ConnId, data: &T, out: &mut Vec<u8>) {
        event::write(data, self.answer_encoding(id), &self.encoder, out);
    }

    /// How a connection is answered now: what goes to who is in step with a stream is not compressed.
    pub fn answer_encoding(&self, id: ConnId) -> Encoding {
        let Some(conn) = self.connections.get(id) else { return Encoding::default() };
        if conn.step.is_in() { conn.encoding } else { conn.encoding.alone(self.encoder.settings()) }
    }

    /// Sends an error, and counts it.
    pub fn tell_error(&mut self, id: ConnId, request: Option<Id>, error: &ProtocolError) {
        self.metrics.client_errors.inc();
        self.tell(id, &event::error(request, error));
    }

    /// Notes ticks that a slower tier must not bring again.
    pub fn mark_ahead(&mut self, id: ConnId, sent: impl IntoIterator<Item = (SlotId, u64)>) {
        let until_s = self.all_tiers_by_s();
        let Some(conn) = self.connection(id) else { return };
        let mut sent = sent.into_iter().peekable();
        if sent.peek().is_some() {
            let ahead = conn.ahead.get_or_insert_default();
            ahead.sent.extend(sent);
            ahead.until_s = until_s;
        }
    }

    /// Takes out of a client's budget what looking at so many topics or ticks costs.
    pub fn charge_looks(&mut self, id: ConnId, looks: usize) {
        let per_s = self.settings.commands_per_s;
        if let Some(conn) = self.connection(id) {
            conn.budget.charge(looks, per_s);
        }
    }

    /// Whether a connection is an event stream, which has no frames.
    pub fn is_sse(&self, id: ConnId) -> bool {
        self.encoding(id) == Encoding::Sse
    }
}
