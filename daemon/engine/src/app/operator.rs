//! What the operator is told and may command, over the admin socket and the admin listener.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::{IntGauge, IntGaugeVec};
use tokio::sync::oneshot;

use super::VERSION;
use super::access::Keeper;
use super::feeds::{Feed, Feeds};
use super::rates::Rates;
use super::reloader::Reloader;
use crate::admin::Readiness;
use crate::control::{CheckRow, Command, Commands, FeedRow, Lists, LogLine, ReloadRow, Reloading, Status};
use crate::exchange::enquiry::Asker;
use crate::server::Open;
use tickerd_config::{self as config, Isolation};
use tickerd_host::Reloaded;
use tickerd_identity::Revocation;

/// What is known of the daemon when it has started.
pub struct Facts {
    pub commit: String,
    /// As clients are told it.
    pub epoch: Box<dyn Fn() -> String + Send + Sync>,
    /// The configuration file, if there is one.
    pub config: Option<String>,
    pub started: Instant,
    pub open: Open,
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
            begin_reloads(&feeds.all(), name)
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
        cluster: None,
        lists: Lists::new(asker),
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
        epoch: (facts.epoch)(),
        config: facts.config.clone(),
        uptime_s: facts.started.elapsed().as_secs(),
        listen: facts.open.addresses().iter().map(ToString::to_string).collect(),
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

/// Begins reloads, for who commands them.
fn begin_reloads(feeds: &[Arc<Feed>], name: Option<&str>) -> Result<Vec<Reloading>, String> {
    let names = || feeds.iter().map(|feed| feed.configured.name.as_str());
    if let Some(name) = name.filter(|name| !names().any(|known| known == *name)) {
        let known: Vec<&str> = names().collect();
        return Err(format!("there is no feed {name:?}; the feeds are: {}", known.join(", ")));
    }
    let wanted = feeds.iter().filter(|feed| name.is_none_or(|name| name == feed.configured.name));
    Ok(wanted
        .map(|feed| {
            let (tell, told) = oneshot::channel();
            let (reloading, answered) = (feed.configured.name.clone(), feed.configured.name.clone());
            // Nobody may wait for it any more.
            let answer = move |reloaded: Reloaded| drop(tell.send(outcome(answered, &reloaded)));
            feed.supervisor.reload(name.is_some(), Box::new(answer));
            (reloading, told)
        })
        .collect())
}

fn outcome(feed: String, reloaded: &Reloaded) -> ReloadRow {
    let result = reloaded.as_str().to_owned();
    ReloadRow { feed, result, done: reloaded.is_done(), detail: reloaded.to_string() }
}
