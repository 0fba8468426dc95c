//! How clients end: one that says nothing more, and all of them together when the daemon stops.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::exchange::ConnId;
use crate::exchange::arrival::Arrival;
use crate::fanout::beat::walk::WRITES_PER_TURN;
use crate::fanout::connection::phase::{EndWatch, Phase};
use crate::fanout::shard::Shard;
use tickerd_model::protocol::event;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding;
use tickerd_model::wire::websocket;

/// How often is looked whether all are gone.
const STEP: Duration = Duration::from_millis(5);
/// How long is waited for those whom the server still hands over, however short the drain time: the server itself ends
/// within a second, and they need a moment to close.
const LATE_MAX: Duration = Duration::from_millis(1_500);
/// When clients are to come back, in milliseconds: the first at once almost, the last not before this, and not after that.
const WINDOW_MS: [u64; 3] = [500, 5_000, 60_000];
/// Clients that come back in a second, whatever is let in: each takes about a quarter of a millisecond of a processor.
const PER_S_MAX: u32 = 2_000;

impl Shard {
    /// The client has shut its sending side. It may still listen, and keeps its subscriptions. A ping is sent at once: if the
    /// client is gone, its system answers with a reset, which ends the connection.
    pub(super) fn hear_end(&mut self, id: ConnId) {
        let tasks = self.tasks.clone();
        let Some(shard) = tasks.shard() else { return };
        let Some(conn) = self.connection(id) else { return };
        // One that ends in the middle of a message is cut off, and has not chosen its end.
        if conn.echo || conn.phase.is_closing() || !conn.decoder.is_whole() {
            return self.drop_connection(id, 1006);
        }
        (conn.is_read, conn.pinged) = (false, false);
        let (link, generation) = (conn.link.clone(), conn.generation);
        let task = tasks.start(async move {
            link.broken().await;
            let mut shard = shard.borrow_mut();
            if shard.same_connection(id, generation).is_some() {
                shard.drop_connection(id, 1006);
            }
        });
        conn.phase = Phase::Mute(EndWatch::new(task.abort_handle()));
        if self.is_sse(id) {
            return self.send(id, encoding::SSE_COMMENT);
        }
        let mut ping = Vec::new();
        websocket::write_ping(&mut ping);
        self.send(id, &ping);
    }

    /// From now on a connection that arrives is closed instead of greeted. Returns all that were greeted before.
    fn stop_greeting(&mut self) -> Vec<(ConnId, u32)> {
        self.is_stopping = true;
        let greeted = self.connections.iter().filter(|(_, conn)| !conn.phase.is_arriving());
        greeted.map(|(id, conn)| (id, conn.generation)).collect()
    }
}

/// When clients are to come back, in milliseconds from now: as many come in each second as are let in, and as one can serve.
fn window_ms(clients: i64, per_s: u32) -> [u64; 2] {
    let [first, last, longest] = WINDOW_MS;
    let takes =
        u64::try_from(clients).unwrap_or(0).saturating_mul(1_000) / u64::from(per_s.clamp(1, PER_S_MAX));
    [first, (first + takes).clamp(last, longest)]
}

/// Tells everyone, waits half the drain time, closes, and waits the other half at most. Who still arrives is closed at once.
pub async fn see_off(shard: &Rc<RefCell<Shard>>, drain: Duration, arrivals: &mut mpsc::Receiver<Arrival>) {
    let half = drain / 2;
    let reconnect_ms = {
        let shard = shard.borrow();
        // Of all shards together.
        window_ms(shard.metrics.connections.get(), shard.settings.handshakes_per_s)
    };
    let closing = event::message(&event::Closing { in_ms: half.as_millis() as u64, reconnect_ms });
    // A connection that is not greeted by now will not be.
    let everyone = shard.borrow_mut().stop_greeting();
    let is_there =
        |shard: &mut Shard, (id, generation): (ConnId, u32)| shard.same_connection(id, generation).is_some();
    for each in &everyone {
        let mut shard = shard.borrow_mut();
        shard.look_at_clock();
        let id = each.0;
        if is_there(&mut shard, *each)
            && shard.connection(id).is_some_and(|c| !c.echo && !c.phase.is_closing())
        {
            let (encoding, encoder) = (shard.encoding(id), shard.encoder.clone());
            shard.send(id, closing.bytes(encoding, &encoder));
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
    let Shard { counts, metrics, .. } = &mut *shard;
    counts.flush(metrics);
}

/// Takes in the connections that were on their way. Returns whether there is still one to wait for, here or on its way.
fn take_late(shard: &Rc<RefCell<Shard>>, arrivals: &mut mpsc::Receiver<Arrival>) -> bool {
    let is_over = loop {
        match arrivals.try_recv() {
            Ok(arrival) => shard.borrow_mut().arrive(arrival),
            Err(error) => break error == TryRecvError::Disconnected,
        }
    };
    !is_over || !shard.borrow().connections.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_clients_there_are_the_longer_is_their_window() {
        for (clients, per_s, last) in [
            (-1, 500, 5_000),
            (0, 500, 5_000),
            (2_000, 500, 5_000),
            (10_000, 500, 20_500),
            (10_000, 1, 60_000),
            (10_000, 0, 60_000),
            (20_000, 1_000_000, 10_500),
            (i64::MAX, 500, 60_000),
        ] {
            assert_eq!(window_ms(clients, per_s), [500, last], "{clients} at {per_s}/s");
        }
    }
}
