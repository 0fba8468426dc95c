//! Scenario h: how many samples a second come in from one feed that says all it can, and what each costs.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    cpu::CpuClock,
    daemon::{Daemon, Flood},
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
    let (mut child, mut in_process) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        child.push(measure(id, false, options)?);
        in_process.push(measure(id, true, options)?);
    }
    let figures = |costs: &[Cost], figure: fn(&Cost) -> f64| costs.iter().map(figure).collect::<Vec<_>>();
    let per_s = |what, costs: &[Cost]| Row::new(id, what, "k/s", figures(costs, |cost| cost.thousands_per_s));
    report.add(per_s("samples through a child", &child).at_least(CHILD_AT_LEAST));
    report.add(per_s("samples in process", &in_process).at_least(IN_PROCESS_AT_LEAST));
    let ns = |what, costs: &[Cost], figure| Row::new(id, what, "ns", figures(costs, figure));
    report.add(ns("CPU per sample, daemon", &child, |cost| cost.daemon_ns));
    report.add(ns("CPU per sample, its child", &child, |cost| cost.child_ns));
    report.add(ns("CPU per sample, in process", &in_process, |cost| cost.daemon_ns));
    Ok(())
}

struct Cost {
    thousands_per_s: f64,
    daemon_ns: f64,
    child_ns: f64,
}

fn measure(id: Id, in_process: bool, options: &Options) -> Result<Cost, Error> {
    let daemon = Daemon::start(options, None, Some(Flood { in_process, per_s: 0 }))?;
    let samples = || daemon.metric("tickerd_feed_samples_total");
    let began = Instant::now();
    while samples()? == 0.0 {
        if began.elapsed() > FIRST_WITHIN {
            return Err(Error::Starved { scenario: id.letter(), arrived: 0, expected: 1 });
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(options.warm_up());
    let own = CpuClock::of(daemon.pid())?;
    let child = if in_process { None } else { Some(CpuClock::of(child_of(daemon.pid())?)?) };
    let child_now = || child.map_or(Ok(Duration::ZERO), CpuClock::now);
    let (started, before, own_before, child_before) = (Instant::now(), samples()?, own.now()?, child_now()?);
    thread::sleep(options.window());
    let (count, took) = (samples()? - before, started.elapsed());
    let ns = |used: Duration| used.as_nanos() as f64 / count.max(1.0);
    Ok(Cost {
        thousands_per_s: count / took.as_secs_f64() / 1_000.0,
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
