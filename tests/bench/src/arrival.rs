//! Scenario v: how long after a sample its tick is received when it is pushed on arrival, beside the floor's send loop; and
//! what a delivered message costs then, beside the same at beats.

use std::time::Instant;

use crate::{
    broadcast::{self, Link, Load, Terms},
    daemon::{Daemon, FEED, Feed, Setup},
    error::Error,
    latency::Latency,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
};

/// Bytes of a tick's frame, about.
const FRAME_BYTES: usize = 175;
/// Sample to socket, against the floor's send to socket.
const RATIO_AT_MOST: f64 = 1.3;

pub fn run(id: Id, one: &Load, many: &Load, options: &Options, report: &mut Report) -> Result<(), Error> {
    let [mut own, mut alone, mut beats, mut floors] = <[[Vec<f64>; 2]; 4]>::default();
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let keep = |kept: &mut [Vec<f64>; 2], ages: [f64; 2]| {
            kept.iter_mut().zip(ages).for_each(|(kept, age)| kept.push(age));
        };
        let size = one.topics * FRAME_BYTES;
        if repeat % 2 == 1 {
            keep(&mut floors, of_floor(id, one, size, options)?);
        }
        let arrival = Setup { arrival: true, ..Setup::default() };
        keep(&mut own, of_daemon(id, one, arrival, options)?);
        keep(&mut alone, of_daemon(id, one, Setup { one_shard: true, ..arrival }, options)?);
        keep(&mut beats, of_daemon(id, one, Setup::default(), options)?);
        if repeat % 2 == 0 {
            keep(&mut floors, of_floor(id, one, size, options)?);
        }
    }
    for ((((what, own), alone), beats), floor) in
        ["median", "p99"].iter().zip(own).zip(alone).zip(beats).zip(floors)
    {
        let row = Row::new(id, format!("{what} from the sample"), "ms", own).beside(floor.clone());
        report.add(row.ratio_at_most(RATIO_AT_MOST));
        let row = Row::new(id, format!("{what}, one sending thread"), "ms", alone).beside(floor.clone());
        report.add(row.ratio_at_most(RATIO_AT_MOST));
        report.add(Row::new(id, format!("{what} at beats"), "ms", beats).beside(floor));
    }
    let terms = |arrival| Terms { arrival, ..Terms::default() };
    broadcast::compare(id, many, [terms(true), terms(false)], options, report)
}

fn of_daemon(id: Id, load: &Load, setup: Setup, options: &Options) -> Result<[f64; 2], Error> {
    let feed = Feed { topics: load.topics, interval: load.interval };
    let daemon = Daemon::start(options, Setup { feed: Some(feed), ..setup })?;
    let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?;
    let names: Vec<_> = (0..load.topics).map(|topic| format!("{FEED}.T{topic}")).collect();
    swarm.join(load.clients, Habit::Reads, |_| format!("?topics={}", names.join(",")))?;
    ages_ms(id, &mut swarm, Latency::of_samples(load.interval), options)
}

fn of_floor(id: Id, load: &Load, bytes: usize, options: &Options) -> Result<[f64; 2], Error> {
    let floor = broadcast::start_floor(load, bytes, Link::Plain)?;
    let mut swarm = Swarm::new(floor.address, Until::Upgraded)?;
    swarm.join(load.clients, Habit::Reads, |_| String::new())?;
    ages_ms(id, &mut swarm, Latency::of_sends(load.interval), options)
}

fn ages_ms(id: Id, swarm: &mut Swarm, latency: Latency, options: &Options) -> Result<[f64; 2], Error> {
    swarm.run_until(Instant::now() + options.warm_up())?;
    swarm.tally.latency = Some(latency);
    swarm.run_until(Instant::now() + options.window())?;
    let quantiles = swarm.tally.latency.take().and_then(|latency| latency.quantiles_ms([0.5, 0.99]));
    quantiles.ok_or(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 })
}
