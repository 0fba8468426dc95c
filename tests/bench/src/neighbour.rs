//! Scenario g: what a feed that floods costs the clients of the feed beside it.

use std::time::{Duration, Instant};

use crate::{
    daemon::{Daemon, FEED, Feed, Flood, Setup, Way},
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
/// What the flooding feed offers.
const FLOOD_PER_S: u64 = 1_000_000;
/// The others' age may differ by a tenth, or by as much as it differs between runs without the flood.
const NOISE: f64 = 1.1;

pub fn run(id: Id, clients: usize, options: &Options, report: &mut Report) -> Result<(), Error> {
    let (mut with, mut without) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut offered = Vec::new();
    let mut late = Vec::new();
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        for floods in [repeat % 2 == 0, repeat % 2 == 1] {
            let flood = Flood { way: Way::Child, per_s: FLOOD_PER_S };
            let feed = Feed { topics: TOPICS, interval: INTERVAL };
            let setup = Setup { feed: Some(feed), flood: floods.then_some(flood), ..Setup::default() };
            let daemon = Daemon::start(options, setup)?;
            let ages = ages_ms(id, clients, &daemon, options)?;
            if floods {
                offered.push(ages.samples_per_s / 1e6);
                late.push(ages.late_beats);
            }
            let kept = if floods { &mut with } else { &mut without };
            kept.iter_mut().zip(ages.quantiles_ms).for_each(|(kept, age)| kept.push(age));
        }
    }
    let [median, p99] = with;
    let [median_alone, p99_alone] = without;
    for (what, with, without) in [
        ("others' median after the beat", median, median_alone),
        ("others' p99 after the beat", p99, p99_alone),
    ] {
        let row = Row::new(id, what, "ms", with).beside(without);
        let noise = row.noise().max(NOISE);
        report.add(row.ratio_at_most(noise));
    }
    report.add(Row::new(id, "samples accepted, M/s", "", offered));
    report.add(Row::new(id, "late beats", "", late).at_most(0.0));
    Ok(())
}

struct Ages {
    quantiles_ms: [f64; 2],
    samples_per_s: f64,
    late_beats: f64,
}

/// Measures one window.
fn ages_ms(id: Id, clients: usize, daemon: &Daemon, options: &Options) -> Result<Ages, Error> {
    let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?;
    let names: Vec<_> = (0..TOPICS).map(|topic| format!("{FEED}.T{topic}")).collect();
    swarm.join(clients, Habit::Reads, |_| format!("?topics={}", names.join(",")))?;
    swarm.run_until(Instant::now() + options.warm_up())?;
    let counts =
        || Ok((daemon.metric("tickerd_feed_samples_total")?, daemon.metric("tickerd_beats_late_total")?));
    let (samples, late) = counts()?;
    let started = Instant::now();
    swarm.tally.latency = Some(Latency::of_beats(INTERVAL));
    swarm.run_until(started + options.window())?;
    let took = started.elapsed();
    let (samples_now, late_now) = counts()?;
    let latency = swarm.tally.latency.take();
    let quantiles = latency.and_then(|latency| latency.quantiles_ms([0.5, 0.99]));
    let quantiles_ms = quantiles.ok_or(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 })?;
    Ok(Ages {
        quantiles_ms,
        samples_per_s: (samples_now - samples) / took.as_secs_f64(),
        late_beats: late_now - late,
    })
}
