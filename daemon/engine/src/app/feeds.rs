//! The feeds that run, each with all that belongs to it. They come and go while the daemon runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::hello;
use crate::contract::Contract;
use crate::pulse::Opening;
use tickerd_config as config;
use tickerd_host::{self as host, Spec, Supervisor, Warden};
use tickerd_model::lane::{LANE_TICKS_MAX, Lane};
use tickerd_model::source::SourceId;
use tickerd_process::Bell;

/// One feed that runs.
pub struct Feed {
    pub id: SourceId,
    pub configured: config::Feed,
    /// Where its ticks wait, and how fresh they are.
    pub lane: Arc<Lane>,
    pub supervisor: Arc<Supervisor>,
}

/// What it takes to start a feed.
pub struct Starter {
    pub bell: Arc<Bell>,
    /// Rung when a feed's state changes.
    pub ready: Arc<Bell>,
    pub metrics: Arc<host::Metrics>,
    pub contract: Arc<Contract>,
    /// This executable.
    pub program: PathBuf,
    pub warden: Arc<Warden>,
    /// What plugins say of themselves, where other nodes are told.
    pub hellos: Option<hello::Hellos>,
}

/// All of them, in the order they came.
#[derive(Default)]
pub struct Feeds(Mutex<BTreeMap<SourceId, Arc<Feed>>>);

impl Starter {
    /// Where the ticks of a feed will wait.
    pub fn lane(&self, feed: &config::Feed) -> Arc<Lane> {
        let lane = self.bare_lane();
        feed.max_age.into_iter().for_each(|age| lane.freshness().set_max_age(age));
        lane
    }

    /// The same for a feed of which nothing is known here.
    pub fn bare_lane(&self) -> Arc<Lane> {
        let bell = self.bell.clone();
        Arc::new(Lane::new(LANE_TICKS_MAX, Box::new(move || bell.ring())))
    }

    /// Starts a feed that the pulse knows, or will know before its first tick is collected.
    pub fn start(&self, feed: &config::Feed, opening: &Opening) -> Option<Feed> {
        let lane = opening.lane.clone()?;
        self.contract.open(hello::facts_of(&opening.source));
        let ready = self.ready.clone();
        let on_change = Box::new(move || ready.ring());
        let on_hello = hello::on_hello(&feed.name, &self.contract, &lane, self.hellos.as_ref());
        let spec = self.spec(feed);
        let supervisor = host::start(spec, lane.clone(), self.metrics.clone(), on_change, on_hello);
        Some(Feed { id: opening.source.id, configured: feed.clone(), lane, supervisor: Arc::new(supervisor) })
    }

    /// How a feed of this configuration is run.
    pub fn spec(&self, feed: &config::Feed) -> Spec {
        Spec::new(feed, &self.program, &self.warden)
    }

    /// A feed's source is another from now on.
    pub fn tell_contract(&self, opening: &Opening) {
        self.contract.open(hello::facts_of(&opening.source));
    }

    /// A feed runs on another node now: what it says is still known.
    pub fn rest(&self, feed: &str) {
        self.metrics.forget(feed);
        self.ready.ring();
    }

    /// A feed has ended for good.
    pub fn forget(&self, feed: &str) {
        self.contract.close(feed);
        self.metrics.forget(feed);
        self.ready.ring();
    }
}

impl Feeds {
    /// Those there are now.
    pub fn all(&self) -> Vec<Arc<Feed>> {
        self.lock().values().cloned().collect()
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Feed>> {
        self.lock().values().find(|feed| feed.configured.name == name).cloned()
    }

    pub fn add(&self, feed: Feed) {
        self.lock().insert(feed.id, Arc::new(feed));
    }

    /// One that was taken out could not be ended.
    pub fn put_back(&self, feed: Arc<Feed>) {
        self.lock().insert(feed.id, feed);
    }

    /// One that is there is configured so from now on.
    pub fn reconfigure(&self, id: SourceId, configured: &config::Feed) {
        if let Some(feed) = self.lock().get_mut(&id) {
            let (lane, supervisor) = (feed.lane.clone(), feed.supervisor.clone());
            *feed = Arc::new(Feed { id, configured: configured.clone(), lane, supervisor });
        }
    }

    pub fn remove(&self, id: SourceId) {
        self.lock().remove(&id);
    }

    /// Waits for the end of all of them. What is not over at `deadline` is killed.
    pub fn join(&self, deadline: Instant) {
        self.all().iter().for_each(|feed| feed.supervisor.join(deadline));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SourceId, Arc<Feed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
