//! Scenarios e and p: what a connection that receives nothing costs in memory, plain and with TLS.

use std::time::Instant;

use crate::{
    daemon::{Daemon, Setup},
    error::Error,
    memory::resident_bytes,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    subscriber::{Habit, Until},
    swarm::Swarm,
};

pub fn run(id: Id, clients: usize, tls: bool, options: &Options, report: &mut Report) -> Result<(), Error> {
    let mut kib = Vec::new();
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        let daemon = Daemon::start(options, Setup { tls, ..Setup::default() })?;
        let mut swarm = Swarm::new(daemon.address, Until::Connected)?;
        if tls {
            swarm = swarm.over_tls()?;
        }
        // The first connection makes the daemon set up what all share.
        swarm.join(1, Habit::Reads, |_| String::new())?;
        let before = resident_bytes(daemon.pid())?;
        swarm.join(clients, Habit::Reads, |_| String::new())?;
        swarm.run_until(Instant::now() + options.warm_up())?;
        let after = resident_bytes(daemon.pid())?;
        kib.push(after.saturating_sub(before) as f64 / 1_024.0 / clients.max(1) as f64);
    }
    report.add(Row::new(id, "memory per connection", "KiB", kib).at_most(if tls { 2.6 } else { 2.2 }));
    Ok(())
}
