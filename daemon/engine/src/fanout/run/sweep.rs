//! Once a second, a look at every connection: heartbeats, pings, deadlines. No connection has a timer of its own.

use std::time::Duration;

use crate::fanout::connection::phase::Phase;
use crate::fanout::shard::Shard;
use tickerd_model::protocol::event;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding::{self, Encoding};
use tickerd_model::wire::websocket;
use tickerd_process::clock::now_unix_ms;

/// How long a connection may take no byte at all before it is closed, in seconds.
const STUCK_S: u32 = 30;
/// How long a client may leave a TLS record unfinished, in seconds.
const UNFINISHED_S: u8 = 10;

impl Shard {
    /// Looks at every connection, and adds to the metrics.
    pub(super) fn sweep(&mut self) {
        self.look_at_clock();
        let now_s = self.now_s;
        let heartbeat = event::message(&event::Heartbeat { ts: now_unix_ms() });
        let encoder = self.encoder.clone();
        let mut ping = Vec::new();
        websocket::write_ping(&mut ping);
        let seconds = |d: Duration| d.as_secs().max(1) as u32;
        let (beat_s, ping_s) = (seconds(self.settings.heartbeat), seconds(self.settings.ping));
        let pong_s = seconds(self.settings.pong_timeout);
        for id in self.connections.keys() {
            let Some(conn) = self.connection(id) else { continue };
            if conn.ahead.as_ref().is_some_and(|ahead| ahead.until_s < now_s) && conn.outbox.is_none() {
                conn.ahead = None;
            }
            let encoding = conn.encoding;
            let is_sse = encoding == Encoding::Sse;
            // A client that has shut its sending side cannot answer a ping.
            let is_mute = is_sse || conn.phase.is_mute();
            let silent_s = now_s.saturating_sub(conn.heard_s);
            let stuck_s = conn.outbox.as_ref().map(|outbox| now_s.saturating_sub(outbox.progress_s()));
            // Nobody reads it meanwhile, so that it may be whole already.
            let is_read = conn.outbox.is_none() && conn.phase.asking().is_none();
            let unfinished_s = if is_read { conn.link.count_unfinished_s() } else { 0 };
            if unfinished_s >= UNFINISHED_S
                || matches!(conn.phase, Phase::Closing { until_s, .. } if until_s < now_s)
            {
                self.drop_connection(id, 1006);
            } else if stuck_s.is_some_and(|s| s >= STUCK_S) {
                self.drop_connection(id, CloseCode::TooSlow.code());
            } else if conn.outbox.is_some()
                || conn.phase.asking().is_some()
                || conn.echo
                || conn.phase.is_closing()
            {
                // It is not read while it has an outbox or waits for an answer, so its silence says nothing.
            } else if conn.pinged && silent_s >= pong_s {
                self.close(id, CloseCode::PongTimeout);
            } else {
                // Pages see no pings, so a ping does not put a heartbeat off.
                let quiet_s = now_s.saturating_sub(conn.sent_s);
                if silent_s >= ping_s && !conn.pinged && !is_mute {
                    conn.pinged = true;
                    let sent_s = conn.sent_s;
                    self.send(id, &ping);
                    self.connection(id).into_iter().for_each(|conn| conn.sent_s = sent_s);
                }
                if quiet_s >= beat_s {
                    let bytes =
                        if is_sse { encoding::SSE_COMMENT } else { heartbeat.bytes(encoding, &encoder) };
                    self.send(id, bytes);
                }
            }
        }
        self.forget_gone();
        let cohorts = self.table.cohorts.count() as i64;
        self.metrics.cohorts.add(cohorts - self.cohorts_told);
        self.cohorts_told = cohorts;
        self.report_moves();
        self.counts.flush(&self.metrics);
    }
}
