//! Once a second, a look at every connection: heartbeats, pings, deadlines. No connection has a timer of its own.
//!
//! Times are whole seconds, so a difference of 1 may be hardly any time. What ends a connection must be more than its limit, so that
//! nobody has less than that.

use std::time::Duration;

use crate::exchange::ConnId;
use crate::fanout::connection::phase::Phase;
use crate::fanout::shard::Shard;
use tickerd_model::access::identity::Proof;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding::{self, Encoding};
use tickerd_model::wire::websocket;
use tickerd_process::clock::now_unix_ms;

/// How long a connection may take no byte at all before it is closed, in seconds.
const STUCK_S: u32 = 30;
/// How long a client may stay after its token has ended, to bring a new one.
pub(super) const GRACE_MS: u64 = 25_000;
/// A client is told that its token ends so long before, and up to 30 s earlier.
const WARN_MS: u64 = 30_000;
/// How long a client may leave a TLS record unfinished, in seconds.
const UNFINISHED_S: u8 = 10;

impl Shard {
    /// Whether a client may stay for who it is; tells it before its token ends. True if it is seen off.
    fn look_at_identity(&mut self, id: ConnId, wall_ms: u64, has_revoked: bool) -> bool {
        let (now_s, must_say) = (self.now_s, self.must_say_who(id));
        let Some(judge) = self.settings.access.clone() else { return false };
        let Some(conn) = self.connection(id).filter(|conn| !conn.phase.is_closing()) else { return false };
        if must_say && u64::from(now_s.wrapping_sub(conn.unknown_since_s)) > judge.deadline().as_secs().max(1)
        {
            self.close(id, CloseCode::AuthTimeout);
            return true;
        }
        if has_revoked {
            if self.see_off_revoked(id) {
                return true;
            }
            self.renew_anonymous(id, &*judge);
        }
        let Some(conn) = self.connection(id) else { return false };
        let Some(ends_ms) = conn.who.ends_ms else { return false };
        // Nobody can renew the token of an event stream, or a certificate.
        let is_sse = conn.encoding == Encoding::Sse;
        let is_last = is_sse || matches!(conn.who.proof, Proof::Certificate(_));
        if wall_ms >= ends_ms + if is_last { 0 } else { GRACE_MS } {
            self.close(id, CloseCode::TokenExpired);
            return true;
        }
        // Those who came together are not told together.
        let warn_ms = WARN_MS + 1000 * u64::from(conn.generation % 31);
        if !is_sse && !conn.is_warned && wall_ms + warn_ms >= ends_ms {
            conn.is_warned = true;
            let in_ms = ends_ms.saturating_sub(wall_ms);
            self.serve_early(id);
            self.tell(id, &Notice::AuthExpiring { in_ms });
        }
        false
    }

    /// Closes a connection whose right to be here was withdrawn. Whether it was.
    pub(super) fn see_off_revoked(&mut self, id: ConnId) -> bool {
        let Some(judge) = self.settings.access.clone() else { return false };
        if !self.connection(id).is_some_and(|conn| judge.is_revoked(&conn.who)) {
            return false;
        }
        let refusal = Refusal::Revoked;
        let frame = CloseCode::Unauthenticated.frame_saying(&format!("{}: {refusal}", refusal.code()));
        self.close_with(id, &frame, CloseCode::Unauthenticated.code());
        true
    }

    /// Looks at every connection, and adds to the metrics.
    pub(super) fn sweep(&mut self) {
        self.look_at_clock();
        self.look_at_settings();
        let now_s = self.now_s;
        let heartbeat = event::message(&event::Heartbeat { ts: now_unix_ms() });
        let encoder = self.encoder.clone();
        let mut ping = Vec::new();
        websocket::write_ping(&mut ping);
        let seconds = |d: Duration| d.as_secs().max(1) as u32;
        let (beat_s, ping_s) = (seconds(self.settings.heartbeat), seconds(self.settings.ping));
        let pong_s = seconds(self.settings.pong_timeout);
        let wall_ms = now_unix_ms();
        let revocations = self.settings.access.as_ref().map_or(0, |judge| judge.revocations());
        let has_revoked = std::mem::replace(&mut self.revocations_seen, revocations) != revocations;
        for id in self.connections.keys() {
            let Some(conn) = self.connection(id) else { continue };
            if conn.ahead.as_ref().is_some_and(|ahead| ahead.until_s < now_s) && conn.outbox.is_none() {
                conn.ahead = None;
            }
            if self.settings.access.is_some() && self.look_at_identity(id, wall_ms, has_revoked) {
                continue;
            }
            let Some(conn) = self.connection(id) else { continue };
            let encoding = conn.encoding;
            let is_sse = encoding == Encoding::Sse;
            // A client that has shut its sending side cannot answer a ping.
            let is_mute = is_sse || conn.phase.is_mute();
            let silent_s = now_s.saturating_sub(conn.heard_s);
            let stuck_s = conn.outbox.as_ref().map(|outbox| now_s.saturating_sub(outbox.progress_s()));
            // Nobody reads it meanwhile, so that it may be whole already.
            let is_read = conn.outbox.is_none() && conn.phase.asking().is_none();
            let unfinished_s = if is_read { conn.link.count_unfinished_s() } else { 0 };
            if unfinished_s > UNFINISHED_S
                || matches!(conn.phase, Phase::Closing { until_s, .. } if until_s < now_s)
            {
                self.drop_connection(id, 1006);
            } else if stuck_s.is_some_and(|s| s > STUCK_S) {
                self.drop_connection(id, CloseCode::TooSlow.code());
            } else if conn.outbox.is_some()
                || conn.phase.asking().is_some()
                || conn.echo
                || conn.phase.is_closing()
            {
                // It is not read while it has an outbox or waits for an answer, so its silence says nothing.
            } else if conn.pinged && silent_s > pong_s {
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
        self.share_streams();
        let cohorts = self.table.cohorts.count() as i64;
        self.metrics.cohorts.add(cohorts - self.cohorts_told);
        self.cohorts_told = cohorts;
        let subscriptions = *self.table.cohorts.subscriptions();
        self.metrics.subscriptions.change(&self.subscriptions_told, &subscriptions);
        self.subscriptions_told = subscriptions;
        self.report_moves();
        self.report_wants();
        self.counts.flush(&self.metrics);
    }
}
