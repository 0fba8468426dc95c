//! The composition root: builds everything, then runs it. The only room that sees all others.
//!
//! Order matters and is all here. Building: what can fail because of the configuration or the machine fails before a
//! client sees anything. Running: feeds, pulse, shards, then the server that brings clients. Stopping, the other way
//! round along a tick's way: no new clients, no new samples, a last beat, `closing` and 1012 to all.

mod access;
mod cluster;
mod config_file;
mod documents;
mod feeds;
mod hello;
mod operator;
mod past;
mod rates;
mod readiness;
mod reloader;
mod shards;
mod sources;
mod words;
mod works;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use prometheus::Registry;

use self::access::Keeper;
pub use self::config_file::ConfigFile;
use self::config_file::Record;
use self::feeds::{Feed, Feeds, Starter};
use self::rates::Rates;
use self::reloader::Reloader;
use self::sources::Sources;
pub use self::words::{StartError, VERSION};
use self::works::{FEEDS_STOP, Works};
use crate::admin::{self, Admin};
use crate::contract::Contract;
use crate::control::{self, Control};
use crate::exchange::access::Judge;
use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::PulseAsker;
use crate::exchange::limit::Tally;
use crate::fanout::{self, Fanout};
pub use crate::listen::error::Error as ListenError;
pub use crate::listen::passed::Passed;
use crate::metrics;
use crate::pulse;
use crate::server::{self, Server};
use crate::store::Writer;
use crate::systemd;
use tickerd_config::{self as config, Config, Places};
use tickerd_host::{self as host, Warden};
use tickerd_identity::{AdminToken, Keyring};
use tickerd_model::wire::signature::Sign;
use tickerd_process::Bell;

/// READY waits this long for feeds to speak; one that has not by then is not waited for.
const FIRST_WORDS: Duration = Duration::from_secs(10);

/// A daemon with its addresses, not serving yet.
pub struct App {
    config: Config,
    registry: Arc<Registry>,
    server: Server,
    admin: Admin,
    control: Option<Control>,
    admin_token: Option<Arc<AdminToken>>,
    keeper: Option<Arc<Keeper>>,
    tally: Arc<Tally>,
    keyring: Option<Arc<Keyring>>,
    process: metrics::Process,
    program: Option<PathBuf>,
    commit: String,
    file: Option<(ConfigFile, Places, Option<String>)>,
}

/// A daemon that serves.
pub struct Running {
    works: Arc<Works>,
    reloader: Arc<Reloader>,
    server: server::Running,
    admin: admin::Running,
    control: Option<control::Running>,
    /// The service manager was told that this is ready.
    announced: Arc<AtomicBool>,
    /// There where this daemon is a node of a cluster.
    nodes: Option<crate::cluster::Running>,
    pulse: pulse::Running,
    fanout: Fanout,
}

impl App {
    /// Said of `[cluster]` where the feature `cluster` is missing.
    pub const WITHOUT_CLUSTER: &str = words::WITHOUT_CLUSTER;

    /// Binds what is configured. `commit` is what this was built from.
    pub fn build(config: Config, passed: Passed, commit: &str) -> Result<App, StartError> {
        cluster::check(&config)?;
        let registry = metrics::registry(VERSION, commit)?;
        let process = metrics::Process::new(&registry)?;
        let keeper = access::open(&config, &registry)?;
        let keyring = config.server.signing.as_ref().map(Keyring::open).transpose()?.map(Arc::new);
        let admin_token = config.server.admin_token.as_ref().map(AdminToken::open).transpose()?;
        let tally = Arc::new(Tally::new(&registry, &config.server.limits.dry_run)?);
        let metrics = Arc::new(server::Metrics::new(&registry)?);
        let server = Server::bind(config.server.clone(), passed, metrics, tally.clone())?;
        let config::Listen::Tcp(address) = &config.server.admin else {
            return Err("server.admin must be an address and a port, such as 127.0.0.1:8426".into());
        };
        let certificates =
            server.renewal().filter(|_| config.server.tls.as_ref().is_some_and(|tls| tls.admin));
        let certificates = certificates.map(|renewal| renewal.certificates());
        let admin = Admin::bind(*address, config.server.hosts.clone(), certificates)?;
        let control = Control::open(&config.server.admin_socket)?;
        Ok(App {
            config,
            registry: Arc::new(registry),
            server,
            admin,
            control,
            admin_token: admin_token.map(Arc::new),
            keeper,
            tally,
            keyring,
            process,
            program: None,
            commit: commit.to_owned(),
            file: None,
        })
    }

    /// Has feeds' processes started with this executable of tickerd, and not with the one that runs.
    pub fn with_program(self, program: PathBuf) -> App {
        App { program: Some(program), ..self }
    }

    /// Can read its configuration again. `places` and `hash` are of what it is built of.
    pub fn with_file(self, file: ConfigFile, places: Places, hash: Option<String>) -> App {
        App { file: Some((file, places, hash)), ..self }
    }

    /// Starts everything. What the caller prints for people is in [`Running::addresses`].
    pub fn start(self) -> Result<Running, StartError> {
        let App { config, registry, server, admin, control, admin_token, keeper, tally, .. } = self;
        let App { keyring, process, program, commit, file, .. } = self;
        let name = file.as_ref().map(|(file, ..)| file.name.clone());
        let (file, loaded) =
            file.map_or((None, None), |(file, places, hash)| (Some(file), Some((places, hash))));
        let record = Arc::new(Record::new(file.clone(), loaded, &registry)?);
        let judge = keeper.clone().map(|keeper| keeper as Arc<dyn Judge>);
        let fanout_metrics = Arc::new(fanout::metrics::Metrics::new(&registry)?);
        let past::Opened { epoch: own_epoch, saved, mut past } = past::open(&config, &registry)?;
        // In a cluster, what `connected` tells is the cluster's; the feeds' numbers have epochs of their own.
        let joined = config.cluster.as_ref().map(|section| cluster::join(section, &own_epoch)).transpose()?;
        let epoch =
            joined.as_ref().and_then(|joined| joined.epoch.clone()).unwrap_or_else(|| own_epoch.clone());
        let stored = cluster::greatest_eras(&saved);
        let store = past.writer.as_ref().map(Writer::standing);
        let bell = Arc::new(Bell::default());
        let rung = bell.clone();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || rung.ring());
        let (fanout, outlet) = Fanout::start(
            shards::count(&config),
            shards::settings(&config, &epoch, judge.clone(), tally),
            fanout_metrics.clone(),
            wake.clone(),
        )?;

        let program = program.map_or_else(std::env::current_exe, Ok)?;
        let feed_metrics = Arc::new(host::Metrics::new());
        feed_metrics.register(&registry)?;
        let starter = Starter {
            bell: bell.clone(),
            ready: Arc::default(),
            metrics: feed_metrics,
            contract: Arc::new(Contract::new(documents::facts(&server.open().addresses(), &config.bars))),
            warden: Arc::new(Warden::new(program.clone())),
            program,
            hellos: joined.as_ref().map(|_| hello::Hellos::default()),
        };
        let signer = keyring.clone().map(|keyring| keyring as Arc<dyn Sign>);
        let sources = Sources::new(&config, &own_epoch, signer);
        let openings: Vec<_> =
            config.feeds.iter().map(|feed| sources.feed(feed, &starter.lane(feed))).collect();
        let feeds = Arc::new(Feeds::default());
        let rooms = sources.rooms(&config.topics);
        let room_ids = rooms.iter().map(|room| ((*room.source.name).to_owned(), room.source.id)).collect();
        let own = sources.own(&config.bars);
        let all: Vec<_> = openings.iter().chain(&rooms).cloned().chain([own]).collect();
        let shared: Vec<_> = openings.iter().cloned().chain(rooms).collect();
        past.restored = past::restored(saved, &all);
        let (pulse_asker, asked) = PulseAsker::new(wake);
        let nodes = joined.as_ref().map(|joined| pulse::NodePort::new(&bell, &joined.node, joined.join));
        let (nodes, port) = nodes.map(|(nodes, says, port)| (cluster::pulse_of(nodes, says), port)).unzip();
        let parts = pulse::Parts {
            past,
            stats: pulse::Stats::new(fanout_metrics.connections.clone()),
            enquiries: pulse::Enquiries::new(asked),
            outlet,
            bell,
            metrics: pulse::Metrics::new(&registry)?,
            nodes: port,
        };
        let topics = parts.metrics.topics.clone();
        let pulse = pulse::start(all, parts)?;
        // In a cluster, who runs a feed is found out first.
        for (feed, opening) in config.feeds.iter().zip(&openings).filter(|_| joined.is_none()) {
            starter.start(feed, opening).into_iter().for_each(|feed| feeds.add(feed));
        }

        let asker = fanout.asker(pulse_asker);
        let standing =
            joined.as_ref().map(|_| crate::cluster::Standing::new(&registry)).transpose()?.map(Arc::new);
        let (renewal, scraped) = (server.renewal(), record.clone());
        let (announced, is_stopping) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let looked_at = readiness::Parts {
            feeds: feeds.clone(),
            store,
            renewal: renewal.clone(),
            keeper: keeper.clone(),
            record: record.clone(),
            cluster: standing.clone(),
            started: Instant::now(),
            is_stopping: is_stopping.clone(),
        };
        let readiness: Arc<dyn Fn() -> _ + Send + Sync> = Arc::new(move || looked_at.judge());
        let parts = reloader::Parts {
            file,
            record,
            admin_token: admin_token.clone(),
            keyring: keyring.clone(),
            announced: announced.clone(),
        };
        let (reloader, begin) = Reloader::start(parts)?;
        let told = fanout.settings();
        let facts = operator::Facts {
            commit,
            epoch: Box::new(move || told.get().epoch.clone()),
            config: name,
            started: Instant::now(),
            open: server.open(),
            admin: admin.url(),
            clients: fanout_metrics.connections.clone(),
            lagging: fanout_metrics.connections_lagging.clone(),
            topics,
            readiness: readiness.clone(),
        };
        let rates = Arc::new(Rates::default());
        let handle = Arc::new(OnceLock::new());
        let in_cluster = standing.as_ref().map(|standing| cluster::commands(standing, &handle));
        let commands = operator::commands(&feeds, &rates, keeper.clone(), asker.clone(), &reloader, facts);
        let commands = control::Commands { cluster: in_cluster, ..commands };
        let admin = admin.start(admin::Sources {
            gate: Arc::new(admin::Gate::new(&registry, access::operators(admin_token, keeper.clone()))?),
            registry,
            commands: commands.clone(),
            refresh: Arc::new(move || {
                process.refresh();
                scraped.refresh();
            }),
            readiness,
            each_second: rates.looker(&feeds),
        })?;
        let control = control.map(|control| control.start(commands)).transpose()?;
        let intake = fanout.intake();
        let server = server.start(
            Arc::new(move |arrival: Arrival| intake.place(arrival)),
            Arc::new(move |code| fanout_metrics.count_close(code.code())),
            asker,
            shards::ways(&config),
            judge,
            documents::documents(starter.contract.clone(), feeds.clone(), keyring.clone()),
        )?;
        let works = Arc::new(Works {
            config: Mutex::new(config),
            sources,
            starter,
            feeds,
            rooms: Mutex::new(room_ids),
            orders: pulse.orders(),
            fanout: fanout.settings(),
            server: server.handle(),
            keeper,
            renewal,
            membership: OnceLock::new(),
            is_stopping,
        });
        let nodes = match (joined, nodes, standing) {
            (Some(joined), Some(nodes), Some(standing)) => {
                Some(joined.start(&works, &shared, &stored, nodes, standing)?)
            }
            _ => None,
        };
        nodes.iter().for_each(|running| _ = handle.set(running.handle()));
        begin.with(&works);
        Ok(Running { works, reloader, server, admin, control, announced, nodes, pulse, fanout })
    }
}

impl Running {
    /// Where clients connect, and where the admin listener is.
    pub fn addresses(&self) -> (Vec<String>, String) {
        (self.server.addresses().iter().map(ToString::to_string).collect(), self.admin.url())
    }

    /// Waits until every feed has spoken or failed, or [`FIRST_WORDS`] are over, then tells the service manager.
    /// `stopped` ends the wait.
    pub fn announce(&self, stopped: impl Fn() -> bool) {
        let deadline = Instant::now() + FIRST_WORDS;
        let settled = |feed: &Arc<Feed>| feed.supervisor.has_spoken() || feed.supervisor.has_failed();
        let Works { starter, feeds, .. } = &*self.works;
        starter.ready.wait_until(Some(deadline), || stopped() || feeds.all().iter().all(settled));
        let feeds = feeds.all();
        let spoken = feeds.iter().filter(|feed| feed.supervisor.has_spoken()).count();
        // Before READY, since someone may reload as soon as that is told.
        self.announced.store(true, Ordering::Release);
        systemd::ready(&format!("{spoken} of {} feeds have spoken", feeds.len()));
    }

    /// Waits until `stopped`, which is asked whenever [`Running::waker`] is called.
    pub fn wait(&self, stopped: impl Fn() -> bool) {
        self.works.starter.ready.wait_until(None, stopped);
    }

    /// Wakes [`Running::announce`] and [`Running::wait`].
    pub fn waker(&self) -> impl Fn() + Send + use<> {
        let ready = self.works.starter.ready.clone();
        move || ready.ring()
    }

    /// What SIGHUP does: the configuration is read again, and what changed of it is applied; feeds that wait to be tried again
    /// are tried now; the certificate, secrets, keys and plugin files that have changed are read again. The service manager is
    /// told that this reloads, and that it is ready again.
    pub fn retrier(&self) -> impl Fn() + Send + use<> {
        let reloader = self.reloader.clone();
        move || reloader.hangup()
    }

    /// Tells the service manager's watchdog that all is well, for as long as the pulse, every shard and the cluster look around.
    pub fn watch(&self) {
        let Some(interval) = systemd::watchdog_interval() else { return };
        let nodes = self.nodes.iter().map(crate::cluster::Running::turns);
        let turns: Vec<_> =
            std::iter::once(self.pulse.turns()).chain(self.fanout.turns()).chain(nodes).collect();
        let watching = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut seen = vec![u64::MAX; turns.len()];
            loop {
                let now: Vec<u64> = turns.iter().map(|t| t.load(Ordering::Relaxed)).collect();
                // Each has looked around since the watchdog was told last. That need not be within one interval.
                if now.iter().zip(&seen).all(|(now, seen)| now != seen) {
                    systemd::alive();
                    seen = now;
                }
                std::thread::sleep(interval);
            }
        });
        if let Err(error) = watching {
            tracing::error!(%error, "the watchdog cannot be fed; the service manager will restart this process");
        }
    }

    /// Stops in order. It takes at most the drain time, the time that feeds have to end, and what writing the last of the
    /// past to disk takes.
    pub fn stop(self) {
        self.works.is_stopping.store(true, Ordering::Release);
        systemd::stopping(self.works.config().server.drain);
        // Others take over while this node's clients are still served.
        self.nodes.iter().for_each(crate::cluster::Running::drain);
        self.server.stop();
        self.works.feeds.all().iter().for_each(|feed| feed.supervisor.stop());
        // What the feeds have said goes out; what they say while they stop does not.
        self.nodes.into_iter().for_each(crate::cluster::Running::stop);
        let writer = self.pulse.stop();
        self.fanout.stop();
        self.server.join();
        writer.into_iter().for_each(Writer::join);
        let deadline = Instant::now() + FEEDS_STOP;
        drop((self.admin, self.control));
        self.works.feeds.join(deadline);
    }

    /// Starts one feed more. Those that run, and their subscribers, do not notice it. It waits, so it is not for a thread of a tokio
    /// runtime.
    ///
    /// # Errors
    /// A source has that name already.
    pub fn add_feed(&self, feed: &config::Feed) -> Result<(), StartError> {
        self.works.add_feed(feed).map_err(Into::into)
    }

    /// Ends a feed, and its topics with it; its subscribers are told. Whether there was one of that name. It waits, as
    /// `add_feed` does.
    pub fn remove_feed(&self, name: &str) -> bool {
        self.works.remove_feed(name)
    }
}
