//! How connections end: dropped, closed with a code, or seen off all together.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::AbortHandle;

use super::Shard;
use crate::exchange::ConnId;
use crate::exchange::arrival::Arrival;
use crate::fanout::link::Link;
use crate::fanout::walk::WRITES_PER_TURN;
use tickerd_model::close::CloseCode;
use tickerd_model::encoding::{self, Encoding};
use tickerd_model::frame;
use tickerd_model::protocol::event;

/// How long a closed connection may take to close its side, in seconds.
const CLOSING_S: u32 = 5;
/// How often is looked whether all are gone.
const STEP: Duration = Duration::from_millis(5);
/// How long is waited for those whom the server still hands over, however short the drain time: the server itself ends
/// within a second, and they need a moment to close.
const LATE_MAX: Duration = Duration::from_millis(1_500);

impl Shard {
    /// The client says nothing more. It may listen all the same, and keeps what it has. Something is sent at once: when it is
    /// gone, its system answers that.
    pub fn hear_end(&mut self, id: ConnId) {
        let Some(shard) = self.me.upgrade() else { return };
        let Some(conn) = self.connection(id) else { return };
        // One that ends in the middle of a message is cut off, and has not chosen its end.
        if conn.echo || conn.closing_until_s.is_some() || !conn.decoder.is_whole() {
            return self.drop_connection(id, 1006);
        }
        (conn.reading, conn.pinged) = (false, false);
        let (link, generation) = (conn.link.clone(), conn.generation);
        let task = tokio::task::spawn_local(async move {
            link.broken().await;
            let mut shard = shard.borrow_mut();
            if shard.connection(id).is_some_and(|conn| conn.generation == generation) {
                shard.drop_connection(id, 1006);
            }
        });
        conn.shut = Some(task.abort_handle());
        if conn.encoding == Encoding::Sse {
            return self.send(id, encoding::SSE_COMMENT, &[]);
        }
        let mut ping = Vec::new();
        frame::write_ping(&mut ping);
        self.send(id, &ping, &[]);
    }

    /// Ends a connection at once; `code` is for the count.
    pub fn drop_connection(&mut self, id: ConnId, code: u16) {
        let Some(conn) = self.connections.remove(id) else { return };
        // A task may still wait on the socket: this wakes it, and it finds the connection gone.
        let shut = match &*conn.link {
            Link::Tcp(stream) => {
                if code == CloseCode::TooSlow.code() {
                    // What the kernel holds for a peer that takes nothing is not worth keeping.
                    drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
                }
                socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Both)
            }
            Link::Unix(stream) => socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Both),
        };
        drop(shut);
        conn.shut.iter().for_each(AbortHandle::abort);
        if let Some(cohort) = conn.cohort {
            self.leave_cohort(id, conn.generation, cohort);
        }
        if conn.stall.as_ref().is_some_and(|stall| stall.blocked) {
            self.metrics.connections_lagging.dec();
        }
        if conn.closing_until_s.is_none() {
            self.metrics.count_close(code);
        }
        self.metrics.connections.dec();
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// Closes with a code of the table.
    pub fn close(&mut self, id: ConnId, code: CloseCode) {
        self.close_with(id, &code.frame(), code.code());
    }

    /// Sends a close frame (an event stream has none, and only ends) and waits for the peer to close its side, for a while.
    pub fn close_with(&mut self, id: ConnId, frame: &[u8], code: u16) {
        let until_s = self.now_s + CLOSING_S;
        let Some(conn) = self.connection(id) else { return };
        if conn.closing_until_s.replace(until_s).is_some() {
            return;
        }
        conn.fresh = None;
        let (cohort, generation) = (conn.cohort.take(), conn.generation);
        if let Some(stall) = &mut conn.stall {
            stall.snapshots.clear();
        }
        if let Some(cohort) = cohort {
            self.leave_cohort(id, generation, cohort);
        }
        self.metrics.count_close(code);
        if self.encoding(id) != Encoding::Sse {
            self.send(id, frame, &[]);
        }
        if let Some(conn) = self.connection(id)
            && conn.stall.is_none()
        {
            conn.link.finish();
            if conn.shut.is_some() {
                // Its own end came before, and nothing is left to wait for.
                self.drop_connection(id, code);
            }
        }
    }

    /// From now on who arrives is closed in place of being greeted. All who were greeted before.
    fn stop_greeting(&mut self) -> Vec<(ConnId, u32)> {
        self.stopping = true;
        let greeted = self.connections.iter().filter(|(_, conn)| conn.greeted);
        greeted.map(|(id, conn)| (id, conn.generation)).collect()
    }
}

/// Tells everyone, waits half the drain time, closes, and waits the other half at most. Who still arrives is closed at once.
pub async fn see_off(shard: &Rc<RefCell<Shard>>, drain: Duration, arrivals: &mut mpsc::Receiver<Arrival>) {
    let half = drain / 2;
    let closing =
        event::message(&event::Closing { in_ms: half.as_millis() as u64, reconnect_ms: [500, 5000] });
    // From here on who is not greeted yet is not greeted any more; see `Shard::welcome`.
    let everyone = shard.borrow_mut().stop_greeting();
    let is_there = |shard: &mut Shard, (id, generation): (ConnId, u32)| {
        shard.connection(id).is_some_and(|conn| conn.generation == generation)
    };
    for each in &everyone {
        let mut shard = shard.borrow_mut();
        shard.look_at_clock();
        let id = each.0;
        if is_there(&mut shard, *each)
            && shard.connection(id).is_some_and(|c| !c.echo && c.closing_until_s.is_none())
        {
            let (encoding, encoder) = (shard.encoding(id), shard.encoder.clone());
            shard.send(id, closing.bytes(encoding, &encoder), &[]);
        }
    }
    let begun = Instant::now();
    let mut step = tokio::time::interval(STEP);
    while take_late(shard, arrivals) && begun.elapsed() < half {
        step.tick().await;
    }
    for (at, each) in everyone.iter().enumerate() {
        {
            let mut shard = shard.borrow_mut();
            if is_there(&mut shard, *each) {
                shard.close(each.0, CloseCode::ServiceRestart);
            }
        }
        if at % WRITES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    while take_late(shard, arrivals) && begun.elapsed() < drain {
        step.tick().await;
    }
    for each in &everyone {
        let mut shard = shard.borrow_mut();
        if is_there(&mut shard, *each) {
            shard.drop_connection(each.0, 1006);
        }
    }
    // The server hands over what it has answered, and ends: then nobody can be on the way any more.
    while take_late(shard, arrivals) && begun.elapsed() < drain.max(LATE_MAX) {
        step.tick().await;
    }
    let mut shard = shard.borrow_mut();
    for id in shard.connections.keys() {
        shard.drop_connection(id, 1006);
    }
    let Shard { tally, metrics, .. } = &mut *shard;
    tally.flush(metrics);
}

/// Takes in who was on the way. Whether there is still someone to wait for: a connection, or one who may yet arrive.
fn take_late(shard: &Rc<RefCell<Shard>>, arrivals: &mut mpsc::Receiver<Arrival>) -> bool {
    let is_over = loop {
        match arrivals.try_recv() {
            Ok(arrival) => shard.borrow_mut().arrive(arrival),
            Err(error) => break error == TryRecvError::Disconnected,
        }
    };
    !is_over || !shard.borrow().connections.is_empty()
}
