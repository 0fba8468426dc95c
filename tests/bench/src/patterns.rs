//! Scenario l: what subscribers of `**` patterns cost, by how many topics those match.

use std::time::{Duration, Instant};

use crate::{
    cpu::CpuClock,
    daemon::{Daemon, FEED, Feed, Setup},
    error::Error,
    memory::resident_bytes,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
    wall,
    window::{self, Cost, QUIET},
};

/// The numbers of topics, as parts of the largest: each is twice the one before it.
const PARTS: [usize; 3] = [4, 2, 1];
/// What four times as many topics may cost more than four times as much.
const LINEAR: f64 = 1.3;
/// Ticks kept of each topic: two, so that the past is as long in every window.
const KEPT: usize = 2;
/// What a shard does between two looks at its beats may take so long, in milliseconds.
const TURN_MS: f64 = 5.0;
/// The bucket of the daemon's histogram below that.
const TURNS: [&str; 3] = [
    "tickerd_pattern_turn_seconds_sum",
    "tickerd_pattern_turn_seconds_count",
    "tickerd_pattern_turn_seconds_bucket{le=\"0.00390625\"}",
];
const ALL_WITHIN: Duration = Duration::from_secs(30);

/// What is delivered: each of the topics, once an interval, to all clients.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub clients: usize,
    pub topics: usize,
    pub interval: Duration,
}

/// How alike the subscribers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// All ask for the same pattern.
    Same,
    /// Each asks for a pattern of its own as well, so that no two are served from one list.
    Own,
}

impl Asks {
    fn names(self, client: usize) -> String {
        match self {
            Asks::Same => format!(r#""{FEED}.**""#),
            Asks::Own => format!(r#""{FEED}.**","{FEED}.own{client}.**""#),
        }
    }
}

/// What one number of topics cost.
#[derive(Debug, Clone, Copy)]
struct Figures {
    beat: Cost,
    /// Beyond a daemon that does nothing.
    grown: f64,
    /// Before anyone subscribed.
    topics_only: f64,
    /// What subscribing added.
    subscribed: f64,
    /// Until all had their answer.
    answered_ms: f64,
    /// The daemon's CPU for that.
    answered_cpu_ms: f64,
    /// How long a shard took for subscriptions, on average, before it looked at its beats again.
    turn_ms: f64,
    /// How often it took longer than the bucket of [`TURNS`].
    long_turns: f64,
}

pub fn run(id: Id, load: Load, options: &Options, report: &mut Report) -> Result<(), Error> {
    let Load { clients, topics, .. } = load;
    let sizes = PARTS.map(|part| topics / part);
    let mut same: [Vec<Figures>; 3] = Default::default();
    let mut own: [Vec<Figures>; 3] = Default::default();
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let idle = resident_bytes(Daemon::start(options, Setup::default())?.pid())? as f64;
        for (asks, all) in [(Asks::Same, &mut same), (Asks::Own, &mut own)] {
            for (figures, topics) in all.iter_mut().zip(sizes) {
                figures.push(measure(id, asks, Load { topics, ..load }, idle, options)?);
            }
        }
    }
    for (asks, all) in [("same", same), ("own", own)] {
        let [small, middle, large] = all;
        let of = |all: &[Figures], figure: fn(&Figures) -> f64| all.iter().map(figure).collect::<Vec<_>>();
        let scaled = |figure: fn(&Figures) -> f64, by: f64| -> Vec<f64> {
            small.iter().map(|f| figure(f) * by).collect()
        };
        let mut grows = |what: &str, unit, figure: fn(&Figures) -> f64, target: Option<f64>| {
            let [few, some, many] = sizes;
            report.add(Row::new(id, format!("{asks}: {what}, {few} topics"), unit, of(&small, figure)));
            let row = Row::new(id, format!("{asks}: {what}, {some} topics"), unit, of(&middle, figure));
            report.add(row.beside(scaled(figure, 2.0)));
            let row = Row::new(id, format!("{asks}: {what}, {many} topics"), unit, of(&large, figure));
            let row = row.beside(scaled(figure, 4.0));
            report.add(target.into_iter().fold(row, Row::ratio_at_most));
        };
        grows("CPU per beat", "ms", |f| f.beat.ms_per_beat(), Some(LINEAR));
        grows("memory", "MiB", |f| f.grown / (1 << 20) as f64, Some(LINEAR));
        grows("CPU to subscribe", "ms", |f| f.answered_cpu_ms, None);
        let mut tell = |what: &str, unit, figures: Vec<f64>| {
            report.add(Row::new(id, format!("{asks}: {what}"), unit, figures));
        };
        tell("CPU per message", "ns", of(&large, |f| f.beat.ns_per_message()));
        tell("until all are answered", "ms", of(&large, |f| f.answered_ms));
        let per_topic = |f: &Figures| f.topics_only / topics.max(1) as f64;
        tell("memory per topic", "B", large.iter().map(per_topic).collect());
        let per_subscription = |f: &Figures| f.subscribed / (topics * clients).max(1) as f64;
        tell("memory per topic and client", "B", large.iter().map(per_subscription).collect());
        let turn = format!("{asks}: turn of a shard with subscriptions");
        report.add(Row::new(id, turn, "ms", of(&large, |f| f.turn_ms)).at_most(TURN_MS));
        let long = format!("{asks}: turns of more than 3.9 ms");
        report.add(Row::new(id, long, "", of(&large, |f| f.long_turns)));
        let late = Row::new(id, format!("{asks}: late beats"), "", of(&large, |f| f.beat.late_beats));
        report.add(late.at_most(0.0));
    }
    Ok(())
}

fn measure(id: Id, asks: Asks, load: Load, idle: f64, options: &Options) -> Result<Figures, Error> {
    let Load { clients, topics, interval } = load;
    let feed = Feed { topics, interval };
    let daemon = Daemon::start(options, Setup { feed: Some(feed), kept: Some(KEPT), ..Setup::default() })?;
    let mut swarm = Swarm::new(daemon.address, Until::Connected)?;
    swarm.join(clients, Habit::Reads, |_| String::new())?;
    // As many beats as are kept, so that nothing but subscriptions grows from here on.
    let began = Instant::now();
    while daemon.metric("tickerd_history_ticks")? < (topics * KEPT) as f64 {
        if began.elapsed() > ALL_WITHIN {
            return Err(Error::Starved { scenario: id.letter(), arrived: 0, expected: topics as u64 });
        }
        swarm.run_until(Instant::now() + interval / 10)?;
    }
    let opens = Instant::now() + wall::until(wall::now(), interval, QUIET);
    swarm.run_until(opens)?;

    let clock = CpuClock::of(daemon.pid())?;
    let (cpu, before) = (clock.now()?, resident_bytes(daemon.pid())? as f64);
    let turns = || -> Result<[f64; 3], Error> {
        let [sum, count, short] = TURNS;
        Ok([daemon.metric(sum)?, daemon.metric(count)?, daemon.metric(short)?])
    };
    let turned = turns()?;
    let asked = Instant::now();
    for client in 0..clients {
        let names = asks.names(client);
        let command =
            format!(r#"{{"event":"subscribe","data":{{"id":1,"topics":[{names}],"snapshot":false}}}}"#);
        swarm.say(client, &command)?;
    }
    if !swarm.run_while(asked + ALL_WITHIN, |swarm| swarm.tally.subscribed == clients)? {
        let served = swarm.tally.subscribed;
        return Err(Error::NotServed { wanted: clients, served, waited: asked.elapsed() });
    }
    let answered_ms = asked.elapsed().as_secs_f64() * 1_000.0;
    let answered_cpu_ms = clock.now()?.saturating_sub(cpu).as_secs_f64() * 1_000.0;
    let after = resident_bytes(daemon.pid())? as f64;
    let [sum, count, short] = turns()?;
    let [sum, count, short] = [sum - turned[0], count - turned[1], short - turned[2]];

    let late = daemon.metric("tickerd_beats_late_total")?;
    let mut beat = window::measure(&[daemon.pid()], &mut swarm, interval, options, |_| Ok(None))?;
    beat.late_beats = daemon.metric("tickerd_beats_late_total")? - late;
    beat.check(id, clients * topics, options)?;
    Ok(Figures {
        beat,
        grown: beat.resident_bytes as f64 - idle,
        topics_only: before - idle,
        subscribed: after - before,
        answered_ms,
        answered_cpu_ms,
        turn_ms: sum * 1e3 / count.max(1.0),
        long_turns: count - short,
    })
}
