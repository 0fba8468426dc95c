//! A shard's answers to the operator: who is connected, which topics there are, and the end of one connection. A list is had
//! in parts, so that no beat waits for it.

use std::collections::HashSet;

use crate::exchange::rows::{
    ConnectionRow, HEAD_BYTES_MAX, NAMES_BYTES_MAX, NAMES_MAX, Page, Rows, TopicRow, Which,
};
use crate::fanout::connection::Connection;
use crate::fanout::connection::phase::Phase;
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::What;
use crate::fanout::table::ids::CohortId;
use crate::fanout::table::topics::Slot;
use tickerd_model::access::identity::Proof;
use tickerd_model::topic::Pattern;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::encoding::Encoding;
use tickerd_process::clock::now_unix_ms;

/// Connections or topics in one part.
const PART_ROWS: usize = 256;
/// And how many are looked at for it, where few are meant.
const PART_LOOKS: usize = 4_096;
/// Cohorts whose members are counted for one part.
const PART_COHORTS: usize = 16_384;

impl Shard {
    /// One part of a list.
    pub(super) fn rows(&mut self, page: &Page) -> Rows {
        self.look_at_clock();
        match page {
            Page::Connections { from, which } => self.connection_rows(*from, which),
            Page::Topics { from, pattern } => self.topic_rows(*from, pattern.as_ref()),
        }
    }

    /// Closes the connection with this number; its client may come back. Whether there was one.
    pub(super) fn disconnect(&mut self, number: u32) -> bool {
        self.look_at_clock();
        let is_this = |conn: &Connection| conn.generation == number && !conn.phase.is_closing();
        let found = self.connections.iter().find(|(_, conn)| is_this(conn)).map(|(id, _)| id);
        let Some(id) = found else { return false };
        self.serve_early(id);
        let code = CloseCode::Reconnect;
        self.close_with(id, &code.frame_saying("the operator closed this connection"), code.code());
        true
    }

    fn connection_rows(&self, from: u32, which: &Which) -> Rows {
        let getting: Option<HashSet<CohortId>> = which.topic.as_ref().map(|topic| {
            let topics = &self.table.topics;
            let slot = topics.find(topic).and_then(|slot| topics.slot(slot));
            slot.into_iter().flat_map(Slot::taps).map(|tap| tap.cohort).collect()
        });
        let is_meant = |conn: &Connection| {
            let user = which.user.as_deref();
            let is_user = user.is_none() || user == conn.who.user.as_deref() || user == self.name(conn);
            let gets = |getting: &HashSet<CohortId>| conn.cohort.is_some_and(|id| getting.contains(&id));
            is_user && getting.as_ref().is_none_or(gets)
        };
        let (mut rows, now_ms) = (Rows::default(), now_unix_ms());
        for (looks, (id, conn)) in self.connections.iter_from(from).enumerate() {
            if looks >= PART_LOOKS || rows.connections.len() >= PART_ROWS {
                rows.next = Some(id);
                break;
            }
            if is_meant(conn) {
                rows.connections.push(self.connection_row(conn, now_ms));
            }
        }
        rows
    }

    /// What a client calls itself. With `[auth]` whoever wants may come under any name, so then nobody is known by it.
    fn name<'a>(&self, conn: &'a Connection) -> Option<&'a str> {
        conn.name.as_deref().filter(|_| self.settings.access.is_none())
    }

    fn connection_row(&self, conn: &Connection, now_ms: u64) -> ConnectionRow {
        let outbox = conn.outbox.as_ref();
        let cohort = conn.cohort.and_then(|id| self.table.cohorts.get(id));
        let asks = cohort.map(|cohort| cohort.asks()).unwrap_or_default();
        let mut room = NAMES_BYTES_MAX;
        let names = asks.iter().filter_map(|ask| match ask.what {
            What::Exact(slot) => self.table.topics.slot(slot).map(|slot| &*slot.name),
            What::Pattern(id) => self.table.cohorts.patterns.get(id).map(|scope| scope.pattern().as_str()),
        });
        let fits = |name: &&str| {
            let left = room.checked_sub(name.len());
            room = left.unwrap_or_default();
            left.is_some()
        };
        let subscribed = names.take(NAMES_MAX).take_while(fits).map(str::to_owned).collect();
        ConnectionRow {
            conn: self.told_as(conn.generation),
            transport: conn.link.transport().to_owned(),
            encoding: encoding(conn.encoding).to_owned(),
            address: conn.caller.address.map(|address| address.to_string()),
            agent: conn.caller.agent.as_deref().map(str::to_owned),
            user: conn.who.user.as_deref().map(str::to_owned),
            name: self.name(conn).map(str::to_owned),
            proof: match &conn.who.proof {
                Proof::None => None,
                Proof::Token(name) => Some(format!("token {name}")),
                Proof::Jwt { .. } => Some("jwt".to_owned()),
                Proof::Certificate(name) => Some(format!("certificate {name}")),
            },
            state: match &conn.phase {
                Phase::Arriving => "arriving",
                Phase::Open | Phase::Asking(_) => "open",
                Phase::Mute(_) => "half-closed",
                Phase::Closing { .. } => "closing",
            }
            .to_owned(),
            age_s: u64::from(self.now_s.saturating_sub(conn.born_s)),
            lag_ms: outbox
                .filter(|outbox| outbox.is_lagging())
                .map_or(0, |outbox| now_ms.saturating_sub(outbox.since_ms()).max(1)),
            waiting_bytes: outbox.map_or(0, |outbox| outbox.waiting_bytes() as u64),
            sent_bytes: conn.sent_bytes,
            skipped: conn.skipped + outbox.map_or(0, |outbox| outbox.skipped()),
            subscriptions: asks.len() as u64,
            subscribed,
        }
    }

    fn topic_rows(&self, from: u32, pattern: Option<&Pattern>) -> Rows {
        let (mut rows, mut cohorts) = (Rows::default(), 0);
        for (looks, (id, slot)) in self.table.topics.iter_from(from).enumerate() {
            if looks >= PART_LOOKS || rows.topics.len() >= PART_ROWS || cohorts >= PART_COHORTS {
                rows.next = Some(tickerd_model::basics::slab::Key::place(id));
                break;
            }
            let Some(topic) = &slot.topic else { continue };
            if pattern.is_some_and(|pattern| !pattern.matches(&slot.name)) {
                continue;
            }
            let members = |cohort| self.table.cohorts.get(cohort).map_or(0, |cohort| cohort.members.len());
            let taps = slot.taps().inspect(|_| cohorts += 1);
            let subscribers: usize = taps.map(|tap| members(tap.cohort)).sum();
            let tick = slot.newest().map(|frame| frame.tick());
            let (value, cut) = tick.map_or((String::new(), false), |tick| head(&tick.value));
            rows.topics.push(TopicRow {
                topic: slot.name.to_string(),
                kind: topic.kind().to_owned(),
                seq: slot.seq(),
                ts: tick.map_or(0, |tick| tick.ts),
                stale: slot.stale.is_some(),
                rate: None,
                subscribers: subscribers as u64,
                value,
                cut,
            });
        }
        rows
    }
}

/// The beginning of a value, and whether it goes on.
fn head(value: &[u8]) -> (String, bool) {
    let part = value.get(..HEAD_BYTES_MAX).unwrap_or(value);
    let whole = std::str::from_utf8(part).map_or_else(|error| error.valid_up_to(), str::len);
    (String::from_utf8_lossy(part.get(..whole).unwrap_or_default()).into_owned(), whole < value.len())
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "json",
        Encoding::JsonDeflated | Encoding::JsonNarrow | Encoding::JsonShared(_) => "json+deflate",
        Encoding::Msgpack => "msgpack",
        Encoding::MsgpackDeflated | Encoding::MsgpackNarrow | Encoding::MsgpackShared(_) => "msgpack+deflate",
        Encoding::Sse => "sse",
    }
}
