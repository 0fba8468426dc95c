//! When to poll: ahead of each push by the time that a poll usually takes, so that values are fresh when they are pushed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Number of recent polls that the 95th percentile is taken of.
const RECENT_MAX: usize = 32;

/// Plans the polls of one feed. Pure: it is given the time of both clocks.
#[derive(Debug)]
pub struct Pacer {
    poll: Duration,
    lead_max: Duration,
    recent: VecDeque<Duration>,
    started: Option<Instant>,
}

impl Pacer {
    /// `poll` is the time between polls, `interval` the time between pushes.
    pub fn new(poll: Duration, interval: Duration) -> Pacer {
        let poll = poll.max(Duration::from_millis(1));
        Pacer { poll, lead_max: poll.min(interval) / 2, recent: VecDeque::new(), started: None }
    }

    /// A poll starts now.
    pub fn start(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// The poll that started last took this long.
    pub fn took(&mut self, duration: Duration) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(duration);
    }

    /// How long before a multiple of `poll` on the wall clock a poll starts.
    pub fn lead(&self) -> Duration {
        let mut sorted: Vec<Duration> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank: of 20 durations the second longest, of fewer the longest.
        let rank = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or_default().min(self.lead_max)
    }

    /// When the next poll starts. `wall` is the time since the Unix epoch at `now`.
    ///
    /// This is asked after a poll has returned: if it took longer than a period, the polls in between are skipped. Only the
    /// phase comes from the wall clock. When that is set, one wait is at most half a period longer or shorter.
    pub fn next(&self, now: Instant, wall: Duration) -> Instant {
        let period = self.poll.as_nanos();
        let lead = self.lead().as_nanos();
        let ahead = (wall.as_nanos() + lead) % period;
        let wait = if ahead == 0 { 0 } else { period - ahead };
        let at = now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
        match self.started {
            // The last poll was for this push already: when the lead shrinks, do not poll for it twice.
            Some(started) if at < started + self.poll / 2 => at + self.poll,
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn starts_ahead_of_the_beat_by_its_own_duration() {
        let mut pacer = Pacer::new(SECOND, SECOND);
        let now = Instant::now();
        assert_eq!(pacer.next(now, ms(10_300)), now + ms(700), "without experience: at the beat");
        pacer.start(now);
        pacer.took(ms(80));
        assert_eq!(pacer.next(now + ms(80), ms(10_080)), now + ms(920));
    }

    #[test]
    fn the_lead_is_at_most_half_an_interval() {
        let mut pacer = Pacer::new(ms(5000), SECOND);
        pacer.took(ms(4000));
        assert_eq!(pacer.lead(), ms(500));
    }

    #[test]
    fn one_slow_poll_of_many_does_not_set_the_lead() {
        let mut pacer = Pacer::new(SECOND, SECOND);
        for took in std::iter::once(400).chain(std::iter::repeat_n(20, 31)) {
            pacer.took(ms(took));
        }
        assert_eq!(pacer.lead(), ms(20));
    }

    #[test]
    fn a_shrinking_lead_does_not_poll_twice_for_one_beat() {
        let mut pacer = Pacer::new(SECOND, SECOND);
        pacer.took(ms(300));
        let now = Instant::now();
        pacer.start(now); // at 9.700, for the beat at 10.000
        for _ in 0..RECENT_MAX {
            pacer.took(ms(10));
        }
        assert_eq!(pacer.next(now + ms(10), ms(9_710)), now + ms(1290));
    }

    #[test]
    fn a_poll_that_ran_over_skips_what_it_missed() {
        let mut pacer = Pacer::new(SECOND, SECOND);
        let now = Instant::now();
        pacer.start(now); // at 10.000
        assert_eq!(pacer.next(now + ms(2500), ms(12_500)), now + ms(3000));
    }
}
