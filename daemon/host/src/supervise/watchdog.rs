//! Whether a push feed still gives signs of life: a clock with two alarms. Pure.

use std::time::{Duration, Instant};

use crate::log::figures::seconds;

/// How many times signs of life are looked for within the limit. A sign may be older than it seems by one such interval.
const LOOKS: u32 = 4;

/// How long a silence has lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// As long as the limit: the feed is to be interrupted.
    First,
    /// Twice as long: the feed hangs.
    Second,
}

/// The clock of one feed.
#[derive(Debug)]
pub struct Watchdog {
    limit: Duration,
    heard: Instant,
    rung: Option<Alarm>,
}

impl Watchdog {
    /// Counts from `now`.
    pub fn new(limit: Duration, now: Instant) -> Watchdog {
        Watchdog { limit, heard: now, rung: None }
    }

    /// `alive` says whether there was a sign of life since the last look. Each alarm comes once per silence.
    pub fn look(&mut self, alive: bool, now: Instant) -> Option<Alarm> {
        if alive {
            self.heard = now;
            self.rung = None;
            return None;
        }
        let silence = now.saturating_duration_since(self.heard);
        let next = match self.rung {
            None if silence >= self.limit => Alarm::First,
            Some(Alarm::First) if silence >= self.limit * 2 => Alarm::Second,
            _ => return None,
        };
        self.rung = Some(next);
        Some(next)
    }

    /// How long until the next look is due.
    pub fn wait(&self) -> Duration {
        self.limit / LOOKS
    }

    /// How long the feed has been silent, if that is too long.
    pub fn silence(&self) -> Option<Duration> {
        self.rung.map(|alarm| if alarm == Alarm::First { self.limit } else { self.limit * 2 })
    }

    /// The same, told.
    pub fn told_silence(&self) -> Option<String> {
        self.silence().map(|silence| format!("no sign of life for {}", seconds(silence)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_alarms_per_silence_and_a_sign_of_life_ends_it() {
        let (limit, start) = (Duration::from_secs(30), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        let mut watchdog = Watchdog::new(limit, start);
        assert_eq!(watchdog.look(false, at(29)), None);
        assert_eq!(watchdog.look(false, at(30)), Some(Alarm::First));
        assert_eq!(watchdog.silence(), Some(limit));
        assert_eq!(watchdog.look(false, at(59)), None, "once");
        assert_eq!(watchdog.look(true, at(59)), None);
        assert_eq!(watchdog.silence(), None);
        assert_eq!(watchdog.look(false, at(88)), None);
        assert_eq!(watchdog.look(false, at(89)), Some(Alarm::First));
        assert_eq!(watchdog.look(false, at(119)), Some(Alarm::Second));
        assert_eq!(watchdog.look(false, at(999)), None);
        assert_eq!(watchdog.silence(), Some(2 * limit));
    }
}
