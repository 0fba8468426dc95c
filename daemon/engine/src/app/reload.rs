//! Plugin files, and the TLS certificate, read again while the daemon runs: on SIGHUP, and plugins for the admin socket.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Instant;

use tokio::sync::oneshot;

use super::access::Keeper;
use super::feeds::{Feed, Feeds};
use crate::control::{Command, Commands, FeedRow, RELOAD_MAX, ReloadRow, Reloading};
use crate::server::Renewal;
use crate::systemd;
use tickerd_config::{self as config, Isolation};
use tickerd_host::Reloaded;
use tickerd_identity::{Keyring, Revocation};

/// What the admin socket commands.
pub fn commands(feeds: &Arc<Feeds>, keeper: Option<Arc<Keeper>>) -> Commands {
    let (listed, reloaded) = (Arc::downgrade(feeds), Arc::downgrade(feeds));
    Commands {
        list: Arc::new(move || {
            let feeds = listed.upgrade();
            feeds.iter().flat_map(|feeds| feeds.all()).map(|feed| row(&feed)).collect()
        }),
        reload: Arc::new(move |name| {
            let feeds = reloaded.upgrade().ok_or("tickerd is stopping")?;
            begin(&feeds.all(), name)
        }),
        disconnect: Arc::new(move |said| {
            let keeper =
                keeper.as_ref().ok_or("this tickerd has no [auth], so that nobody says who they are")?;
            keeper.revoke(revocation(said)?)
        }),
    }
}

/// What is revoked by a command.
fn revocation(said: Command) -> Result<Revocation, String> {
    let Command::Disconnect { user, token, jti, issued_before } = said else {
        return Err("this is no disconnect".to_owned());
    };
    match (user, token, jti, issued_before) {
        (Some(user), None, None, None) => Ok(Revocation::User(user)),
        (None, Some(token), None, None) => Ok(Revocation::Token(token)),
        (None, None, Some(jti), None) => Ok(Revocation::Jti(jti)),
        (None, None, None, Some(before)) => Ok(Revocation::IssuedBefore(before)),
        _ => Err("say one of user, token, jti and issued_before".to_owned()),
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
    FeedRow {
        feed: configured.name.clone(),
        state: health.state.as_str().to_owned(),
        since: health.since,
        reason: health.reason,
        isolation: isolation.to_owned(),
        plugin: plugin.unwrap_or(wanted),
        samples: tally.accepted,
        refused: tally.refused,
        version: supervisor.hello().map(|hello| hello.version).unwrap_or_default(),
        sha256: runs.and_then(|(_, digest)| digest).map(|digest| digest.to_string()),
    }
}

fn begin(feeds: &[Arc<Feed>], name: Option<&str>) -> Result<Vec<Reloading>, String> {
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

/// Reads the key of signatures again.
fn reread(keyring: &Keyring) {
    match keyring.reload() {
        Ok(false) => {}
        Ok(true) => tracing::info!(
            kid = keyring.kid(),
            "ticks are signed with another key from now on; the one before stays listed at /v1/keys until a restart"
        ),
        Err(error) => tracing::error!(%error, "ticks go on being signed with the key from before"),
    }
}

/// What SIGHUP does. Several that come while one is obeyed are one more.
pub struct Hangup {
    feeds: Weak<Feeds>,
    announced: Arc<AtomicBool>,
    renewal: Option<Arc<Renewal>>,
    keeper: Option<Arc<Keeper>>,
    keyring: Option<Arc<Keyring>>,
    /// How many are obeyed or wait to be: 0, 1 or 2.
    pending: AtomicU8,
}

impl Hangup {
    /// `announced`: whether the service manager was told that this is ready.
    pub fn new(
        feeds: &Arc<Feeds>,
        announced: &Arc<AtomicBool>,
        renewal: Option<Arc<Renewal>>,
        keeper: Option<Arc<Keeper>>,
        keyring: Option<Arc<Keyring>>,
    ) -> Arc<Hangup> {
        let (feeds, announced) = (Arc::downgrade(feeds), announced.clone());
        Arc::new(Hangup { feeds, announced, renewal, keeper, keyring, pending: AtomicU8::new(0) })
    }

    /// Returns at once: a thread of its own waits for what becomes of it, so that the next signal is heard.
    pub fn obey(self: &Arc<Hangup>) {
        let more = |pending: u8| Some((pending + 1).min(2));
        let before = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        if before != Ok(0) {
            return;
        }
        let this = self.clone();
        let spawned = std::thread::Builder::new().name("reload".into()).spawn(move || {
            loop {
                this.reload();
                if this.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
                    return;
                }
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "SIGHUP: no thread to reload on");
            self.pending.store(0, Ordering::Release);
        }
    }

    fn reload(&self) {
        let announced = self.announced.load(Ordering::Acquire);
        if announced {
            systemd::reloading();
        }
        tracing::info!(
            "SIGHUP: feeds that wait to be tried again are tried now, and plugin files that have changed are loaded; the \
             configuration is not read again before a restart"
        );
        self.renewal.iter().for_each(|renewal| renewal.look());
        self.keeper.iter().for_each(|keeper| keeper.reload());
        self.keyring.iter().for_each(|keyring| reread(keyring));
        let (tell, told) = mpsc::channel();
        let mut waiting = 0;
        // Not held while it waits, so that the daemon can stop meanwhile.
        for feed in self.feeds.upgrade().iter().flat_map(|feeds| feeds.all()) {
            let tell = tell.clone();
            feed.supervisor.retry();
            // The supervisor logs what becomes of it.
            feed.supervisor.reload(false, Box::new(move |_| _ = tell.send(())));
            waiting += 1;
        }
        drop(tell);
        let until = Instant::now() + RELOAD_MAX;
        for _ in 0..waiting {
            if told.recv_timeout(until.saturating_duration_since(Instant::now())).is_err() {
                break;
            }
        }
        if announced {
            systemd::reloaded();
        }
    }
}
