//! Scenario h: how many samples a second come in from one feed that says all it can, and what each costs.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    cpu::CpuClock,
    daemon::{Daemon, Flood, Setup, Way},
    error::Error,
    options::Options,
    report::{Report, Row},
    scenario::Id,
};

/// Samples a second that must come through a child's pipe, in thousands.
const CHILD_AT_LEAST: f64 = 500.0;
/// The same from a thread of the daemon.
const IN_PROCESS_AT_LEAST: f64 = 1_000.0;
/// A feed that has said nothing for so long never will.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

pub fn run(id: Id, options: &Options, report: &mut Report) -> Result<(), Error> {
    let (mut lines, mut child, mut in_process) = (Vec::new(), Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        lines.push(measure(id, Way::Lines, options)?);
        child.push(measure(id, Way::Child, options)?);
        in_process.push(measure(id, Way::InProcess, options)?);
    }
    let row = |what, unit, costs: &[Cost], figure: fn(&Cost) -> f64| {
        Row::new(id, what, unit, costs.iter().map(figure).collect())
    };
    let per_s = |what, costs| row(what, "k/s", costs, |cost| cost.thousands_per_s);
    report.add(per_s("lines from a program", &lines).at_least(CHILD_AT_LEAST));
    report.add(row("CPU per line, daemon", "ns", &lines, |cost| cost.daemon_ns));
    report.add(per_s("samples of a child's plugin", &child).at_least(CHILD_AT_LEAST));
    report.add(row("of these merged", "%", &child, |cost| cost.merged_pct));
    report.add(row("CPU per sample, daemon", "ns", &child, |cost| cost.daemon_ns));
    report.add(row("CPU per sample, its child", "ns", &child, |cost| cost.child_ns));
    report.add(per_s("samples in process", &in_process).at_least(IN_PROCESS_AT_LEAST));
    report.add(row("of these merged", "%", &in_process, |cost| cost.merged_pct));
    report.add(row("CPU per sample", "ns", &in_process, |cost| cost.daemon_ns));
    Ok(())
}

struct Cost {
    thousands_per_s: f64,
    merged_pct: f64,
    daemon_ns: f64,
    child_ns: f64,
}

fn measure(id: Id, way: Way, options: &Options) -> Result<Cost, Error> {
    let flood = Some(Flood { way, per_s: 0 });
    let daemon = Daemon::start(options, Setup { flood, ..Setup::default() })?;
    let samples = || daemon.metric("tickerd_feed_samples_total");
    let merged = || daemon.metric("tickerd_lane_dropped_total");
    let began = Instant::now();
    while samples()? == 0.0 {
        if began.elapsed() > FIRST_WITHIN {
            return Err(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 });
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(options.warm_up());
    let own = CpuClock::of(daemon.pid())?;
    let child = if way == Way::InProcess { None } else { Some(CpuClock::of(child_of(daemon.pid())?)?) };
    let child_now = || child.map_or(Ok(Duration::ZERO), CpuClock::now);
    let (started, own_before, child_before) = (Instant::now(), own.now()?, child_now()?);
    let (samples_before, merged_before) = (samples()?, merged()?);
    thread::sleep(options.window());
    let (count, lost, took) = (samples()? - samples_before, merged()? - merged_before, started.elapsed());
    let ns = |used: Duration| used.as_nanos() as f64 / count.max(1.0);
    Ok(Cost {
        thousands_per_s: count / took.as_secs_f64() / 1_000.0,
        merged_pct: lost / count.max(1.0) * 100.0,
        daemon_ns: ns(own.now()?.saturating_sub(own_before)),
        child_ns: ns(child_now()?.saturating_sub(child_before)),
    })
}

/// The only child of a process.
fn child_of(parent: u32) -> Result<u32, Error> {
    let entries = fs::read_dir("/proc").map_err(Error::io("reading /proc"))?;
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name in parentheses come the state and the parent.
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        after.split_ascii_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    let mut pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is_child)
        .ok_or_else(|| Error::io("finding the feed's process")(std::io::ErrorKind::NotFound.into()))
}
