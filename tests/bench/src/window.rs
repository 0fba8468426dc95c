//! What one window costs a server, of one process or several: CPU time, messages and memory, over whole beats.

use std::time::{Duration, Instant};

use crate::{
    cpu::CpuClock, error::Error, memory::resident_bytes, options::Options, scenario::Id, swarm::Swarm, wall,
};

/// Part of the beats after which a window opens and closes: the beat has gone out, and the feed has printed.
pub const QUIET: f64 = 0.85;
/// A server that has sent nothing for so long after the warm-up never will.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// What one window cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    cpu: Duration,
    pub ticks: u64,
    pub tick_bytes: u64,
    beats: u64,
    pub resident_bytes: u64,
    pub late_beats: f64,
}

impl Cost {
    pub fn ns_per_message(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.ticks.max(1) as f64
    }

    pub fn ms_per_beat(&self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / self.beats.max(1) as f64
    }

    pub fn mib(&self) -> f64 {
        self.resident_bytes as f64 / (1 << 20) as f64
    }

    /// Figures mean nothing where much of what was due, so many messages a beat, has not arrived.
    pub fn check(&self, id: Id, per_beat: usize, options: &Options) -> Result<(), Error> {
        let expected = self.beats * per_beat as u64;
        // A smoke run shares its machine with other tests.
        let enough = if options.quick { 1 } else { expected / 20 * 19 };
        match self.ticks < enough {
            true => Err(Error::Starved { scenario: id.letter(), arrived: self.ticks, expected }),
            false => Ok(()),
        }
    }
}

/// Warms up, then counts CPU time and messages over whole beats. `churn` is what clients say meanwhile;
/// it answers when they will have more to say.
pub fn measure(
    pids: &[u32],
    swarm: &mut Swarm,
    interval: Duration,
    options: &Options,
    mut churn: impl FnMut(&mut Swarm) -> Result<Option<Instant>, Error>,
) -> Result<Cost, Error> {
    let clocks = pids.iter().map(|pid| CpuClock::of(*pid)).collect::<Result<Vec<_>, _>>()?;
    let spent = || clocks.iter().map(|clock| clock.now()).sum::<Result<Duration, Error>>();
    let mut run_until = |swarm: &mut Swarm, deadline: Instant| -> Result<(), Error> {
        while Instant::now() < deadline {
            let next = churn(swarm)?.unwrap_or(deadline);
            swarm.run_until(next.min(deadline))?;
        }
        Ok(())
    };
    let warm = Instant::now() + options.warm_up();
    run_until(swarm, warm)?;
    while swarm.tally.ticks == 0 && warm.elapsed() < FIRST_WITHIN {
        let next = Instant::now() + interval;
        run_until(swarm, next)?;
    }
    let opens = Instant::now() + wall::until(wall::now(), interval, QUIET);
    run_until(swarm, opens)?;

    let beats = (options.window().as_nanos() / interval.as_nanos().max(1)).max(1) as u32;
    let (cpu, ticks, tick_bytes) = (spent()?, swarm.tally.ticks, swarm.tally.tick_bytes);
    run_until(swarm, opens + interval * beats)?;
    Ok(Cost {
        cpu: spent()?.saturating_sub(cpu),
        ticks: swarm.tally.ticks - ticks,
        tick_bytes: swarm.tally.tick_bytes - tick_bytes,
        beats: beats.into(),
        resident_bytes: pids.iter().map(|pid| resident_bytes(*pid)).sum::<Result<u64, Error>>()?,
        late_beats: 0.0,
    })
}
