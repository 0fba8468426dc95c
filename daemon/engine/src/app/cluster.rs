//! This daemon as a node of a cluster: how the configuration becomes one, and what it does for the engine's `cluster`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use self::sections::{feed_of, feeds_of, room_of};
use super::hello;
use super::sources::by_first;
use super::words::{StartError, VERSION, WITHOUT_CLUSTER};
use super::works::{FEEDS_STOP, Works};
use crate::cluster::{self, Command, Plugins};
use crate::contract::Said;
use crate::control;
use crate::exchange::nodes::PulseSays;
use crate::fanout;
use crate::pulse::{self, Opening};
use crate::store::SavedTopic;
use tickerd_cluster::Era;
use tickerd_cluster::load::{About, Room};
use tickerd_config::{self as config, Config, Login, Role, Topic};
use tickerd_model::access::secret::Secret;
use tickerd_model::source::{Kind, Pace, Source, SourceId};
use tickerd_nats::SignIn;
use tokio::sync::{mpsc, oneshot};

mod sections;

/// This daemon's part in a cluster, for those who change the configuration.
pub struct Membership {
    pub shares: Arc<Shares>,
    pub handle: cluster::Handle,
}

impl Membership {
    /// A feed is configured so from now on. It may be new, or run here, or be followed, also without a section until now.
    pub fn configure(&self, works: &Works, feed: &config::Feed) -> Opening {
        let mut openings = self.shares.openings();
        let known = openings.get(&feed.name).map(|opening| (opening.source.id, opening.lane.clone()));
        let opening = match known {
            Some((id, Some(lane))) => works.sources.feed_as(Some(id), feed, &lane),
            _ => works.sources.feed(feed, &works.starter.lane(feed)),
        };
        put(&mut openings, works, &opening);
        drop(openings);
        self.handle.insist(Command::Open(feed_of(feed, &opening, Era::NONE)));
        opening
    }

    /// The same of the declared topics of one first segment. Their source.
    pub fn declare(&self, works: &Works, first: &str, topics: &[&Topic]) -> SourceId {
        let mut openings = self.shares.openings();
        let known = openings.get(first).map(|opening| opening.source.id);
        let opening = works.sources.room_as(known, first, topics);
        put(&mut openings, works, &opening);
        drop(openings);
        self.handle.insist(Command::Open(room_of(&opening, Era::NONE)));
        opening.source.id
    }

    /// A feed or a room was removed from it, if it was known here. Others may go on with it, and this node follows that then.
    pub fn remove(&self, works: &Works, feed: &str) {
        let mut openings = self.shares.openings();
        let Some(Opening { source, .. }) = openings.remove(feed) else { return };
        // A name is of one source: the old one goes before another may come.
        works.orders.close(source.id);
        drop(openings);
        self.handle.insist(Command::Close(source.id));
    }

    /// Whether a feed is followed, or run here.
    pub fn has(&self, feed: &str) -> bool {
        self.shares.openings().contains_key(feed)
    }
}

/// A feed or a room is so from now on. The pulse is told of one that it does not know; of another it hears from the cluster's thread,
/// which knows who holds it.
fn put(openings: &mut BTreeMap<String, Opening>, works: &Works, opening: &Opening) {
    let before = openings.insert((*opening.source.name).to_owned(), opening.clone());
    if before.is_none_or(|before| before.source.id != opening.source.id) {
        works.orders.open(opening.clone());
    }
}

/// The feeds of a cluster, those that run here and those that do not.
pub struct Shares {
    works: Weak<Works>,
    /// By name, as the pulse knows them.
    openings: Mutex<BTreeMap<String, Opening>>,
    /// What plugins of this node said of themselves, in JSON.
    hellos: hello::Hellos,
}

impl Shares {
    pub fn new(works: &Arc<Works>, openings: &[Opening], hellos: hello::Hellos) -> Shares {
        let by_name = openings.iter().map(|opening| ((*opening.source.name).to_owned(), opening.clone()));
        Shares { works: Arc::downgrade(works), openings: Mutex::new(by_name.collect()), hellos }
    }

    fn openings(&self) -> MutexGuard<'_, BTreeMap<String, Opening>> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opening(&self, feed: &str) -> Option<Opening> {
        self.openings().get(feed).cloned()
    }
}

impl Plugins for Shares {
    fn begin(&self, feed: &str) {
        let (Some(works), Some(opening)) = (self.works.upgrade(), self.opening(feed)) else { return };
        let configured = works.config().feeds.iter().find(|known| known.name == feed).cloned();
        if configured.is_none() {
            tracing::error!(feed, "this node holds the feed and has no [[feed]] of it; reload, or move it");
        }
        let started = configured.and_then(|configured| works.starter.start(&configured, &opening));
        started.into_iter().for_each(|feed| works.feeds.add(feed));
    }

    fn end(&self, feed: &str, ended: Box<dyn FnOnce() + Send>) {
        let works = self.works.upgrade();
        let found = works.as_ref().and_then(|works| works.feeds.find(feed));
        let (Some(works), Some(found)) = (works, found) else { return ended() };
        works.feeds.remove(found.id);
        found.supervisor.stop();
        let (name, feeds, again) = (feed.to_owned(), works.feeds.clone(), found.clone());
        let ending = std::thread::Builder::new().name("cluster-end".into()).spawn(move || {
            found.supervisor.join(Instant::now() + FEEDS_STOP);
            works.starter.rest(&name);
            ended();
        });
        if let Err(error) = ending {
            tracing::error!(feed, %error, "the end of the feed's plugin cannot be waited for; it is tried again");
            feeds.put_back(again);
        }
    }

    fn hear(&self, feed: &str, hello: &str) {
        let (Some(works), Some(opening)) = (self.works.upgrade(), self.opening(feed)) else { return };
        let (Ok(said), Some(lane)) = (serde_json::from_str::<Said>(hello), &opening.lane) else { return };
        works.starter.contract.open(hello::facts_of(&opening.source));
        // The holder's own log has what is wrong with it.
        hello::take(feed, said, &works.starter.contract, lane);
    }

    fn hello(&self, feed: &str) -> Option<Arc<str>> {
        self.hellos.get(feed)
    }

    fn open(&self, feed: &str) -> Option<cluster::Feed> {
        let works = self.works.upgrade()?;
        let mut openings = self.openings();
        if openings.contains_key(feed) {
            // It was added to the configuration just now, and the command comes.
            return None;
        }
        let opening = works.sources.followed(feed, &works.starter.bare_lane());
        put(&mut openings, &works, &opening);
        let source = opening.source;
        Some(cluster::Feed { source, nodes: None, may_hold: false, stored: Era::NONE, section: 0 })
    }

    fn close(&self, source: &Arc<Source>) -> bool {
        let Some(works) = self.works.upgrade() else { return false };
        let mut openings = self.openings();
        let known = openings.get(&*source.name);
        // What was configured since has another source of the same id.
        let is_it = known.is_some_and(|opening| Arc::ptr_eq(&opening.source, source));
        if is_it {
            openings.remove(&*source.name);
            works.orders.close(source.id);
            works.starter.forget(&source.name);
        }
        is_it
    }

    fn keys(&self) -> Option<Arc<dyn cluster::Keys>> {
        let keeper = self.works.upgrade()?.keeper.clone()?;
        Some(keeper)
    }

    fn epoch(&self, epoch: &str) {
        let Some(works) = self.works.upgrade() else { return };
        works.fanout.change(|now| fanout::Settings { epoch: epoch.to_owned(), ..now.clone() });
    }

    fn change(&self, source: &Arc<Source>) {
        let (Some(works), Some(opening)) = (self.works.upgrade(), self.opening(&source.name)) else { return };
        works.orders.change(Opening { source: source.clone(), ..opening });
    }

    fn source(&self, known: &Arc<Source>, about: &About) -> Source {
        let interval = Duration::from_millis(about.interval_ms.clamp(INTERVAL_MIN_MS, INTERVAL_MAX_MS));
        let works = self.works.upgrade();
        let tiers = works.map_or_else(|| known.tiers.clone(), |works| works.sources.tiers(interval));
        let known = (**known).clone();
        if !about.is_room {
            let pace = if about.is_paced { Pace::Arrival } else { Pace::Beat };
            return Source { tiers, pace, always: about.always, ..known };
        }
        let names = |wanted: fn(&&Room) -> bool| {
            let mut names: Vec<Box<str>> =
                about.rooms.iter().filter(wanted).map(|room| (*room.name).into()).collect();
            names.sort_unstable();
            names.into_boxed_slice()
        };
        let (only, publish) = (Some(names(|_| true)), names(|room| room.publish));
        Source { kind: Kind::Room, tiers, only, publish, ..known }
    }
}

const INTERVAL_MIN_MS: u64 = 10;
const INTERVAL_MAX_MS: u64 = 3_600_000;

/// A node that has a way to the others, or goes on looking for one.
pub struct Joined {
    room: cluster::Joined,
    /// The cluster's, if it could be had.
    pub epoch: Option<String>,
    /// How long beats of one instant wait for each other.
    pub join: Duration,
    /// This node's name.
    pub node: String,
}

/// Refuses `[cluster]` where the feature is missing.
pub fn check(config: &Config) -> Result<(), StartError> {
    if config.cluster.is_none() || cfg!(feature = "cluster") {
        return Ok(());
    }
    let change = "install tickerd's package, or build it with --features cluster, or delete [cluster]";
    Err(format!("{}; {change}", WITHOUT_CLUSTER).into())
}

/// Connects to the others. `wanted` becomes the cluster's epoch if it has none.
///
/// # Errors
/// A secret or a certificate could not be read.
pub fn join(section: &config::Cluster, wanted: &str) -> Result<Joined, StartError> {
    let wanted = (section.role == Role::Node).then(|| wanted.to_owned());
    let room = cluster::join(link_of(section), wanted)?;
    Ok(Joined { epoch: room.epoch.clone(), room, join: section.join, node: section.node.clone() })
}

/// The way to the pulse and back.
pub fn pulse_of(nodes: pulse::Nodes, says: mpsc::Receiver<PulseSays>) -> cluster::Pulse {
    cluster::Pulse { order: Box::new(move |order| nodes.order(order)), says }
}

impl Joined {
    /// Begins to hold and to follow feeds.
    pub fn start(
        self,
        works: &Arc<Works>,
        openings: &[Opening],
        stored: &HashMap<String, Era>,
        pulse: cluster::Pulse,
        standing: Arc<cluster::Standing>,
    ) -> Result<cluster::Running, StartError> {
        let config = works.config().clone();
        let Some(section) = &config.cluster else { return Err("there is no [cluster]".into()) };
        let hellos = works.starter.hellos.clone().unwrap_or_default();
        let shares = Arc::new(Shares::new(works, openings, hellos));
        let feeds = feeds_of(&config, openings, stored);
        let settings = settings_of(&config, section);
        let running = cluster::start(self.room, settings, feeds, pulse, shares.clone(), standing)?;
        works.keeper.iter().for_each(|keeper| keeper.begin(running.handle()));
        drop(works.membership.set(Membership { shares, handle: running.handle() }));
        Ok(running)
    }
}

/// The way to the NATS servers. The secret is read anew at each connection.
fn link_of(section: &config::Cluster) -> tickerd_nats::Settings {
    let read = |login: &Login| {
        let login = login.clone();
        let expose = |secret: Secret| secret.expose().to_owned();
        tickerd_nats::Secret::new(move || {
            tickerd_identity::of_node(&login).map(expose).map_err(|error| error.to_string())
        })
    };
    let sign_in = match &section.login {
        None => SignIn::Nobody,
        Some(login @ Login::Credentials(_)) => SignIn::Credentials(read(login)),
        Some(login @ Login::User { user, .. }) => {
            SignIn::Password { user: user.clone(), password: read(login) }
        }
    };
    tickerd_nats::Settings {
        servers: section.nats.iter().map(ToString::to_string).collect(),
        cluster: section.name.clone(),
        node: section.node.clone(),
        sign_in,
        ca: section.ca.clone(),
        certificate: section.certificate.clone().zip(section.key.clone()),
    }
}

/// How this node is configured.
fn settings_of(config: &Config, section: &config::Cluster) -> cluster::Settings {
    let shares = config.feeds.len() + by_first(&config.topics).len();
    cluster::Settings {
        cluster: section.name.clone(),
        node: section.node.clone(),
        is_edge: section.role == Role::Edge,
        feeds: section.feeds.as_ref().map(|feeds| feeds.iter().cloned().collect()),
        kept: config.history.bytes / shares.max(KEPT_SHARES_MIN),
        version: VERSION.into(),
    }
}

/// A feed keeps at most this part of what the past may take, for nodes that missed beats.
const KEPT_SHARES_MIN: usize = 4;

/// By first segment, the greatest era of the numbers of an earlier run.
pub fn greatest_eras(saved: &[SavedTopic]) -> HashMap<String, Era> {
    let mut eras = HashMap::new();
    for topic in saved {
        let first = tickerd_model::topic::first_segment(topic.newest.topic.name()).to_owned();
        let era = Era::of_seq(topic.newest.seq).unwrap_or(Era::NONE);
        let known = eras.entry(first).or_insert(era);
        *known = era.max(*known);
    }
    eras
}

/// What the operator may command of the cluster, which begins a moment later.
pub fn commands(
    standing: &Arc<cluster::Standing>,
    handle: &Arc<OnceLock<cluster::Handle>>,
) -> control::Cluster {
    let (standing, moves, drains) = (standing.clone(), handle.clone(), handle.clone());
    control::Cluster {
        rows: Arc::new(move || standing.rows()),
        hand_over: Arc::new(move |feed, node| {
            let (done, moving) = oneshot::channel();
            moves.get()?.command(Command::Move { feed, to: Some(node), done }).then_some(moving)
        }),
        drain: Arc::new(move || {
            let (done, moving) = oneshot::channel();
            drains.get()?.command(Command::Drain { max: cluster::MOVE_MAX, done }).then_some(moving)
        }),
    }
}
