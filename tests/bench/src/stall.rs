//! Scenario f: what clients that never read cost the daemon, and the others.

use std::time::{Duration, Instant};

use crate::{
    daemon::{Daemon, FEED, Feed, Setup},
    error::Error,
    latency::Latency,
    memory::resident_bytes,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
};

const TOPICS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(100);
/// One client in this many never reads.
const STALLED_ONE_IN: usize = 10;
/// Ticks of each topic that the daemon keeps: as many as there are before memory is read first. With more, what is kept would
/// still grow, and look as if the stalled clients took it.
const KEPT: usize = 8;
/// Within this time a client that does not read must have been noticed.
const STALLED_WITHIN: Duration = Duration::from_secs(10);
/// A client that takes nothing for 30 s is closed; what is measured with stalled clients is measured before.
const WINDOW_MAX: Duration = Duration::from_secs(15);
/// The others' p99 may differ by a tenth, or by as much as it differs between runs without stalled clients.
const NOISE: f64 = 1.1;

pub fn run(id: Id, clients: usize, options: &Options, report: &mut Report) -> Result<(), Error> {
    let stalled = clients / STALLED_ONE_IN;
    let readers = clients - stalled;
    let (mut with, mut without, mut kib) = (Vec::new(), Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let feed = Feed { topics: TOPICS, interval: INTERVAL };
        let setup = Setup { feed: Some(feed), kept: Some(KEPT), ..Setup::default() };
        let daemon = Daemon::start(options, setup)?;
        let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?;
        let names: Vec<_> = (0..TOPICS).map(|topic| format!("{FEED}.T{topic}")).collect();
        let query = |_| format!("?topics={}", names.join(","));
        swarm.join(readers, Habit::Reads, query)?;
        swarm.run_until(Instant::now() + options.warm_up())?;
        without.push(p99_ms(id, &mut swarm, options)?);
        let before = resident_bytes(daemon.pid())?;

        swarm.join(stalled, Habit::Stalls, query)?;
        swarm.stall(readers)?;
        let started = Instant::now();
        let mut lagging = 0.0;
        while (lagging as usize) < stalled {
            if started.elapsed() > STALLED_WITHIN {
                return Err(Error::NotStalled { wanted: stalled, lagging });
            }
            swarm.run_until(Instant::now() + INTERVAL)?;
            lagging = daemon.metric("tickerd_connections_lagging")?;
        }
        with.push(p99_ms(id, &mut swarm, options)?);
        let after = resident_bytes(daemon.pid())?;
        kib.push(after.saturating_sub(before) as f64 / 1_024.0 / stalled.max(1) as f64);
    }
    let row = Row::new(id, "others' p99 after the beat", "ms", with).beside(without);
    let noise = row.noise().max(NOISE);
    report.add(row.ratio_at_most(noise));
    report.add(Row::new(id, "memory per stalled client", "KiB", kib).at_most(4.0));
    Ok(())
}

/// Measures one window.
fn p99_ms(id: Id, swarm: &mut Swarm, options: &Options) -> Result<f64, Error> {
    swarm.tally.latency = Some(Latency::of_beats(INTERVAL));
    swarm.run_until(Instant::now() + options.window().min(WINDOW_MAX))?;
    let p99 = swarm.tally.latency.take().and_then(|latency| latency.quantiles_ms([0.99]));
    p99.map(|[p99]| p99).ok_or(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 })
}
