//! Scenario m: what many clients that ask for the past at once cost the others.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cpu::{self, CpuClock},
    daemon::{Daemon, FEED, Feed, Setup},
    error::Error,
    latency::Latency,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
    wall,
    window::QUIET,
};

const TOPICS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(100);
/// Of the ring one part is replayed; the other keeps it whole while beats go on.
const RINGS: usize = 2;
/// Replays of one round that are not through within this time never will be.
const THROUGH_WITHIN: Duration = Duration::from_secs(30);
/// The others' age may differ by a tenth, or by as much as it differs between windows without recoveries.
const NOISE: f64 = 1.1;

/// `readers` read live ticks while all of `size` clients ask for the last `ticks` of their topic, again and again.
pub fn run(
    id: Id,
    [readers, size]: [usize; 2],
    ticks: usize,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let feed = Feed { topics: TOPICS, interval: INTERVAL };
        let setup = Setup { feed: Some(feed), kept: Some(ticks * RINGS), ..Setup::default() };
        let daemon = Daemon::start(options, setup)?;
        let mut returning = Returning::gather(&daemon, size, ticks as u64)?;
        let mut reading = Swarm::new(daemon.address, Until::Subscribed)?;
        let names: Vec<_> = (0..TOPICS).map(topic).collect();
        reading.join(readers, Habit::Reads, |_| format!("?topics={}", names.join(",")))?;
        // From the first round on they have every tick, and the sockets' buffers are as large as they get.
        returning.recover()?;
        run_both(&mut reading, &mut returning, options.warm_up(), false)?;
        for recovers in [repeat % 2 == 0, repeat % 2 == 1] {
            let window = Window::measure(id, &daemon, &mut reading, &mut returning, recovers, options)?;
            if recovers { &mut with } else { &mut without }.push(window);
        }
    }
    let of = |all: &[Window], figure: fn(&Window) -> f64| all.iter().map(figure).collect::<Vec<_>>();
    let beside = |what, unit, figure: fn(&Window) -> f64| {
        Row::new(id, what, unit, of(&with, figure)).beside(of(&without, figure))
    };
    let p99 = beside("others' p99 after the beat", "ms", |window| window.p99_ms);
    let noise = p99.noise().max(NOISE);
    report.add(p99.ratio_at_most(noise));
    report.add(beside("others' median after the beat", "ms", |window| window.median_ms));
    report.add(beside("a shard's way through a beat", "ms", |window| window.walk_ms));
    report.add(beside("daemon's wait for a CPU", "ms/s", |window| window.waited_s / window.elapsed_s * 1e3));
    report.add(Row::new(id, "until all recoveries are through", "ms", of(&with, Window::through_ms)));
    report.add(Row::new(id, "rounds of recoveries", "", of(&with, |window| window.took_ms.len() as f64)));
    let ns = |(with, without): (&Window, &Window)| {
        let beyond = with.cpu_s - without.cpu_s / without.elapsed_s * with.elapsed_s;
        beyond * 1e9 / with.replayed.max(1) as f64
    };
    report.add(Row::new(id, "CPU per replayed tick", "ns", with.iter().zip(&without).map(ns).collect()));
    report.add(beside("late beats", "", |window| window.late_beats).at_most(0.0));
    Ok(())
}

/// What one window showed.
struct Window {
    median_ms: f64,
    p99_ms: f64,
    cpu_s: f64,
    /// All threads together, for a processor to run on.
    waited_s: f64,
    /// Mean of all shards and beats.
    walk_ms: f64,
    elapsed_s: f64,
    late_beats: f64,
    /// Ticks that were sent once more.
    replayed: u64,
    /// Each round of recoveries.
    took_ms: Vec<f64>,
}

impl Window {
    fn measure(
        id: Id,
        daemon: &Daemon,
        readers: &mut Swarm,
        returning: &mut Returning,
        recovers: bool,
        options: &Options,
    ) -> Result<Self, Error> {
        let clock = CpuClock::of(daemon.pid())?;
        let counts = || -> Result<[f64; 4], Error> {
            Ok([
                daemon.metric("tickerd_beats_late_total")?,
                daemon.metric("tickerd_write_seconds_sum")?,
                daemon.metric("tickerd_write_seconds_count")?,
                cpu::waited(daemon.pid())?.as_secs_f64(),
            ])
        };
        let (before, cpu, began) = (counts()?, clock.now()?, Instant::now());
        let replayed = returning.swarm.tally.replayed;
        readers.tally.latency = Some(Latency::of_beats(INTERVAL));
        let took_ms = run_both(readers, returning, options.window(), recovers)?;
        let latency = readers.tally.latency.take();
        let quantiles = latency.and_then(|latency| latency.quantiles_ms([0.5, 0.99]));
        let starved = Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 };
        let [median_ms, p99_ms] = quantiles.ok_or(starved)?;
        let (cpu_s, elapsed_s) =
            (clock.now()?.saturating_sub(cpu).as_secs_f64(), began.elapsed().as_secs_f64());
        let after = counts()?;
        let mut grown = after;
        grown.iter_mut().zip(before).for_each(|(after, before)| *after -= before);
        let [late_beats, walks_s, walks, waited_s] = grown;
        Ok(Self {
            median_ms,
            p99_ms,
            cpu_s,
            waited_s,
            walk_ms: walks_s * 1e3 / walks.max(1.0),
            elapsed_s,
            late_beats,
            replayed: returning.swarm.tally.replayed - replayed,
            took_ms,
        })
    }

    fn through_ms(&self) -> f64 {
        self.took_ms.iter().sum::<f64>() / self.took_ms.len().max(1) as f64
    }
}

/// Those who ask for the past, each of one topic.
struct Returning {
    swarm: Swarm,
    size: usize,
    ticks: u64,
}

fn topic(client: usize) -> String {
    format!("{FEED}.T{}", client % TOPICS)
}

impl Returning {
    /// All are there, and so much of the past is.
    fn gather(daemon: &Daemon, size: usize, ticks: u64) -> Result<Self, Error> {
        let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?.following();
        swarm.join(size, Habit::Reads, |client| format!("?topics={}", topic(client)))?;
        let began = Instant::now();
        let until = began + INTERVAL * ticks as u32 + THROUGH_WITHIN;
        if !swarm.run_while(until, |swarm| swarm.seen() > ticks)? {
            return Err(Error::NotReplayed { wanted: size, replayed: 0, waited: began.elapsed() });
        }
        Ok(Self { swarm, size, ticks })
    }

    /// One round, which begins just before a beat. Each client gets at least what it asks for, and what came while it asked;
    /// if any tick is not the next, the run ends. Answers how long it took until all had every tick, in milliseconds.
    fn recover(&mut self) -> Result<f64, Error> {
        let begins = Instant::now() + wall::until(wall::now(), INTERVAL, QUIET);
        self.swarm.run_until(begins)?;
        let wanted = self.swarm.tally.replays + self.size;
        let began = Instant::now();
        self.swarm.replay(self.ticks, topic)?;
        let through = self.swarm.run_while(began + THROUGH_WITHIN, |swarm| swarm.tally.replays == wanted)?;
        let took = began.elapsed();
        if !through {
            let replayed = self.size - (wanted - self.swarm.tally.replays);
            return Err(Error::NotReplayed { wanted: self.size, replayed, waited: took });
        }
        Ok(took.as_secs_f64() * 1_000.0)
    }

    /// Rounds until then, or none. Answers how long each took.
    fn run_until(&mut self, deadline: Instant, recovers: bool) -> Result<Vec<f64>, Error> {
        let mut took = Vec::new();
        while recovers && Instant::now() < deadline {
            took.push(self.recover()?);
        }
        self.swarm.run_until(deadline)?;
        Ok(took)
    }
}

/// Both read, each on a thread, so that neither waits for the other's bytes.
fn run_both(
    readers: &mut Swarm,
    returning: &mut Returning,
    time: Duration,
    recovers: bool,
) -> Result<Vec<f64>, Error> {
    let deadline = Instant::now() + time;
    thread::scope(|scope| {
        let read = scope.spawn(|| readers.run_until(deadline));
        let took = returning.run_until(deadline, recovers);
        let read = read.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.and(took)
    })
}
