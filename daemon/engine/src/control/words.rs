//! What is said over the admin socket: one line of JSON each way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exchange::rows::{ConnectionRow, TopicRow};
use crate::exchange::standing::ClusterRows;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// How the daemon is.
    Status {},
    /// How each feed is.
    FeedList {},
    /// Which topics there are; without a pattern, all.
    Topics {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
    /// Who is connected: all, or those of a user, or those that get a topic.
    Connections {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
    },
    /// Have this feed's file read again and a new process of it take over; without a name, every feed whose file changed.
    FeedReload {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        feed: Option<String>,
    },
    /// Read the configuration again, and apply what changed; then what `FeedReload` without a name does.
    Reload {},
    /// Withdraw someone's right to be here, or close one connection, which may come back. One of the five is there.
    Disconnect {
        /// As `connections` names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conn: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The name of a static token, never the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jti: Option<String>,
        /// In Unix seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued_before: Option<u64>,
    },
    /// How the cluster is, as this node knows it.
    ClusterStatus {},
    /// Have a feed held by this node of the cluster.
    ClusterMove { feed: String, node: String },
    /// Have other nodes hold all that this one holds.
    ClusterDrain {},
    /// Log from now on what this says, as TICKERD_LOG does; without it, only say what is logged.
    Loglevel {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<String>,
    },
}

/// What is answered. One of the lists, `status`, `disconnected` or `error` is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// In the configured order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeds: Option<Vec<FeedRow>>,
    /// In the configured order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reloads: Option<Vec<ReloadRow>>,
    /// By name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<TopicRow>>,
    /// As they came, shard by shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<ConnectionRow>>,
    /// What this node knows of its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterRows>,
    /// What became of feeds that were to be held by another node, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// Whether there are more topics or connections than one answer holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What became of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<ConfigReload>,
    /// It is withdrawn: for good, or only until this daemon ends. `false` also of a connection, whose client may come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected: Option<bool>,
    /// Where it is not withdrawn, or not yet, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What is logged now, as TICKERD_LOG has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Why nothing was done, and what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the daemon is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub commit: String,
    pub pid: u32,
    /// Names its history.
    pub epoch: String,
    /// The configuration file; none: it runs without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    pub uptime_s: u64,
    /// Where clients connect.
    pub listen: Vec<String>,
    /// Where the admin listener is.
    pub admin: String,
    pub clients: u64,
    /// Those whose socket takes no bytes now.
    pub clients_lagging: u64,
    pub topics: u64,
    /// Ticks of all feeds per second, over the last ten; not known in the first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks_per_s: Option<f64>,
    /// How many feeds are in each state.
    pub feeds: BTreeMap<String, u64>,
    /// Whether it should be sent traffic.
    pub ready: bool,
    /// What readiness looks at, as `/readyz?verbose` has it.
    pub checks: Vec<CheckRow>,
}

/// One thing readiness looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    pub name: String,
    pub ok: bool,
    /// Why it is not ok, or how it is; may be empty.
    pub detail: String,
}

/// One line of a feed's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// In Unix milliseconds.
    pub ts: u64,
    pub text: String,
}

/// One feed as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeedRow {
    pub feed: String,
    pub state: String,
    /// Since when, in Unix milliseconds.
    pub since: u64,
    /// Why it is in that state; may be empty.
    pub reason: String,
    /// `process` or `in-process`.
    pub isolation: String,
    /// The file that runs, or ran last; as it is configured if none ever did.
    pub plugin: String,
    /// As the plugin says; may be empty.
    pub version: String,
    /// Samples accepted since the daemon started.
    #[serde(default)]
    pub samples: u64,
    /// Samples refused since then.
    #[serde(default)]
    pub refused: u64,
    /// Ticks per second, over the last ten; not known in the first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Refused samples by their code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<String, u64>,
    /// The last lines of its log, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// Of the bytes that run, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What became of one feed's reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadRow {
    pub feed: String,
    /// `swapped`, `unchanged`, `started`, `restarted`, `restart_needed` or `failed`; when the configuration is read again also
    /// `added`, `removed` or `changed`.
    pub result: String,
    /// Whether what was asked for is so now.
    pub done: bool,
    /// For people.
    pub detail: String,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReload {
    /// `done`, `unchanged`, `wrong`, `refused` or `failed`.
    pub outcome: String,
    /// Why, and what to change, for people; may be empty.
    pub detail: String,
    /// The keys that differ from what ran.
    pub changes: Vec<ChangeRow>,
    /// Feeds that came, went or changed, and those of which the plugin's file did.
    pub feeds: Vec<ReloadRow>,
}

/// One key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// Such as `server.hosts`, `feed sim`, `topic rooms.lobby`.
    pub key: String,
    /// `live`, `source`, `listener` or `restart`.
    pub class: String,
    /// What changed: where the key is written, or `added`, `removed` and the keys of a feed.
    pub detail: String,
}

impl Answer {
    /// Nothing was done.
    pub fn refused(why: impl Into<String>) -> Answer {
        Answer { error: Some(why.into()), ..Answer::default() }
    }
}

/// One line with its newline.
pub fn line(what: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(what).expect("strings and numbers always serialise");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_plain_enough_to_type() {
        let read = |line: &str| serde_json::from_str::<Command>(line);
        assert_eq!(read(r#"{"command":"feed_list"}"#).unwrap(), Command::FeedList {});
        let reload = Command::FeedReload { feed: Some("sim".into()) };
        assert_eq!(read(r#"{"command":"feed_reload","feed":"sim"}"#).unwrap(), reload);
        assert_eq!(read(r#"{"command":"feed_reload"}"#).unwrap(), Command::FeedReload { feed: None });
        assert!(read(r#"{"command":"stop"}"#).unwrap_err().to_string().contains("feed_list"));
        assert_eq!(line(&reload), b"{\"command\":\"feed_reload\",\"feed\":\"sim\"}\n");
    }
}
