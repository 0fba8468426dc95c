//! Scenarios t and u: what bars cost while they are made, and what many who fetch them at once cost the others.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cpu::CpuClock,
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

/// The periods of scenario t: short ones, so that each has bars within its windows.
const PERIODS: &str = r#"{ "1s" = "1h", "2s" = "1h", "5s" = "1h", "15s" = "1h" }"#;
/// Bars per topic after which their memory is measured.
const BARS_PER_TOPIC: usize = 36;
/// CPU per sample with bars, against none.
const CPU_RATIO: f64 = 1.25;
/// Memory of a kept bar, in bytes.
const BAR_BYTES: f64 = 64.0;
const INTERVAL: Duration = Duration::from_millis(100);

/// What one daemon showed.
struct Made {
    ns_per_sample: f64,
    late: f64,
    bytes: f64,
    bars: f64,
}

/// `topics` with a sample each 100 ms, with bars of four periods and with none.
pub fn made(id: Id, topics: usize, options: &Options, report: &mut Report) -> Result<(), Error> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        for has_bars in [repeat % 2 == 0, repeat % 2 == 1] {
            let feed = Feed { topics, interval: INTERVAL };
            let bars = has_bars.then_some(PERIODS);
            let daemon = Daemon::start(options, Setup { feed: Some(feed), bars, ..Setup::default() })?;
            let made = measure(&daemon, topics, has_bars, options)?;
            if has_bars { &mut with } else { &mut without }.push(made);
        }
    }
    let of = |all: &[Made], figure: fn(&Made) -> f64| all.iter().map(figure).collect::<Vec<_>>();
    let cpu = Row::new(id, "CPU per sample", "ns", of(&with, |made| made.ns_per_sample));
    report.add(cpu.beside(of(&without, |made| made.ns_per_sample)).ratio_at_most(CPU_RATIO));
    let beyond = with.iter().zip(&without).map(|(one, none)| (one.bytes - none.bytes) / one.bars.max(1.0));
    report.add(Row::new(id, "memory per kept bar", "B", beyond.collect()).at_most(BAR_BYTES));
    report.add(Row::new(id, "bars kept", "", of(&with, |made| made.bars)));
    report.add(
        Row::new(id, "late beats", "", of(&with, |made| made.late))
            .beside(of(&without, |made| made.late))
            .at_most(0.0),
    );
    Ok(())
}

fn measure(daemon: &Daemon, topics: usize, has_bars: bool, options: &Options) -> Result<Made, Error> {
    let samples = || daemon.metric("tickerd_feed_samples_total");
    while samples()? < topics as f64 {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(options.warm_up());
    let clock = CpuClock::of(daemon.pid())?;
    let (cpu, count, late) = (clock.now()?, samples()?, daemon.metric("tickerd_beats_late_total")?);
    thread::sleep(options.window());
    let taken = samples()? - count;
    let used = clock.now()?.saturating_sub(cpu);
    let late = daemon.metric("tickerd_beats_late_total")? - late;
    // A daemon without bars runs as long, since its history grows too.
    let long_enough = Duration::from_secs((BARS_PER_TOPIC as u64 * 10).div_ceil(18));
    let bars = || if has_bars { daemon.metric("tickerd_bars") } else { Ok(0.0) };
    let began = Instant::now();
    while !options.quick && began.elapsed() < long_enough {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Made {
        ns_per_sample: used.as_nanos() as f64 / taken.max(1.0),
        late,
        bytes: resident_bytes(daemon.pid())? as f64,
        bars: bars()?,
    })
}

/// Topics of scenario u.
const TOPICS: usize = 20;
/// Bars of each that are fetched: the minutes of a day of trade.
const BARS: usize = 390;
/// The others' p99 while bars are fetched, against none.
const P99_RATIO: f64 = 2.0;

/// `readers` read live ticks while each of `size` clients fetches the bars of all topics at once.
pub fn fetched(
    id: Id,
    [readers, size]: [usize; 2],
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let bars = if options.quick { 2 } else { BARS };
    let feed = Feed { topics: TOPICS, interval: INTERVAL };
    let setup = Setup { feed: Some(feed), bars: Some(r#"{ "1s" = "1h" }"#), ..Setup::default() };
    let daemon = Daemon::start(options, setup)?;
    while daemon.metric("tickerd_bars")? < (TOPICS * bars) as f64 {
        thread::sleep(Duration::from_millis(200));
    }
    let names: Vec<_> = (0..TOPICS).map(|topic| format!("{FEED}.T{topic}")).collect();
    let mut swarm = Swarm::new(daemon.address, Until::Subscribed)?;
    swarm.join(readers, Habit::Reads, |_| format!("?topics={}", names.join(",")))?;
    swarm.run_until(Instant::now() + options.warm_up())?;
    let path = format!("/v1/bars?topics={}&period=1s&limit={bars}", names.join(","));
    let (mut with, mut without) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut took, mut mib, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        for fetches in [repeat % 2 == 0, repeat % 2 == 1] {
            let before = daemon.metric("tickerd_beats_late_total")?;
            swarm.tally.latency = Some(Latency::of_beats(INTERVAL));
            let deadline = Instant::now() + options.window();
            let address = daemon.address;
            let fetched = thread::scope(|scope| -> Result<Vec<Fetched>, Error> {
                let work = fetches.then(|| {
                    let path = &path;
                    scope.spawn(move || crowd(address, path, size))
                });
                swarm.run_until(deadline)?;
                while work.as_ref().is_some_and(|work| !work.is_finished()) {
                    swarm.run_until(Instant::now() + INTERVAL)?;
                }
                work.map_or(Ok(Vec::new()), |work| {
                    work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
            })?;
            let latency = swarm.tally.latency.take();
            let quantiles = latency.and_then(|latency| latency.quantiles_ms([0.5, 0.99]));
            let starved = Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 };
            let quantiles = quantiles.ok_or(starved)?;
            if fetches {
                let longest = fetched.iter().map(|fetched| fetched.took).max().unwrap_or_default();
                took.push(longest.as_secs_f64() * 1e3);
                mib.push(
                    fetched.iter().map(|fetched| fetched.bytes).sum::<usize>() as f64 / f64::from(1 << 20),
                );
                late.push(daemon.metric("tickerd_beats_late_total")? - before);
            }
            let kept = if fetches { &mut with } else { &mut without };
            kept.iter_mut().zip(quantiles).for_each(|(kept, age)| kept.push(age));
        }
    }
    let ([median, p99], [median_alone, p99_alone]) = (with, without);
    report.add(
        Row::new(id, "others' p99 after the beat", "ms", p99).beside(p99_alone).ratio_at_most(P99_RATIO),
    );
    report.add(Row::new(id, "others' median after the beat", "ms", median).beside(median_alone));
    report.add(Row::new(id, "until all have their bars", "ms", took));
    report.add(Row::new(id, "bars sent", "MiB", mib));
    report.add(Row::new(id, "late beats", "", late).at_most(0.0));
    Ok(())
}

struct Fetched {
    bytes: usize,
    took: Duration,
}

/// So many clients ask at once; each reads its answer as it comes.
fn crowd(address: SocketAddr, path: &str, size: usize) -> Result<Vec<Fetched>, Error> {
    let began = Instant::now();
    let mut asked = Vec::new();
    for _ in 0..size {
        let mut socket = TcpStream::connect(address).map_err(Error::io("connecting for bars"))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).map_err(Error::io("asking for bars"))?;
        asked.push(socket);
    }
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    for mut socket in asked {
        let (mut bytes, mut head) = (0, Vec::new());
        loop {
            match socket.read(&mut buffer).map_err(Error::io("reading bars"))? {
                0 => break,
                read => {
                    if head.len() < 12 {
                        head.extend(buffer.iter().take(read.min(12)));
                    }
                    bytes += read;
                }
            }
        }
        if !head.starts_with(b"HTTP/1.1 200") {
            let what = String::from_utf8_lossy(&head).into_owned();
            return Err(Error::io("fetching bars")(std::io::Error::other(what)));
        }
        all.push(Fetched { bytes, took: began.elapsed() });
    }
    Ok(all)
}
