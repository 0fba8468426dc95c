//! When to beat: fixed intervals on the monotonic clock, in phase with the wall clock.
//!
//! Time is passed in as two readings taken together: `mono`, microseconds on the monotonic clock, and `wall`,
//! microseconds since 1970. Beats fall where the wall clock, as read at the start, is a multiple of the interval. If
//! the clocks differ later, the beats follow the wall clock slowly (see [`SLEW_PER_STEP`]), so a clock that jumps
//! neither stops the beats nor doubles them.

use std::collections::BTreeMap;
use std::time::Duration;

/// A hundredth of the time that passed may go into following the wall clock.
const SLEW_PER_STEP: u64 = 100;

/// A due interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueBeat {
    /// The interval.
    pub interval: Duration,
    /// The instant of the beat, in microseconds by the time by which beats fall: about the wall clock's.
    pub at: u64,
    /// How many beats of this interval were due since the last one and are skipped.
    pub late: u64,
}

/// The beats of a set of intervals.
#[derive(Debug)]
pub struct Schedule {
    /// Per interval, the number of its next beat. The beat is due when `mono + offset` reaches number × interval.
    next: BTreeMap<Duration, u64>,
    /// Added to the monotonic clock to get the time by which beats fall.
    offset: i128,
    last_mono: u64,
}

impl Schedule {
    /// A schedule without intervals.
    pub fn new(mono: u64, wall: u64) -> Schedule {
        Schedule { next: BTreeMap::new(), offset: i128::from(wall) - i128::from(mono), last_mono: mono }
    }

    /// Adds an interval of at least a millisecond. The others go on as they are.
    pub fn add(&mut self, interval: Duration, mono: u64) {
        let now = self.beats_time(mono);
        self.next.entry(interval).or_insert_with(|| now / micros(interval) + 1);
    }

    /// Removes an interval.
    pub fn remove(&mut self, interval: Duration) {
        self.next.remove(&interval);
    }

    /// Follows the wall clock by a little; call it once per beat or so.
    pub fn slew(&mut self, mono: u64, wall: u64) {
        let most = i128::from(mono.saturating_sub(self.last_mono) / SLEW_PER_STEP);
        let wanted = i128::from(wall) - i128::from(mono);
        // A difference of half an hour or more is a step of the clock, not drift. Following it would only shift the
        // beats for days.
        let difference = (wanted - self.offset) % i128::from(self.longest());
        self.offset += difference.clamp(-most, most);
        self.last_mono = mono;
    }

    /// The time of the next beat, in microseconds on the monotonic clock. `None` without intervals.
    pub fn next(&self) -> Option<u64> {
        let at = self.next.iter().map(|(interval, number)| i128::from(micros(*interval) * number)).min()?;
        Some(u64::try_from(at - self.offset).unwrap_or(0))
    }

    /// Appends every interval that is due at `mono`, the shortest first and each at most once. Missed beats are
    /// counted, not made up for.
    pub fn due(&mut self, mono: u64, due: &mut Vec<DueBeat>) {
        let now = self.beats_time(mono);
        for (interval, next) in &mut self.next {
            let passed = now / micros(*interval);
            if passed >= *next {
                let at = passed * micros(*interval);
                due.push(DueBeat { interval: *interval, at, late: passed - *next });
                *next = passed + 1;
            }
        }
    }

    fn beats_time(&self, mono: u64) -> u64 {
        u64::try_from(i128::from(mono) + self.offset).unwrap_or(0)
    }

    fn longest(&self) -> u64 {
        self.next.last_key_value().map_or(1, |(interval, _)| micros(*interval))
    }
}

fn micros(interval: Duration) -> u64 {
    (interval.as_micros() as u64).max(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_767_225_600_123_456;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn schedule(intervals: &[Duration], mono: u64, wall: u64) -> Schedule {
        let mut schedule = Schedule::new(mono, wall);
        intervals.iter().for_each(|interval| schedule.add(*interval, mono));
        schedule
    }

    fn run(schedule: &mut Schedule, from: u64, to: u64, wall: impl Fn(u64) -> u64) -> Vec<(u64, Duration)> {
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
        let mut schedule = schedule(&[ms(250), ms(1000)], 5_000_000, WALL);
        let beats = run(&mut schedule, 5_000_000, 8_000_000, |m| WALL + m - 5_000_000);
        for (at, interval) in &beats {
            let wall = WALL + at - 5_000_000;
            assert_eq!(wall % micros(*interval), 0);
        }
        assert_eq!(beats.iter().filter(|b| b.1 == ms(250)).count(), 12);
        assert_eq!(beats.iter().filter(|b| b.1 == ms(1000)).count(), 3);
        let seconds: Vec<_> = beats.iter().filter(|b| b.1 == ms(1000)).map(|b| b.0).collect();
        assert!(
            seconds.iter().all(|s| beats.contains(&(*s, ms(250)))),
            "what falls together is due together"
        );
    }

    #[test]
    fn a_missed_beat_is_counted_and_not_doubled() {
        let mut schedule = schedule(&[ms(100)], 0, 0);
        let mut due = Vec::new();
        schedule.due(1_050_000, &mut due);
        assert_eq!(due, [DueBeat { interval: ms(100), at: 1_000_000, late: 9 }]);
        due.clear();
        schedule.due(1_060_000, &mut due);
        assert!(due.is_empty());
        assert_eq!(schedule.next(), Some(1_100_000));
    }

    #[test]
    fn a_clock_step_neither_stops_nor_doubles_beats() {
        for step in [-3_600_000_000i64, -40_000, 40_000, 3_600_000_000] {
            let mut schedule = schedule(&[ms(100)], 0, WALL);
            let wall = |m: u64| (WALL + m).wrapping_add_signed(if m > 1_000_000 { step } else { 0 });
            let beats = run(&mut schedule, 0, 20_000_000, wall);
            let gaps: Vec<_> = beats.windows(2).map(|w| w[1].0 - w[0].0).collect();
            assert!(gaps.iter().all(|g| (98_000..=102_000).contains(g)), "{step}: {gaps:?}");
            let (last, _) = beats[beats.len() - 1];
            assert!(wall(last) % 100_000 < 1_000 || wall(last) % 100_000 > 99_000, "{step}: back in phase");
        }
    }

    #[test]
    fn an_interval_that_comes_or_goes_moves_no_other() {
        let beats_of = |changes: bool| {
            let mut schedule = schedule(&[ms(100), ms(250)], 0, WALL);
            let wall = |m: u64| WALL + m + m / 1_000;
            let mut beats = run(&mut schedule, 0, 1_000_000, wall);
            if changes {
                schedule.add(ms(70), 1_000_000);
                schedule.add(ms(100), 1_000_000);
            }
            beats.extend(run(&mut schedule, 1_000_000, 2_000_000, wall));
            if changes {
                assert!(beats.iter().filter(|(_, interval)| *interval == ms(70)).count() >= 14);
                schedule.remove(ms(70));
            }
            beats.extend(run(&mut schedule, 2_000_000, 3_000_000, wall));
            beats.retain(|(_, interval)| *interval != ms(70));
            beats.iter().map(|(_, interval)| *interval).collect::<Vec<_>>()
        };
        assert_eq!(beats_of(true), beats_of(false));
    }
}
