//! Whether the daemon is ready, and what each feed has to do with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::access::Keeper;
use super::config_file::Record;
use super::feeds::{Feed, Feeds};
use crate::admin::{Check, Readiness};
use crate::cluster;
use crate::exchange::standing::ClusterRows;
use crate::server::Renewal;
use crate::store::{Standing, Trouble};
use tickerd_identity::KeyTrouble;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::Tally;
use tickerd_process::clock::{now_unix_ms, utc};

/// A node without values is not ready for this long after its start.
const VALUES_MAX: Duration = Duration::from_secs(10);

/// The name of the check of what clients connect to.
const LISTENERS: &str = "listeners";

/// What there is to look at.
pub struct Parts {
    pub feeds: Arc<Feeds>,
    /// There where `history.path` is set.
    pub store: Option<Arc<Standing>>,
    /// There where TLS is spoken.
    pub renewal: Option<Arc<Renewal>>,
    pub keeper: Option<Arc<Keeper>>,
    pub record: Arc<Record>,
    /// There where this daemon is a node of a cluster.
    pub cluster: Option<Arc<cluster::Standing>>,
    pub started: Instant,
    pub is_stopping: Arc<AtomicBool>,
}

impl Parts {
    /// As it is now.
    pub fn judge(&self) -> Readiness {
        let certificate = self.renewal.as_ref().map(|renewal| renewal.standing());
        let issuers = self.keeper.as_ref().map(|keeper| keeper.trouble()).unwrap_or_default();
        let readiness = judge(&self.feeds.all(), self.store.as_deref(), certificate, issuers);
        let readiness = readiness.with(self.record.check());
        let readiness = match &self.cluster {
            Some(standing) => with_cluster(&standing.rows(), self.started.elapsed(), readiness),
            None => readiness,
        };
        match self.is_stopping.load(Ordering::Acquire) {
            true => that_stops(readiness),
            false => readiness,
        }
    }
}

/// A server that stops takes nobody any more, so who asks where to send clients is to send them elsewhere.
fn that_stops(mut readiness: Readiness) -> Readiness {
    readiness.ready = false;
    for check in readiness.checks.iter_mut().filter(|check| check.name == LISTENERS) {
        (check.ok, check.detail) = (false, "the server stops".into());
    }
    readiness
}

/// Serving what there is beats refusing all: a feed that is down is told, and does not make the daemon unready unless
/// none of them has ever spoken. Nor does a past that is not written to disk. `store` is there where `history.path` is set.
/// `certificate` is there where TLS is spoken: one that could not be replaced is told, and served. `issuers` are those whose
/// keys cannot be had now.
fn judge(
    feeds: &[Arc<Feed>],
    store: Option<&Standing>,
    certificate: Option<tickerd_tls::Standing>,
    issuers: Vec<KeyTrouble>,
) -> Readiness {
    let spoken = feeds.is_empty() || feeds.iter().any(|feed| feed.supervisor.has_spoken());
    let mut checks = vec![Check { name: LISTENERS.into(), ok: true, detail: String::new() }];
    checks.extend(certificate.map(|certificate| of_certificate(&certificate, now_unix_ms())));
    checks.extend(issuers.into_iter().map(of_issuer));
    checks.extend(store.map(|store| of_store(store.trouble())));
    for feed in feeds {
        let (lane, health) = (&feed.lane, feed.supervisor.health());
        let ok = matches!(health.state, FeedState::Up | FeedState::Closed);
        let detail = describe(&health, lane.freshness().counts(), lane.tally());
        checks.push(Check { name: format!("feed {}", feed.configured.name), ok, detail });
    }
    Readiness { ready: spoken, checks }
}

/// Adds to the readiness what the cluster has to do with it.
fn with_cluster(rows: &ClusterRows, since_start: Duration, mut readiness: Readiness) -> Readiness {
    let others = cluster::heard(rows).saturating_sub(1);
    let detail = match (&rows.trouble, rows.connected) {
        (Some(trouble), _) => format!("degraded: {trouble}"),
        (None, false) => "degraded: there is no connection to NATS, so this node serves what it has".into(),
        (None, true) => format!("node {} of {}, {others} others are heard", rows.node, rows.cluster),
    };
    readiness.checks.push(Check {
        name: "cluster".into(),
        ok: rows.connected && rows.trouble.is_none(),
        detail,
    });
    // Which feeds there are, a node without sections hears from another.
    let hears = rows.nodes.iter().any(|node| node.role == "node" && node.heard_ms.is_some());
    let is_new = rows.feeds.is_empty() && !hears;
    let mut waits = rows.node.is_empty() || rows.behind || !rows.connected || is_new;
    for row in rows.feeds.iter().filter(|row| row.state != "holds") {
        let ok = row.holder.is_some() && row.trouble.is_none();
        let detail = match (&row.trouble, &row.holder) {
            (Some(trouble), _) => format!("degraded: {trouble}"),
            (None, Some(holder)) => format!("held by the node {holder}"),
            (None, None) => "degraded: no node is heard that holds it; its values are old".into(),
        };
        waits |= row.beats == 0;
        readiness.checks.push(Check { name: format!("feed {}", row.feed), ok, detail });
    }
    readiness.ready = !waits || since_start > VALUES_MAX;
    readiness
}

fn of_certificate(certificate: &tickerd_tls::Standing, now_ms: u64) -> Check {
    let not_after_ms = certificate.not_after.saturating_mul(1_000);
    let expiry = utc(not_after_ms);
    let has_expired = not_after_ms <= now_ms;
    let detail = match &certificate.refused {
        Some(why) => format!("degraded: the one before is used, until {expiry}: {why}"),
        None if has_expired => format!("degraded: it has expired at {expiry}; write a new one"),
        None => format!("until {expiry}"),
    };
    Check { name: "certificate".into(), ok: certificate.refused.is_none() && !has_expired, detail }
}

fn of_issuer(KeyTrouble { issuer, what, has_keys }: KeyTrouble) -> Check {
    let then = if has_keys { "the keys from before are used" } else { "its tokens are refused" };
    Check {
        name: format!("issuer {issuer}"),
        ok: false,
        detail: format!("degraded: its keys cannot be had, {then}: {what}"),
    }
}

fn of_store(trouble: Option<Trouble>) -> Check {
    let detail = trouble.as_ref().map(|Trouble { why, since }| {
        format!(
            "degraded: kept in memory alone, since it cannot be written to disk: {why} (since {})",
            utc(*since)
        )
    });
    Check { name: "history".into(), ok: trouble.is_none(), detail: detail.unwrap_or_default() }
}

/// A feed's state in one line: `up since 2026-11-23T12:03:11Z, 3 of 20 topics stale`, and
/// `down: it ended of itself; starts again in 0.5 s (since …)`.
fn describe(health: &Health, (stale, topics): (usize, usize), tally: Tally) -> String {
    let mut facts = format!("since {}", utc(health.since));
    if stale > 0 {
        facts.push_str(&format!(", {stale} of {topics} topics stale"));
    }
    let Tally { accepted, refused } = tally;
    if refused > 0 {
        facts.push_str(&format!(", {refused} of {} samples refused", accepted + refused));
    }
    match health.reason.as_str() {
        "" => format!("{} {facts}", health.state.as_str()),
        reason => format!("{}: {reason} ({facts})", health.state.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::standing::{HeldRow, NodeRow};

    #[test]
    fn an_edge_waits_for_nats_and_the_first_word_of_a_node() {
        let row = |role: &str, heard_ms| NodeRow { role: role.into(), heard_ms, ..NodeRow::default() };
        let rows = |connected, nodes: &[NodeRow]| ClusterRows {
            node: "e".into(),
            connected,
            nodes: nodes.to_vec(),
            ..ClusterRows::default()
        };
        let ready = |rows: &ClusterRows, since| {
            with_cluster(rows, since, Readiness { ready: true, checks: Vec::new() }).ready
        };
        let (me, edge, node) = (row("edge", None), row("edge", Some(10)), row("node", Some(10)));
        let soon = Duration::from_secs(1);
        for (connected, nodes) in [(false, vec![me.clone()]), (true, vec![me.clone(), edge])] {
            let rows = rows(connected, &nodes);
            assert!(!ready(&rows, soon) && ready(&rows, VALUES_MAX * 2), "{rows:?}");
        }
        assert!(ready(&rows(true, &[me.clone(), node.clone()]), soon));
        assert!(!ready(&rows(false, &[me, node.clone()]), soon), "NATS has gone");
        // What it holds itself it needs to hear of nobody.
        let held = HeldRow { state: "holds".into(), ..HeldRow::default() };
        assert!(ready(&ClusterRows { feeds: vec![held], ..rows(true, &[row("node", None)]) }, soon));
    }

    #[test]
    fn who_was_not_heard_for_three_seconds_is_no_other_that_is_heard() {
        let row = |heard_ms| NodeRow { role: "node".into(), heard_ms, ..NodeRow::default() };
        let rows = ClusterRows {
            node: "a".into(),
            cluster: "t".into(),
            connected: true,
            nodes: vec![row(None), row(Some(2_999)), row(Some(3_000))],
            ..ClusterRows::default()
        };
        let said = with_cluster(&rows, Duration::ZERO, Readiness { ready: true, checks: Vec::new() }).checks;
        assert_eq!(said.first().map(|check| &*check.detail), Some("node a of t, 1 others are heard"));
    }

    #[test]
    fn a_line_says_state_reason_time_and_what_is_stale() {
        let health = |state, reason: &str| Health { state, since: 0, reason: reason.into() };
        let (none, some) = (Tally::default(), Tally { accepted: 90, refused: 10 });
        assert_eq!(describe(&health(FeedState::Up, ""), (0, 20), none), "up since 1970-01-01T00:00:00Z");
        assert_eq!(
            describe(&health(FeedState::Up, ""), (3, 20), some),
            "up since 1970-01-01T00:00:00Z, 3 of 20 topics stale, 10 of 100 samples refused"
        );
        assert_eq!(
            describe(&health(FeedState::Down, "it ended"), (20, 20), none),
            "down: it ended (since 1970-01-01T00:00:00Z, 20 of 20 topics stale)"
        );
    }
}
