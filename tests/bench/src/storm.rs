//! Scenario s: what many clients that shake hands at once cost those who are there. Scenario z: what each of them costs when
//! all come back.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    broadcast::{self, Link, Load},
    cpu::CpuClock,
    daemon::{Daemon, FEED, Feed, Setup},
    error::Error,
    latency::Latency,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
};

const TOPICS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(100);
/// The others' p99 may be so many times that of quiet.
const RATIO: f64 = 2.0;

/// `readers` read live ticks over TLS while `size` clients come over TLS.
pub fn run(id: Id, [readers, size]: [usize; 2], options: &Options, report: &mut Report) -> Result<(), Error> {
    for paced in [true, false] {
        storm(id, [readers, size], paced, options, report)?;
    }
    Ok(())
}

/// At the daemon's default pace, or as fast as they can. The goal is for the first.
fn storm(
    id: Id,
    [readers, size]: [usize; 2],
    paced: bool,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let pace = if paced { "" } else { ", unpaced" };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut took, mut late) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let feed = Feed { topics: TOPICS, interval: INTERVAL };
        let daemon =
            Daemon::start(options, Setup { feed: Some(feed), tls: true, paced, ..Setup::default() })?;
        let mut reading = Swarm::new(daemon.address, Until::Subscribed)?.over_tls()?;
        let names: Vec<_> = (0..TOPICS).map(|topic| format!("{FEED}.T{topic}")).collect();
        reading.join(readers, Habit::Reads, |_| format!("?topics={}", names.join(",")))?;
        reading.run_until(Instant::now() + options.warm_up())?;
        without
            .push(ages_ms(id, &mut reading, |reading| reading.run_until(Instant::now() + options.window()))?);

        let before = daemon.metric("tickerd_beats_late_total")?;
        let began = Instant::now();
        with.push(ages_ms(id, &mut reading, |reading| meanwhile(reading, || come(&daemon, size)))?);
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        late.push(daemon.metric("tickerd_beats_late_total")? - before);
    }
    let of = |all: &[[f64; 2]], at: usize| all.iter().filter_map(|ages| ages.get(at).copied()).collect();
    for (at, what, target) in
        [(0, "others' median after the beat", None), (1, "others' p99 after the beat", Some(RATIO))]
    {
        let row = Row::new(id, format!("{what}{pace}"), "ms", of(&with, at)).beside(of(&without, at));
        report.add(target.filter(|_| paced).into_iter().fold(row, Row::ratio_at_most));
    }
    report.add(Row::new(id, format!("until all are in{pace}"), "ms", took));
    report.add(Row::new(id, format!("late beats{pace}"), "", late).at_most(0.0));
    Ok(())
}

/// All come at once, to a daemon that has just begun, and have their snapshots; and the same handshakes with a floor that only
/// accepts, reads and answers.
pub fn again(id: Id, size: usize, options: &Options, report: &mut Report) -> Result<(), Error> {
    let [mut greeted, mut floors, mut served, mut took, mut late] = <[Vec<f64>; 5]>::default();
    let names: Vec<_> = (0..TOPICS).map(|topic| format!("{FEED}.T{topic}")).collect();
    let topics = format!("?topics={}", names.join(","));
    let per_client_us = |cpu: Duration| cpu.as_secs_f64() * 1e6 / size.max(1) as f64;
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let daemon = Daemon::start(options, Setup::default())?;
        let mut swarm = Swarm::new(daemon.address, Until::Connected)?;
        greeted
            .push(per_client_us(spent(daemon.pid(), || swarm.join(size, Habit::Reads, |_| String::new()))?));
        drop((swarm, daemon));

        let load = Load {
            clients: size,
            topics: 1,
            own: None,
            interval: Duration::from_secs(3_600),
            churn_per_s: 0,
            ratio_at_most: None,
        };
        let floor = broadcast::start_floor(&load, 1, Link::Plain)?;
        let mut swarm = Swarm::new(floor.address, Until::Upgraded)?;
        floors.push(per_client_us(spent(floor.pid(), || swarm.join(size, Habit::Reads, |_| String::new()))?));
        drop((swarm, floor));

        let feed = Feed { topics: TOPICS, interval: Duration::from_secs(1) };
        let daemon = Daemon::start(options, Setup { feed: Some(feed), ..Setup::default() })?;
        // The feed's first values are there.
        let mut first = Swarm::new(daemon.address, Until::Subscribed)?;
        first.join(1, Habit::Reads, |_| topics.clone())?;
        first.run_until(Instant::now() + options.warm_up())?;
        let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?;
        let began = Instant::now();
        served
            .push(per_client_us(spent(daemon.pid(), || swarm.join(size, Habit::Reads, |_| topics.clone()))?));
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        late.push(daemon.metric("tickerd_beats_late_total")?);
    }
    report.add(Row::new(id, "CPU per handshake, µs", "", greeted).beside(floors.clone()));
    report.add(Row::new(id, "CPU per client with snapshots, µs", "", served).beside(floors));
    report.add(Row::new(id, "until all have their snapshots", "ms", took));
    report.add(Row::new(id, "late beats", "", late).at_most(0.0));
    Ok(())
}

/// What a process spends meanwhile.
fn spent(pid: u32, work: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let clock = CpuClock::of(pid)?;
    let before = clock.now()?;
    work()?;
    Ok(clock.now()?.saturating_sub(before))
}

/// All come, and are greeted.
fn come(daemon: &Daemon, size: usize) -> Result<(), Error> {
    Swarm::new(daemon.address, Until::Connected)?.over_tls()?.join(size, Habit::Reads, |_| String::new())
}

/// Reads on a thread of its own while `work` goes on.
fn meanwhile(reading: &mut Swarm, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let read = scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                reading.run_until(Instant::now() + INTERVAL)?;
            }
            Ok(())
        });
        let worked = work();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let read = read.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.and(worked)
    })
}

/// Median and p99 of the ticks that are read meanwhile.
fn ages_ms(
    id: Id,
    reading: &mut Swarm,
    meanwhile: impl FnOnce(&mut Swarm) -> Result<(), Error>,
) -> Result<[f64; 2], Error> {
    reading.tally.latency = Some(Latency::of_beats(INTERVAL));
    meanwhile(reading)?;
    let quantiles = reading.tally.latency.take().and_then(|latency| latency.quantiles_ms([0.5, 0.99]));
    quantiles.ok_or(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 })
}
