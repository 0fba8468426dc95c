//! When to beat: fixed intervals on the monotonic clock, in phase with the wall clock.
//!
//! Time comes in as two readings taken together: `mono`, microseconds on the monotonic clock, and `wall`, microseconds
//! since 1970. Beats fall where the wall clock reads a multiple of the interval, as it stood at the start; a later
//! difference between the clocks is followed gently, at most [`SLEW_PER_STEP`] of a beat's interval a step, so a clock
//! that jumps neither stops the beats nor doubles them.

use std::time::Duration;

/// A hundredth of the time that passed may go into following the wall clock.
const SLEW_PER_STEP: u64 = 100;

/// A due interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueBeat {
    /// Index of the interval, as given to [`Schedule::new`].
    pub interval: usize,
    /// Beats of this interval that were due since the last one and are skipped.
    pub late: u64,
}

/// The beats of a set of intervals.
#[derive(Debug)]
pub struct Schedule {
    intervals: Vec<u64>,
    /// Number of the next beat of each interval: it is due when `mono + offset` reaches number × interval.
    next: Vec<u64>,
    /// What is added to the monotonic clock to get the beats' own time.
    offset: i128,
    last_mono: u64,
}

impl Schedule {
    /// Intervals must be at least a millisecond; order is kept.
    pub fn new(intervals: &[Duration], mono: u64, wall: u64) -> Schedule {
        let intervals: Vec<u64> = intervals.iter().map(|i| (i.as_micros() as u64).max(1_000)).collect();
        let next = intervals.iter().map(|interval| wall / interval + 1).collect();
        Schedule { intervals, next, offset: i128::from(wall) - i128::from(mono), last_mono: mono }
    }

    /// Follows the wall clock by a little; call it once per beat or so.
    pub fn slew(&mut self, mono: u64, wall: u64) {
        let most = i128::from(mono.saturating_sub(self.last_mono) / SLEW_PER_STEP);
        let wanted = i128::from(wall) - i128::from(mono);
        // Half an hour or more is a step, not drift: following it would only tilt the beats for days.
        let difference = (wanted - self.offset) % i128::from(self.longest());
        self.offset += difference.clamp(-most, most);
        self.last_mono = mono;
    }

    /// The monotonic instant of the next beat, if there are intervals at all.
    pub fn next(&self) -> Option<u64> {
        let beats = self.intervals.iter().zip(&self.next);
        let at = beats.map(|(interval, number)| i128::from(interval * number)).min()?;
        Some(u64::try_from(at - self.offset).unwrap_or(0))
    }

    /// Every interval due at `mono`, each at most once: what was missed is counted, not doubled.
    pub fn due(&mut self, mono: u64, due: &mut Vec<DueBeat>) {
        let now = u64::try_from(i128::from(mono) + self.offset).unwrap_or(0);
        for (index, (interval, next)) in self.intervals.iter().zip(&mut self.next).enumerate() {
            let passed = now / interval;
            if passed >= *next {
                due.push(DueBeat { interval: index, late: passed - *next });
                *next = passed + 1;
            }
        }
    }

    fn longest(&self) -> u64 {
        self.intervals.iter().copied().max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_767_225_600_123_456;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn run(schedule: &mut Schedule, from: u64, to: u64, wall: impl Fn(u64) -> u64) -> Vec<(u64, usize)> {
        let mut beats = Vec::new();
        let mut due = Vec::new();
        loop {
            let at = schedule.next().unwrap().max(from);
            if at > to {
                return beats;
            }
            schedule.due(at, &mut due);
            beats.extend(due.drain(..).map(|d| (at, d.interval)));
            schedule.slew(at, wall(at));
        }
    }

    #[test]
    fn beats_fall_on_multiples_of_the_wall_clock() {
        let mut schedule = Schedule::new(&[ms(250), ms(1000)], 5_000_000, WALL);
        let beats = run(&mut schedule, 5_000_000, 8_000_000, |m| WALL + m - 5_000_000);
        for (at, interval) in &beats {
            let wall = WALL + at - 5_000_000;
            assert_eq!(wall % [250_000, 1_000_000][*interval], 0);
        }
        assert_eq!(beats.iter().filter(|b| b.1 == 0).count(), 12);
        assert_eq!(beats.iter().filter(|b| b.1 == 1).count(), 3);
        let seconds: Vec<_> = beats.iter().filter(|b| b.1 == 1).map(|b| b.0).collect();
        assert!(seconds.iter().all(|s| beats.contains(&(*s, 0))), "what falls together is due together");
    }

    #[test]
    fn a_missed_beat_is_counted_and_not_doubled() {
        let mut schedule = Schedule::new(&[ms(100)], 0, 0);
        let mut due = Vec::new();
        schedule.due(1_050_000, &mut due);
        assert_eq!(due, [DueBeat { interval: 0, late: 9 }]);
        due.clear();
        schedule.due(1_060_000, &mut due);
        assert!(due.is_empty());
        assert_eq!(schedule.next(), Some(1_100_000));
    }

    #[test]
    fn a_clock_step_neither_stops_nor_doubles_beats() {
        for step in [-3_600_000_000i64, -40_000, 40_000, 3_600_000_000] {
            let mut schedule = Schedule::new(&[ms(100)], 0, WALL);
            let wall = |m: u64| (WALL + m).wrapping_add_signed(if m > 1_000_000 { step } else { 0 });
            let beats = run(&mut schedule, 0, 20_000_000, wall);
            let gaps: Vec<_> = beats.windows(2).map(|w| w[1].0 - w[0].0).collect();
            assert!(gaps.iter().all(|g| (98_000..=102_000).contains(g)), "{step}: {gaps:?}");
            let (last, _) = beats[beats.len() - 1];
            assert!(wall(last) % 100_000 < 1_000 || wall(last) % 100_000 > 99_000, "{step}: back in phase");
        }
    }
}
