//! Plugin files, and the TLS certificate, read again while the daemon runs: on SIGHUP, and plugins for the admin socket.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Instant;

use tokio::sync::oneshot;

use super::access::Keeper;
use super::feeds::{Feed, Feeds};
use crate::control::{RELOAD_MAX, ReloadRow, Reloading};
use crate::server::Renewal;
use crate::systemd;
use tickerd_host::Reloaded;
use tickerd_identity::{AdminToken, Keyring};

/// Begins reloads, for who commands them.
pub fn begin(feeds: &[Arc<Feed>], name: Option<&str>) -> Result<Vec<Reloading>, String> {
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
    admin_token: Option<Arc<AdminToken>>,
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
        admin_token: Option<Arc<AdminToken>>,
        keeper: Option<Arc<Keeper>>,
        keyring: Option<Arc<Keyring>>,
    ) -> Arc<Hangup> {
        let (feeds, announced) = (Arc::downgrade(feeds), announced.clone());
        let pending = AtomicU8::new(0);
        Arc::new(Hangup { feeds, announced, renewal, admin_token, keeper, keyring, pending })
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
        self.admin_token.iter().for_each(|token| match token.reload() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the token of the administration is another one from now on"),
            Err(error) => {
                tracing::error!(%error, "the token of the administration stays the one from before")
            }
        });
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
