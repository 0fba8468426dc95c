//! What the operator is told and may command, over the admin socket and the admin listener.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::{IntGauge, IntGaugeVec};

use super::VERSION;
use super::access::Keeper;
use super::feeds::{Feed, Feeds};
use super::rates::Rates;
use super::reload;
use super::reloader::Reloader;
use crate::admin::Readiness;
use crate::cluster::{self, Handle, Standing};
use crate::control::{
    CheckRow, Cluster, ClusterRows, Command, Commands, FeedRow, HeldRow, Lists, LogLine, NodeRow, Status,
};
use crate::exchange::enquiry::Asker;
use tickerd_config::{self as config, Isolation};
use tickerd_identity::Revocation;
use tokio::sync::oneshot;

/// What is known of the daemon when it has started.
pub struct Facts {
    pub commit: String,
    pub epoch: String,
    /// The configuration file, if there is one.
    pub config: Option<String>,
    pub started: Instant,
    pub listen: Vec<String>,
    pub admin: String,
    pub clients: IntGauge,
    pub lagging: IntGauge,
    /// How many topics each source has.
    pub topics: IntGaugeVec,
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// What may be commanded.
pub fn commands(
    feeds: &Arc<Feeds>,
    rates: &Arc<Rates>,
    keeper: Option<Arc<Keeper>>,
    asker: Asker,
    reloader: &Arc<Reloader>,
    cluster: Option<Cluster>,
    facts: Facts,
) -> Commands {
    let (listed, reloaded, counted) = (Arc::downgrade(feeds), Arc::downgrade(feeds), Arc::downgrade(feeds));
    let (feed_rates, all_rates) = (rates.clone(), rates.clone());
    Commands {
        status: Arc::new(move || status(&facts, &all(&counted), &all_rates)),
        list: Arc::new(move || {
            let rates = feed_rates.all();
            let row = |feed: &Arc<Feed>| FeedRow { rate: rates.get(&feed.id).copied(), ..row(feed) };
            all(&listed).iter().map(row).collect()
        }),
        reload: Arc::new(move |name| {
            let feeds = reloaded.upgrade().ok_or("tickerd is stopping")?;
            reload::begin(&feeds.all(), name)
        }),
        configure: {
            let reloader = reloader.clone();
            Arc::new(move || reloader.command())
        },
        disconnect: Arc::new(move |said| {
            let revocation = revocation(said)?;
            let keeper = keeper.as_ref().ok_or(
                "this tickerd has no [auth], so that nobody says who they are; close single connections by their number",
            )?;
            keeper.revoke(revocation)
        }),
        cluster,
        lists: Lists::new(asker),
    }
}

/// What a node of a cluster may be commanded. `handle` is there once it is started.
pub fn cluster(standing: Arc<Standing>, handle: Arc<OnceLock<Handle>>, epoch: String) -> Cluster {
    let draining = handle.clone();
    let command =
        |handle: &OnceLock<Handle>, command| handle.get().is_some_and(|handle| handle.command(command));
    Cluster {
        rows: Arc::new(move || cluster_rows(&standing.status(), &epoch)),
        hand_over: Arc::new(move |feed, node| {
            let (done, moved) = oneshot::channel();
            command(&handle, cluster::Command::Move { feed, to: Some(node), done }).then_some(moved)
        }),
        drain: Arc::new(move || {
            let (done, moved) = oneshot::channel();
            command(&draining, cluster::Command::Drain { done }).then_some(moved)
        }),
    }
}

fn cluster_rows(status: &cluster::Status, epoch: &str) -> ClusterRows {
    let role = |is_edge| if is_edge { "edge" } else { "node" }.to_owned();
    let life = |life: u64| format!("{life:016x}");
    let me = NodeRow {
        node: status.node.clone(),
        life: life(status.life),
        version: VERSION.to_owned(),
        role: role(status.is_edge),
        heard_ms: None,
        clock_ms: None,
        config_differs: false,
    };
    let other = |row: &cluster::NodeRow| NodeRow {
        node: row.node.clone(),
        life: life(row.life),
        version: row.version.clone(),
        role: role(row.is_edge),
        heard_ms: Some(row.heard_ms),
        clock_ms: Some(row.clock_ms),
        config_differs: row.differs,
    };
    let held = |row: &cluster::FeedRow| HeldRow {
        feed: row.feed.clone(),
        holder: row.holder.clone(),
        state: match (row.is_mine, &row.trouble, &row.holder) {
            (true, ..) => "holds",
            (_, Some(_), _) => "broken",
            (.., Some(_)) => "follows",
            (.., None) => "stale",
        }
        .to_owned(),
        trouble: row.trouble.clone(),
        era: row.era,
        root: row.epoch.clone(),
        beats: row.beat,
        lag_ms: (!row.is_mine && row.beat > 0).then_some(row.lag_ms),
        holes: row.holes,
        fenced: row.fenced,
    };
    let mut nodes: Vec<NodeRow> = std::iter::once(me).chain(status.nodes.iter().map(other)).collect();
    nodes.sort_by(|one, two| one.node.cmp(&two.node));
    ClusterRows {
        cluster: status.cluster.clone(),
        node: status.node.clone(),
        role: role(status.is_edge),
        epoch: epoch.to_owned(),
        draining: status.is_draining,
        connected: status.is_connected,
        trouble: status.trouble.clone(),
        nodes,
        feeds: status.feeds.iter().map(held).collect(),
    }
}

fn all(feeds: &Weak<Feeds>) -> Vec<Arc<Feed>> {
    feeds.upgrade().iter().flat_map(|feeds| feeds.all()).collect()
}

fn status(facts: &Facts, feeds: &[Arc<Feed>], rates: &Rates) -> Status {
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    for feed in feeds {
        *states.entry(feed.supervisor.health().state.as_str().to_owned()).or_default() += 1;
    }
    let Readiness { ready, checks } = (facts.readiness)();
    let rates = rates.all();
    let count = |gauge: &IntGauge| u64::try_from(gauge.get()).unwrap_or_default();
    Status {
        version: VERSION.to_owned(),
        commit: facts.commit.clone(),
        pid: std::process::id(),
        epoch: facts.epoch.clone(),
        config: facts.config.clone(),
        uptime_s: facts.started.elapsed().as_secs(),
        listen: facts.listen.clone(),
        admin: facts.admin.clone(),
        clients: count(&facts.clients),
        clients_lagging: count(&facts.lagging),
        topics: facts
            .topics
            .collect()
            .iter()
            .flat_map(|family| family.get_metric())
            .map(|metric| metric.get_gauge().get_value() as u64)
            .sum(),
        ticks_per_s: (!rates.is_empty()).then(|| rates.values().sum()),
        feeds: states,
        ready,
        checks: checks
            .into_iter()
            .map(|check| CheckRow { name: check.name, ok: check.ok, detail: check.detail })
            .collect(),
    }
}

/// What is revoked by a command.
fn revocation(said: Command) -> Result<Revocation, String> {
    let Command::Disconnect { conn: None, user, token, jti, issued_before } = said else {
        return Err("say one of conn, user, token, jti and issued_before".to_owned());
    };
    match (user, token, jti, issued_before) {
        (Some(user), None, None, None) => Ok(Revocation::User(user)),
        (None, Some(token), None, None) => Ok(Revocation::Token(token)),
        (None, None, Some(jti), None) => Ok(Revocation::Jti(jti)),
        (None, None, None, Some(before)) => Ok(Revocation::IssuedBefore(before)),
        _ => Err("say one of conn, user, token, jti and issued_before".to_owned()),
    }
}

fn row(feed: &Feed) -> FeedRow {
    let Feed { configured, lane, supervisor, .. } = feed;
    let health = supervisor.health();
    let tally = lane.tally();
    let runs = supervisor.runs();
    let plugin = runs.as_ref().map(|(path, _)| path.display().to_string());
    let (wanted, isolation) = match &configured.source {
        config::Source::Plugin { path, isolation: Isolation::InProcess } => {
            (path.display().to_string(), "in-process")
        }
        config::Source::Plugin { path, .. } => (path.display().to_string(), "process"),
        config::Source::Exec(argv) => (argv.first().cloned().unwrap_or_default(), "process"),
    };
    let refusals = lane.ledger();
    FeedRow {
        feed: configured.name.clone(),
        state: health.state.as_str().to_owned(),
        since: health.since,
        reason: health.reason,
        isolation: isolation.to_owned(),
        plugin: plugin.unwrap_or(wanted),
        samples: tally.accepted,
        refused: tally.refused,
        rate: None,
        refusals: refusals.refusals().iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
        log: supervisor
            .last_lines()
            .into_iter()
            .map(|line| LogLine { ts: line.ts, text: line.text })
            .collect(),
        version: supervisor.hello().map(|hello| hello.version).unwrap_or_default(),
        sha256: runs.and_then(|(_, digest)| digest).map(|digest| digest.to_string()),
    }
}
