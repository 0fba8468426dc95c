//! What a delivered message costs in CPU time: in scenarios a to d, n and o beside the floor; in another encoding (i to k)
//! beside the same as JSON in text frames; with the daemon's own TLS beside nginx (q); with many sets of rights beside one (r).

use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::index};
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, FEED, Feed, Setup},
    dialect::Dialect,
    error::Error,
    nginx::Nginx,
    options::Options,
    report::{Report, Row},
    rights,
    scenario::Id,
    server::Server,
    subscriber::{Habit, Until},
    swarm::Swarm,
    tls,
    window::{self, Cost},
};

/// Subscriptions are random, but the same in every run.
const SEED: u64 = 8_425;
const CHURN_EVERY: Duration = Duration::from_millis(5);

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    #[default]
    Plain,
    /// The daemon's own TLS.
    Tls,
    /// nginx speaks TLS, and plainly with the daemon. Its cost counts too.
    Nginx,
}

/// On what terms subscribers come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    pub dialect: Dialect,
    pub link: Link,
    /// They have tokens, with so many different sets of rights.
    pub rights: Option<usize>,
    /// The feed is pushed on arrival.
    pub arrival: bool,
}

/// What is delivered to whom, and how often.
#[derive(Debug)]
pub struct Load {
    pub clients: usize,
    pub topics: usize,
    /// Each client its own random choice of this many; all topics to all when `None`.
    pub own: Option<usize>,
    pub interval: Duration,
    /// Topics exchanged for others per second, over all clients.
    pub churn_per_s: usize,
    pub ratio_at_most: Option<f64>,
}

impl Load {
    fn per_client(&self) -> usize {
        self.own.unwrap_or(self.topics)
    }

    fn choose(&self) -> Vec<Vec<usize>> {
        let mut rng = StdRng::seed_from_u64(SEED);
        let choice = |_| index::sample(&mut rng, self.topics, self.per_client()).into_vec();
        (0..self.clients).map(choice).collect()
    }
}

/// Beside the floor, which encrypts if the daemon does.
pub fn run(id: Id, load: &Load, link: Link, options: &Options, report: &mut Report) -> Result<(), Error> {
    let terms = Terms { link, ..Terms::default() };
    let (mut daemon, mut floor) = (Vec::new(), Vec::new());
    // The floor sends what the daemon was seen to send, so the daemon comes first; later repeats take turns.
    let mut size = None;
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        if let Some(bytes) = size.filter(|_| repeat % 2 == 1) {
            floor.push(of_floor(load, bytes, link, options)?);
        }
        let cost = of_daemon(id, load, terms, options)?;
        let bytes = cost.tick_bytes as f64 / cost.ticks.max(1) as f64 * load.per_client() as f64;
        size = Some(bytes.round() as usize);
        daemon.push(cost);
        if floor.len() < daemon.len() {
            floor.push(of_floor(load, bytes.round() as usize, link, options)?);
        }
    }
    let figures = |costs: &[Cost], figure: fn(&Cost) -> f64| costs.iter().map(figure).collect::<Vec<_>>();
    let row = Row::new(id, "CPU per message", "ns", figures(&daemon, Cost::ns_per_message));
    let row = row.beside(figures(&floor, Cost::ns_per_message));
    report.add(load.ratio_at_most.into_iter().fold(row, Row::ratio_at_most));
    let row = Row::new(id, "CPU per beat", "ms", figures(&daemon, Cost::ms_per_beat));
    report.add(row.beside(figures(&floor, Cost::ms_per_beat)));
    report.add(Row::new(id, "memory", "MiB", figures(&daemon, Cost::mib)).beside(figures(&floor, Cost::mib)));
    let late = Row::new(id, "late beats", "", figures(&daemon, |cost| cost.late_beats));
    report.add(if id == Id::D { late.at_most(0.0) } else { late });
    Ok(())
}

/// The same load on two terms, in turns.
pub fn compare(
    id: Id,
    load: &Load,
    [terms, reference]: [Terms; 2],
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let (mut costs, mut references) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        if repeat % 2 == 1 {
            references.push(of_daemon(id, load, reference, options)?);
        }
        costs.push(of_daemon(id, load, terms, options)?);
        if references.len() < costs.len() {
            references.push(of_daemon(id, load, reference, options)?);
        }
    }
    let figures = |costs: &[Cost], figure: fn(&Cost) -> f64| costs.iter().map(figure).collect::<Vec<_>>();
    let beside = |what, unit, figure: fn(&Cost) -> f64| {
        Row::new(id, what, unit, figures(&costs, figure)).beside(figures(&references, figure))
    };
    let row = beside("CPU per message", "ns", Cost::ns_per_message);
    report.add(load.ratio_at_most.into_iter().fold(row, Row::ratio_at_most));
    report.add(beside("bytes per message", "B", |cost| cost.tick_bytes as f64 / cost.ticks.max(1) as f64));
    report.add(beside("memory", "MiB", Cost::mib));
    Ok(())
}

/// What the daemon spends.
pub fn of_daemon(id: Id, load: &Load, terms: Terms, options: &Options) -> Result<Cost, Error> {
    let feed = Feed { topics: load.topics, interval: load.interval };
    let tls = terms.link == Link::Tls;
    let setup = Setup {
        feed: Some(feed),
        tls,
        auth: terms.rights.is_some(),
        arrival: terms.arrival,
        ..Setup::default()
    };
    let daemon = Daemon::start(options, setup)?;
    let proxy = (terms.link == Link::Nginx).then(|| Nginx::start(daemon.address)).transpose()?;
    let address = proxy.as_ref().map_or(daemon.address, |nginx| nginx.address);
    let pids: Vec<u32> = proxy.iter().map(Nginx::pid).chain([daemon.pid()]).collect();
    let mut topics = load.choose();
    let mut swarm = Swarm::new(address, Until::Subscribed)?.speaking(terms.dialect);
    if terms.link != Link::Plain {
        swarm = swarm.over_tls()?;
    }
    swarm.join(load.clients, Habit::Reads, |client| {
        let topics = topics.get(client).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<_> = topics.iter().map(|topic| format!("{FEED}.T{topic}")).collect();
        let token = terms.rights.map(|sets| format!("&token={}", rights::token(client, sets)));
        format!("?topics={}{}", names.join(","), token.unwrap_or_default())
    })?;
    let late = |daemon: &Daemon| daemon.metric("tickerd_beats_late_total");
    let before = late(&daemon)?;
    let mut churn = Churn::new(load, &mut topics);
    let mut cost = window::measure(&pids, &mut swarm, load.interval, options, |swarm| churn.next(swarm))?;
    cost.late_beats = late(&daemon)? - before;
    cost.check(id, load.clients * load.per_client(), options)?;
    Ok(cost)
}

fn of_floor(load: &Load, bytes: usize, link: Link, options: &Options) -> Result<Cost, Error> {
    let floor = start_floor(load, bytes, link)?;
    let mut swarm = Swarm::new(floor.address, Until::Upgraded)?;
    if link == Link::Tls {
        swarm = swarm.over_tls()?;
    }
    swarm.join(load.clients, Habit::Reads, |_| String::new())?;
    window::measure(&[floor.pid()], &mut swarm, load.interval, options, |_| Ok(None))
}

/// A floor that runs.
pub struct RunningFloor {
    server: Server,
    pub address: SocketAddr,
    _folder: TempDir,
}

impl RunningFloor {
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// Starts a floor that sends so many bytes to each client at each beat.
pub fn start_floor(load: &Load, bytes: usize, link: Link) -> Result<RunningFloor, Error> {
    let own = env::current_exe().map_err(Error::io("finding this program"))?;
    let arguments = [
        ("--clients", load.clients),
        ("--frames", load.per_client()),
        ("--bytes", bytes),
        ("--interval-ms", load.interval.as_millis() as usize),
    ];
    let arguments = arguments.iter().flat_map(|(name, value)| [(*name).into(), value.to_string().into()]);
    let mut arguments: Vec<OsString> = ["floor".into()].into_iter().chain(arguments).collect();
    if load.per_client() < load.topics {
        arguments.extend(["--of".into(), load.topics.to_string().into()]);
    }
    let folder = TempDir::new().map_err(Error::io("a scratch folder"))?;
    if link == Link::Tls {
        tls::write(folder.path())?;
        arguments.extend(["--tls".into(), folder.path().into()]);
    }
    let mut server = Server::start("floor", &own, &arguments)?;
    let address: SocketAddr = server.announced("listening on ")?;
    Ok(RunningFloor { server, address, _folder: folder })
}

/// What a server spends that compresses the same for each client in a context of its own.
pub fn of_contexts(load: &Load, options: &Options) -> Result<Cost, Error> {
    let own = env::current_exe().map_err(Error::io("finding this program"))?;
    let arguments = [
        ("--clients", load.clients),
        ("--frames", load.topics),
        ("--bytes", 0),
        ("--interval-ms", load.interval.as_millis() as usize),
    ];
    let arguments = arguments.iter().flat_map(|(name, value)| [(*name).into(), value.to_string().into()]);
    let arguments: Vec<OsString> =
        ["floor".into(), "--contexts".into()].into_iter().chain(arguments).collect();
    let mut server = Server::start("contexts", &own, &arguments)?;
    let address: SocketAddr = server.announced("listening on ")?;
    let mut swarm = Swarm::new(address, Until::Upgraded)?.speaking(Dialect::Shared);
    swarm.join(load.clients, Habit::Reads, |_| String::new())?;
    window::measure(&[server.pid()], &mut swarm, load.interval, options, |_| Ok(None))
}

/// Clients that exchange one of their topics for another, at a steady rate.
struct Churn<'a> {
    load: &'a Load,
    topics: &'a mut [Vec<usize>],
    rng: StdRng,
    started: Instant,
    done: usize,
}

impl<'a> Churn<'a> {
    fn new(load: &'a Load, topics: &'a mut [Vec<usize>]) -> Self {
        Self { load, topics, rng: StdRng::seed_from_u64(SEED), started: Instant::now(), done: 0 }
    }

    /// Sends what has become due; answers when to come back.
    fn next(&mut self, swarm: &mut Swarm) -> Result<Option<Instant>, Error> {
        let due = (self.started.elapsed().as_secs_f64() * self.load.churn_per_s as f64) as usize;
        while self.done < due {
            self.done += 1;
            let client = self.rng.random_range(0..self.load.clients.max(1));
            let new = self.rng.random_range(0..self.load.topics.max(1));
            let slot = self.rng.random_range(0..self.load.per_client().max(1));
            let Some(own) = self.topics.get_mut(client) else { continue };
            if own.contains(&new) {
                continue;
            }
            let Some(slot) = own.get_mut(slot) else { continue };
            let old = std::mem::replace(slot, new);
            swarm.say(client, &command("unsubscribe", old))?;
            swarm.say(client, &command("subscribe", new))?;
        }
        Ok((self.load.churn_per_s > 0).then(|| Instant::now() + CHURN_EVERY))
    }
}

fn command(event: &str, topic: usize) -> String {
    format!(r#"{{"event":"{event}","data":{{"id":1,"topics":["{FEED}.T{topic}"]}}}}"#)
}
