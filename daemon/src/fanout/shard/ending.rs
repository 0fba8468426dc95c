//! How connections end: dropped, closed with a code, or seen off all together.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shard;
use crate::fanout::cohorts::ConnId;
use crate::fanout::link::Link;
use crate::fanout::walk::WRITES_PER_TURN;
use crate::model::close::CloseCode;
use crate::model::protocol::event;

/// How long a closed connection may take to close its side, in seconds.
const CLOSING_S: u32 = 5;

impl Shard {
    /// Ends a connection at once; `code` is for the count.
    pub fn drop_connection(&mut self, id: ConnId, code: u16) {
        let Some(conn) = self.connections.get_mut(id as usize).and_then(Option::take) else { return };
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
        if let Some(cohort) = conn.cohort {
            self.cohorts.leave(&mut self.topics, id, cohort);
        }
        if conn.stall.as_ref().is_some_and(|stall| stall.blocked) {
            self.metrics.connections_lagging.dec();
        }
        if conn.closing_until_s.is_none() {
            self.metrics.count_close(code);
        }
        self.metrics.connections.dec();
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.free.push(id);
    }

    /// Closes with a code of the table.
    pub fn close(&mut self, id: ConnId, code: CloseCode) {
        self.close_with(id, &code.frame(), code.code());
    }

    /// Sends a close frame and waits for the peer to close its side, for a while.
    pub fn close_with(&mut self, id: ConnId, frame: &[u8], code: u16) {
        let until_s = self.now_s + CLOSING_S;
        let Some(conn) = self.connection(id) else { return };
        if conn.closing_until_s.replace(until_s).is_some() {
            return;
        }
        conn.fresh = None;
        let cohort = conn.cohort.take();
        if let Some(stall) = &mut conn.stall {
            stall.snapshots.clear();
        }
        if let Some(cohort) = cohort {
            self.cohorts.leave(&mut self.topics, id, cohort);
        }
        self.metrics.count_close(code);
        self.send(id, frame, &[]);
        if let Some(conn) = self.connection(id)
            && conn.stall.is_none()
        {
            conn.link.finish();
        }
    }

    fn open_connections(&self) -> usize {
        self.connections.iter().flatten().count()
    }
}

/// Tells everyone, waits half the drain time, closes, and waits the other half at most.
pub async fn see_off(shard: &Rc<RefCell<Shard>>, drain: Duration) {
    let half = drain / 2;
    let closing =
        event::message(&event::Closing { in_ms: half.as_millis() as u64, reconnect_ms: [500, 5000] });
    let (count, encoder) = (shard.borrow().connections.len(), shard.borrow().encoder.clone());
    for at in 0..count {
        let mut shard = shard.borrow_mut();
        shard.look_at_clock();
        let id = at as ConnId;
        if shard.connection(id).is_some_and(|c| !c.echo && c.closing_until_s.is_none()) {
            let encoding = shard.encoding(id);
            shard.send(id, closing.bytes(encoding, &encoder), &[]);
        }
    }
    let begun = Instant::now();
    let gone = |shard: &Rc<RefCell<Shard>>| shard.borrow().open_connections() == 0;
    let mut step = tokio::time::interval(Duration::from_millis(5));
    while !gone(shard) && begun.elapsed() < half {
        step.tick().await;
    }
    for at in 0..count {
        shard.borrow_mut().close(at as ConnId, CloseCode::ServiceRestart);
        if at % WRITES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    while !gone(shard) && begun.elapsed() < drain {
        step.tick().await;
    }
    for at in 0..count {
        shard.borrow_mut().drop_connection(at as ConnId, 1006);
    }
    let mut shard = shard.borrow_mut();
    let Shard { tally, metrics, .. } = &mut *shard;
    tally.flush(metrics);
}
