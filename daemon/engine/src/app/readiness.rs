//! Whether the daemon is ready, and what each feed has to do with it.

use std::sync::Arc;

use super::feeds::Feed;
use crate::admin::{Check, Readiness};
use crate::store::{Standing, Trouble};
use tickerd_identity::KeyTrouble;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::Tally;
use tickerd_process::clock::{now_unix_ms, utc};

/// Serving what there is beats refusing all: a feed that is down is told, and does not make the daemon unready unless
/// none of them has ever spoken. Nor does a past that is not written to disk. `store` is there where `history.path` is set.
/// `certificate` is there where TLS is spoken: one that could not be replaced is told, and served. `issuers` are those whose
/// keys cannot be had now.
pub fn judge(
    feeds: &[Arc<Feed>],
    store: Option<&Standing>,
    certificate: Option<tickerd_tls::Standing>,
    issuers: Vec<KeyTrouble>,
) -> Readiness {
    let spoken = feeds.is_empty() || feeds.iter().any(|feed| feed.supervisor.has_spoken());
    let mut checks = vec![Check { name: "listeners".into(), ok: true, detail: String::new() }];
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
