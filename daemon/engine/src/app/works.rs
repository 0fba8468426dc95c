//! What runs, and how it becomes what another configuration says while clients stay.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::access::Keeper;
use super::cluster::Membership;
use super::feeds::{Feed, Feeds, Starter};
use super::shards;
use super::sources::{Sources, by_first};
use crate::control::{RELOAD_MAX, ReloadRow};
use crate::fanout;
use crate::pulse::Orders;
use crate::server::{self, Renewal};
use tickerd_config::classes::{Changed, Changes, ListChanges};
use tickerd_config::{self as config, Config, Listen, Topic};
use tickerd_host::Reloaded;
use tickerd_model::source::SourceId;

/// Beyond their own grace (2 s to stop, 2 s after SIGTERM) feeds get this to be reaped.
pub const FEEDS_STOP: Duration = Duration::from_secs(5);

/// What runs, and what it takes to change it.
pub struct Works {
    /// What runs now. A feed that could not be changed is here as it was.
    pub config: Mutex<Config>,
    pub sources: Sources,
    pub starter: Starter,
    pub feeds: Arc<Feeds>,
    /// The sources of declared topics, by first segment.
    pub rooms: Mutex<BTreeMap<String, SourceId>>,
    pub orders: Orders,
    pub fanout: fanout::Newest,
    pub server: server::Handle,
    pub keeper: Option<Arc<Keeper>>,
    pub renewal: Option<Arc<Renewal>>,
    /// There where this daemon is a node of a cluster, once it is started.
    pub membership: OnceLock<Membership>,
    /// Nothing is changed any more.
    pub is_stopping: Arc<AtomicBool>,
}

/// What is ready to be put in place, once it is certain that all of it can be.
struct Prepared {
    page: server::Page,
    fresh: server::Fresh,
    gone: Vec<config::Listener>,
}

impl Works {
    /// Applies a configuration without keys that need a restart. What became of each feed that came or changed.
    ///
    /// # Errors
    /// Why nothing was applied.
    pub fn apply(&self, new: Config, changes: &Changes) -> Result<Vec<ReloadRow>, String> {
        let old = self.config().clone();
        let prepared = self.prepare(&old, &new)?;
        self.put_in_place(&old, &new, prepared, changes)?;
        let failed = self.change_sources(changes);
        let mut rows = failed.1;
        rows.extend(changes.feeds.added.iter().map(|feed| row(&feed.name, "added", "it is started")));
        rows.extend(
            changes.feeds.removed.iter().map(|feed| row(&feed.name, "removed", "its topics are gone")),
        );
        let feeds = new.feeds.iter().map(|feed| failed.0.get(&feed.name).unwrap_or(feed).clone()).collect();
        *self.config() = Config { feeds, ..new };
        Ok(rows)
    }

    /// What runs now.
    pub fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads and binds all that may fail, and changes nothing.
    fn prepare(&self, old: &Config, new: &Config) -> Result<Prepared, String> {
        let page = server::open_page(&new.server).map_err(|why| format!("server.page: {why}"))?;
        if let (Some(_), Some(tls)) = (&self.renewal, &new.server.tls)
            && old.server.tls.as_ref() != Some(tls)
        {
            server::check_tls(tls).map_err(|why| format!("[server.tls]: {why}"))?;
        }
        if let Some(auth) = new.auth.as_ref().filter(|auth| old.auth.as_ref() != Some(auth)) {
            tickerd_identity::check(auth).map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                format!("[auth]: {}", errors.join("; "))
            })?;
        }
        let (before, after) = (&old.server.listen, &new.server.listen);
        let added = after.iter().filter(|listener| !before.contains(listener));
        for listener in added.clone() {
            if before.iter().any(|known| known.address == listener.address) {
                return Err(format!(
                    "server.listen: {} cannot begin or cease to speak tls or proxy while tickerd runs; restart it",
                    listener.address
                ));
            }
            if listener.tls && self.renewal.is_none() {
                return Err(format!(
                    "server.listen: {} is the first listener with tls, for which tickerd must be restarted",
                    listener.address
                ));
            }
        }
        let gone: Vec<_> = before.iter().filter(|listener| !after.contains(listener)).cloned().collect();
        if let Some(held) = gone.iter().find(|gone| self.server.is_passed(gone)) {
            return Err(format!(
                "server.listen: the service manager holds the socket of {}, where clients would wait for ever; take its \
                 ListenStream= out of the unit (tickerd.socket) too, and restart both",
                held.address
            ));
        }
        let fresh = self.server.bind(added).map_err(|error| match &error {
            server::Error::Taken { listen } => match own(listen, &gone) {
                Some(own) => format!(
                    "server.listen: cannot listen on {listen}: tickerd itself listens at {own} until it is restarted; \
                     restart it"
                ),
                None => error.to_string(),
            },
            _ => error.to_string(),
        })?;
        Ok(Prepared { page, fresh, gone })
    }

    fn put_in_place(
        &self,
        old: &Config,
        new: &Config,
        Prepared { page, fresh, gone }: Prepared,
        changes: &Changes,
    ) -> Result<(), String> {
        if changes.keys.is_empty() {
            return Ok(());
        }
        if let (Some(renewal), Some(tls)) = (&self.renewal, &new.server.tls)
            && old.server.tls.as_ref() != Some(tls)
        {
            renewal.change(tls).map_err(|why| format!("[server.tls]: {why}"))?;
        }
        if let (Some(keeper), Some(auth)) = (&self.keeper, &new.auth)
            && old.auth.as_ref() != Some(auth)
        {
            keeper.change(auth).map_err(|why| {
                if let (Some(renewal), Some(before)) = (&self.renewal, &old.server.tls) {
                    // It was all well a moment ago, so this is seldom; then what is not used is told by readiness.
                    let _ = renewal.change(before);
                }
                format!("[auth]: {why}")
            })?;
        }
        self.fanout.change(|now| shards::settings(new, &now.epoch, now.access.clone(), now.tally.clone()));
        self.server.change(&new.server, page, shards::ways(new));
        self.server.listen(fresh, gone.iter());
        Ok(())
    }

    /// Has feeds and rooms go, come and change. Those that could not be changed, as they go on; and what became of each that
    /// was to.
    fn change_sources(&self, changes: &Changes) -> (HashMap<String, config::Feed>, Vec<ReloadRow>) {
        let ListChanges { added, removed, changed } = &changes.feeds;
        // All of them at once: each may take a while to end.
        let gone: Vec<Arc<Feed>> = removed.iter().filter_map(|feed| self.feeds.find(&feed.name)).collect();
        gone.iter().for_each(|feed| feed.supervisor.stop());
        gone.iter().for_each(|feed| self.end(feed));
        if let Some(membership) = self.membership.get() {
            let followed = removed.iter().filter(|feed| self.feeds.find(&feed.name).is_none());
            followed.for_each(|feed| membership.remove(self, &feed.name));
        }
        self.change_rooms(&changes.topics);
        for feed in added {
            if !self.is_stopping.load(Ordering::Acquire)
                && let Err(error) = self.add_feed(feed)
            {
                tracing::error!("{error}");
            }
        }
        self.change_feeds(changed)
    }

    fn change_feeds(
        &self,
        changed: &[Changed<config::Feed>],
    ) -> (HashMap<String, config::Feed>, Vec<ReloadRow>) {
        let (tell, told) = mpsc::channel();
        let mut waiting = HashMap::new();
        let mut rows = Vec::new();
        for change in changed {
            let name = &change.new.name;
            let Some(feed) = self.feeds.find(name) else {
                // Another node runs it. This one may do so next, before the new configuration is in place.
                if let Some(membership) = self.membership.get() {
                    let mut config = self.config();
                    let before = config.feeds.iter_mut().find(|feed| feed.name == *name);
                    before.into_iter().for_each(|before| *before = change.new.clone());
                    drop(config);
                    membership.configure(self, &change.new);
                    rows.push(row(name, "changed", &change.keys.join(", ")));
                }
                continue;
            };
            if change.renews.process {
                let (tell, of) = (tell.clone(), name.clone());
                // Nobody may wait for it any more.
                let answer = move |reloaded: Reloaded| drop(tell.send((of, reloaded)));
                feed.supervisor.change(self.starter.spec(&change.new), Box::new(answer));
                waiting.insert(name.clone(), change);
            } else {
                self.adopt(&feed, change);
                rows.push(row(name, "changed", &change.keys.join(", ")));
            }
        }
        drop(tell);
        let until = Instant::now() + RELOAD_MAX;
        while let Ok((name, reloaded)) = told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let Some(change) = waiting.get(&name) else { continue };
            let (result, detail) = (reloaded.as_str().to_owned(), reloaded.to_string());
            rows.push(ReloadRow { feed: name.clone(), result, done: reloaded.is_done(), detail });
            if reloaded.is_done() {
                self.feeds.find(&name).into_iter().for_each(|feed| self.adopt(&feed, change));
                waiting.remove(&name);
            }
        }
        let late = waiting.keys().filter(|name| !rows.iter().any(|row| row.feed == **name));
        let late: Vec<ReloadRow> = late
            .map(|name| ReloadRow {
                feed: name.clone(),
                result: "failed".into(),
                done: false,
                detail: "it is not over yet, or the feed is being stopped; the log tells how it goes on"
                    .into(),
            })
            .collect();
        rows.extend(late);
        let failed = waiting.into_iter().map(|(name, change)| (name, change.old.clone())).collect();
        (failed, rows)
    }

    /// A feed is configured so from now on: what is made of its samples follows.
    fn adopt(&self, feed: &Feed, change: &Changed<config::Feed>) {
        self.feeds.reconfigure(feed.id, &change.new);
        if change.renews.source {
            feed.lane.freshness().configure(change.new.max_age);
        }
        let opening = match self.membership.get() {
            // Who may hold it is for the nodes to settle.
            Some(membership) => membership.configure(self, &change.new),
            None => self.sources.feed_as(Some(feed.id), &change.new, &feed.lane),
        };
        if change.renews.source {
            self.starter.tell_contract(&opening);
            if self.membership.get().is_none() {
                self.orders.change(opening);
            }
        }
    }

    /// Has rooms go, come and change.
    fn change_rooms(&self, topics: &ListChanges<Topic>) {
        if topics.is_empty() {
            return;
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.config().topics.clone();
        let removed = |topic: &Topic| topics.removed.iter().any(|gone| gone.name == topic.name);
        let mut after: Vec<Topic> = before.iter().filter(|topic| !removed(topic)).cloned().collect();
        for topic in &mut after {
            let change = topics.changed.iter().find(|change| change.new.name == topic.name);
            change.into_iter().for_each(|change| *topic = change.new.clone());
        }
        after.extend(topics.added.iter().cloned());
        let (before, after) = (by_first(&before), by_first(&after));
        rooms.retain(|first, id| {
            let stays = after.contains_key(first.as_str());
            if !stays {
                match self.membership.get() {
                    Some(membership) => membership.remove(self, first),
                    None => self.orders.close(*id),
                }
            }
            stays
        });
        for (first, topics) in after {
            if before.get(first) == Some(&topics) {
                continue;
            }
            let known = rooms.get(first).copied();
            let id = match self.membership.get() {
                Some(membership) => membership.declare(self, first, &topics),
                None => {
                    let opening = self.sources.room_as(known, first, &topics);
                    let id = opening.source.id;
                    match known {
                        Some(_) => self.orders.change(opening),
                        None => self.orders.open(opening),
                    }
                    id
                }
            };
            rooms.insert(first.to_owned(), id);
        }
    }

    /// Starts one feed more. Those that run, and their subscribers, do not notice it.
    ///
    /// # Errors
    /// A source has that name already.
    pub fn add_feed(&self, feed: &config::Feed) -> Result<(), String> {
        if self.feeds.find(&feed.name).is_some() {
            return Err(format!("there is a feed {:?} already", feed.name));
        }
        if let Some(membership) = self.membership.get() {
            // It may be taken before the new configuration is in place.
            self.config().feeds.push(feed.clone());
            membership.configure(self, feed);
            return Ok(());
        }
        let opening = self.sources.feed(feed, &self.starter.lane(feed));
        self.orders.open(opening.clone());
        self.starter.start(feed, &opening).into_iter().for_each(|feed| self.feeds.add(feed));
        Ok(())
    }

    /// Ends a feed, and its topics with it; its subscribers are told. Whether there was one of that name.
    pub fn remove_feed(&self, name: &str) -> bool {
        let found = self.feeds.find(name);
        found.iter().for_each(|feed| self.end(feed));
        found.is_some()
    }

    fn end(&self, feed: &Feed) {
        self.feeds.remove(feed.id);
        let (name, membership) = (&feed.configured.name, self.membership.get());
        if let Some(membership) = membership {
            membership.remove(self, name);
        }
        feed.supervisor.join(Instant::now() + FEEDS_STOP);
        match membership {
            // Another node has gone on with it meanwhile.
            Some(membership) if membership.has(name) => return self.starter.rest(name),
            Some(_) => {}
            None => self.orders.close(feed.id),
        }
        self.starter.forget(name);
    }
}

/// The address that goes, and has the port of one that comes: one of all addresses takes it from each other.
fn own<'a>(comes: &Listen, gone: &'a [config::Listener]) -> Option<&'a Listen> {
    let Listen::Tcp(comes) = comes else { return None };
    gone.iter().map(|gone| &gone.address).find(|gone| {
        let Listen::Tcp(gone) = gone else { return false };
        gone.port() == comes.port() && (gone.ip().is_unspecified() || comes.ip().is_unspecified())
    })
}

fn row(feed: &str, result: &str, detail: &str) -> ReloadRow {
    ReloadRow { feed: feed.to_owned(), result: result.to_owned(), done: true, detail: detail.to_owned() }
}
