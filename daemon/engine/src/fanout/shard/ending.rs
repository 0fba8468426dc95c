//! How one connection ends: dropped at once, or closed with a code.

use super::Shard;
use crate::exchange::ConnId;
use crate::fanout::outbox::Outbox;
use tickerd_model::wire::close::CloseCode;

/// How long a closed connection may take to close its side, in seconds.
const CLOSING_S: u32 = 5;

impl Shard {
    /// Ends a connection at once; `code` is for the count.
    pub fn drop_connection(&mut self, id: ConnId, code: u16) {
        let Some(mut conn) = self.connections.remove(id) else { return };
        self.release(conn.phase.asking_mut().and_then(|asking| asking.held.take()));
        // What the kernel holds for a peer that takes nothing is not worth keeping.
        conn.link.end(code == CloseCode::TooSlow.code());
        if let Some(cohort) = conn.cohort {
            self.leave_cohort(id, conn.generation, cohort);
        }
        if conn.outbox.as_ref().is_some_and(|outbox| outbox.is_lagging()) {
            self.metrics.connections_lagging.dec();
        }
        if !conn.phase.is_closing() {
            self.metrics.count_close(code);
        }
        self.metrics.connections.dec();
        self.metrics.clients.of(conn.encoding, conn.link.is_tls()).dec();
        self.lose_load();
    }

    /// Closes with a code of the table.
    pub fn close(&mut self, id: ConnId, code: CloseCode) {
        self.close_with(id, &code.frame(), code.code());
    }

    /// Sends a close frame (an event stream has none, and only ends) and waits for the peer to close its side, for a while.
    pub fn close_with(&mut self, id: ConnId, frame: &[u8], code: u16) {
        let (pos, now_s) = (self.pos, self.now_s);
        let until_s = now_s + CLOSING_S;
        let Some(conn) = self.connection(id) else { return };
        let held = conn.phase.asking_mut().and_then(|asking| asking.held.take());
        if !conn.phase.close(until_s) {
            return;
        }
        conn.ahead = None;
        let (cohort, generation) = (conn.cohort.take(), conn.generation);
        if let Some(outbox) = &mut conn.outbox {
            outbox.forget_snapshots();
        }
        if let Some(cohort) = cohort {
            self.leave_cohort(id, generation, cohort);
        }
        self.release(held);
        self.metrics.count_close(code);
        if !self.is_sse(id) {
            self.send(id, frame);
            // What comes next must find it sent.
            self.flush_cork();
        }
        if let Some(conn) = self.connection(id)
            && conn.outbox.is_none()
        {
            if !conn.link.finish() {
                conn.outbox = Some(Box::new(Outbox::new(pos, Vec::new(), now_s)));
                self.send_owed(id);
            } else if conn.phase.is_mute() {
                // Its own end came before, and nothing is left to wait for.
                self.drop_connection(id, code);
            }
        }
    }
}
