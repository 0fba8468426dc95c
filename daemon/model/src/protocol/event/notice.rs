//! What a client should know and did not ask for: a feed's state, ticks that were passed over, topics that grew old, came
//! or went.

use schemars::JsonSchema;
use serde::Serialize;

use crate::health::Health;
use crate::protocol::shape;

/// Something worth knowing; clients ignore types they do not know.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice<'a> {
    /// A feed's state changed.
    Feed {
        feed: &'a str,
        #[schemars(schema_with = "shape::feed_state")]
        state: &'static str,
        since: u64,
        reason: &'a str,
    },
    /// The connection was slow: `skipped` ticks of `topics` topics were passed over since `since`, and what came just
    /// before this notice is their newest.
    Lag { topics: usize, skipped: u64, since: u64 },
    /// These topics have had no news (no sample, not even with the same value) for `max_age_ms`; `since` is when that was
    /// found. A tick may still follow: a snapshot, or one that a slower rate held back. Only `fresh` ends it.
    Stale {
        feed: &'a str,
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
        since: u64,
        max_age_ms: u64,
    },
    /// These topics were stale and had news, or ended. It comes before the news.
    Fresh {
        feed: &'a str,
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
    },
    /// Topics that match a pattern of the connection came or went. `removed` happened before `added`: a topic in both is
    /// another one of the same name.
    Topics {
        #[schemars(schema_with = "shape::topics")]
        added: Vec<&'a str>,
        #[schemars(schema_with = "shape::topics")]
        removed: Vec<&'a str>,
        /// Whether others came or went of which nothing is told: list them with the command `topics`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        missed: bool,
    },
    /// Of these topics, had with mode `all`, ticks were passed over; the newest of each follows. With `epoch`: another
    /// server numbers the ticks of `feed` from now on, and `topics` are those of it that the connection has, with any mode.
    Reset {
        #[serde(skip_serializing_if = "Option::is_none")]
        feed: Option<&'a str>,
        #[schemars(schema_with = "shape::topics")]
        topics: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
    },
    /// The client's token ends soon: send `auth` with a new one, or the connection is closed with 4103.
    AuthExpiring { in_ms: u64 },
    /// A new token does not grant these topics and patterns any more: the subscriptions ended.
    Revoked {
        #[schemars(schema_with = "shape::names")]
        topics: Vec<&'a str>,
    },
}

impl<'a> Notice<'a> {
    /// A feed's health as a notice.
    pub fn feed(feed: &'a str, health: &'a Health) -> Notice<'a> {
        Notice::Feed { feed, state: health.state.as_str(), since: health.since, reason: &health.reason }
    }

    /// Ticks of these topics were passed over.
    pub fn reset(topics: Vec<&'a str>) -> Notice<'a> {
        Notice::Reset { feed: None, topics, epoch: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;
    use crate::health::FeedState;

    #[test]
    fn notices_are_written_as_promised() {
        let health = Health { state: FeedState::Stale, since: 1, reason: "…".into() };
        let topics = vec!["stocks.AAPL"];
        for (notice, data) in [
            (
                Notice::feed("stocks", &health),
                r#"{"type":"feed","feed":"stocks","state":"stale","since":1,"reason":"…"}"#,
            ),
            (
                Notice::Lag { topics: 12, skipped: 340, since: 1 },
                r#"{"type":"lag","topics":12,"skipped":340,"since":1}"#,
            ),
            (
                Notice::Stale { feed: "stocks", topics: topics.clone(), since: 1, max_age_ms: 3000 },
                r#"{"type":"stale","feed":"stocks","topics":["stocks.AAPL"],"since":1,"max_age_ms":3000}"#,
            ),
            (
                Notice::Fresh { feed: "stocks", topics },
                r#"{"type":"fresh","feed":"stocks","topics":["stocks.AAPL"]}"#,
            ),
            (
                Notice::Topics { added: vec!["a.b"], removed: vec![], missed: false },
                r#"{"type":"topics","added":["a.b"],"removed":[]}"#,
            ),
            (Notice::AuthExpiring { in_ms: 30000 }, r#"{"type":"auth_expiring","in_ms":30000}"#),
            (Notice::Revoked { topics: vec!["a.*"] }, r#"{"type":"revoked","topics":["a.*"]}"#),
            (Notice::reset(vec!["a.b"]), r#"{"type":"reset","topics":["a.b"]}"#),
            (
                Notice::Reset { feed: Some("a"), topics: vec!["a.b"], epoch: Some("e-2-b-1") },
                r#"{"type":"reset","feed":"a","topics":["a.b"],"epoch":"e-2-b-1"}"#,
            ),
        ] {
            let json = format!(r#"{{"event":"notice","data":{data}}}"#);
            assert_eq!(String::from_utf8(text(&notice)).unwrap(), json);
        }
    }
}
