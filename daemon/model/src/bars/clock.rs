//! The time by which bars get too old, and the times of which nothing is known.
//!
//! The wall clock may be wrong for a while. A clock that is an hour ahead must not end an hour of bars: so the time by which
//! bars get too old runs at most twice as fast as real time. If the wall clock is still ahead of that after an hour, it is right:
//! this computer was off, or its clock was wrong before.

use std::collections::VecDeque;

/// The wall clock may run ahead of real time by so much between two looks, in milliseconds. If it runs ahead further, this
/// computer slept or the clock was set: nothing is known of the time between.
const AHEAD_MAX_MS: u64 = 10_000;
/// A wall clock that was ahead for so long is right, in milliseconds.
const BELIEVED_AFTER_MS: u64 = 3_600_000;
/// Most times that are noted. Over that nothing is known up to the end of the oldest.
const UNKNOWN_MAX: usize = 256;

/// A time of which nothing is known, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown {
    pub from: u64,
    pub to: u64,
}

/// What is known of the time. All in milliseconds; `wall` is Unix time, `mono` a clock that is never set.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    wall: u64,
    mono: u64,
    /// The time by which bars get too old.
    ageing: u64,
    /// Since when the wall clock is ahead of that, on the clock that is never set.
    ahead_since: Option<u64>,
    /// Since when something is known; 0: not begun.
    began: u64,
    has_looked: bool,
    unknown: VecDeque<Unknown>,
}

impl Clock {
    /// A clock of a process that goes on where an earlier one ended: that one knew times since `began`, except the `unknown`
    /// ones, until `until`.
    pub fn resume(began: u64, until: u64, unknown: impl IntoIterator<Item = Unknown>) -> Clock {
        let unknown = unknown.into_iter().collect();
        // The first look finds the time between.
        Clock { wall: until, ageing: until, began, unknown, ..Clock::default() }
    }

    /// It is this late now.
    pub fn look(&mut self, mono: u64, wall: u64) {
        let passed = mono.saturating_sub(self.mono);
        let slack = if std::mem::replace(&mut self.has_looked, true) { AHEAD_MAX_MS } else { 0 };
        match self.began {
            0 => (self.began, self.ageing) = (wall, wall),
            _ if wall > self.wall.saturating_add(passed).saturating_add(slack) => {
                self.unknown.push_back(Unknown { from: self.wall, to: wall });
                while self.unknown.len() > UNKNOWN_MAX
                    && let Some(oldest) = self.unknown.pop_front()
                {
                    self.began = self.began.max(oldest.to);
                }
            }
            // It was ahead: what was noted of the future is no time at all.
            _ if wall < self.wall => {
                self.unknown.retain_mut(|time| {
                    time.to = time.to.min(wall);
                    time.from < time.to
                });
                self.began = self.began.min(wall);
            }
            _ => {}
        }
        self.ageing = wall.min(self.ageing.saturating_add(passed.saturating_mul(2)));
        (self.wall, self.mono) = (wall, mono);
        if self.ageing == wall {
            self.ahead_since = None;
        } else if mono.saturating_sub(*self.ahead_since.get_or_insert(mono)) >= BELIEVED_AFTER_MS {
            self.believe();
        }
    }

    /// Bars get too old by the wall clock from now on. Says whether they did not before.
    pub fn believe(&mut self) -> bool {
        self.ahead_since = None;
        std::mem::replace(&mut self.ageing, self.wall) < self.wall
    }

    /// The clock that is never set, at the last look.
    pub fn mono(&self) -> u64 {
        self.mono
    }

    /// The wall clock at the last look.
    pub fn wall(&self) -> u64 {
        self.wall
    }

    /// The time by which bars get too old.
    pub fn ageing(&self) -> u64 {
        self.ageing
    }

    /// Since when something is known.
    pub fn began(&self) -> u64 {
        self.began
    }

    /// The times of which nothing is known, in order.
    pub fn unknown(&self) -> impl Iterator<Item = Unknown> + '_ {
        self.unknown.iter().copied()
    }

    /// Forgets what ended before `before`.
    pub fn forget(&mut self, before: u64) {
        self.unknown.retain(|time| time.to > before);
        self.began = self.began.max(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    #[test]
    fn a_computer_that_slept_knows_that_it_does_not_know() {
        let mut clock = Clock::default();
        clock.look(0, NOON);
        clock.look(1_000, NOON + 1_000);
        clock.look(2_000, NOON + HOUR);
        clock.look(3_000, NOON + HOUR + 1_000);
        let slept = Unknown { from: NOON + 1_000, to: NOON + HOUR };
        assert_eq!(clock.unknown().collect::<Vec<_>>(), [slept]);
        assert_eq!((clock.began(), clock.wall()), (NOON, NOON + HOUR + 1_000));
        clock.forget(NOON + HOUR);
        assert_eq!((clock.unknown().count(), clock.began()), (0, NOON + HOUR));
    }

    #[test]
    fn a_clock_that_was_ahead_ends_nothing() {
        let mut clock = Clock::default();
        clock.look(0, NOON);
        clock.look(1_000, NOON + 1_000 * HOUR);
        assert_eq!(clock.ageing(), NOON + 2_000, "twice as fast at most");
        clock.look(2_000, NOON + 2_000);
        assert_eq!((clock.ageing(), clock.wall()), (NOON + 2_000, NOON + 2_000));
        assert_eq!(clock.unknown().map(|time| time.to - time.from).collect::<Vec<_>>(), [2_000]);
        clock.look(3_000, NOON - HOUR);
        assert_eq!((clock.unknown().count(), clock.ageing(), clock.began()), (0, NOON - HOUR, NOON - HOUR));
    }

    #[test]
    fn a_clock_that_stays_ahead_is_right() {
        let mut clock = Clock::default();
        clock.look(0, 1_000);
        for passed in (0..HOUR).step_by(1_000) {
            clock.look(1_000 + passed, NOON + passed);
            assert!(clock.ageing() < NOON, "after {passed} ms");
        }
        clock.look(1_000 + HOUR, NOON + HOUR);
        assert_eq!(clock.ageing(), NOON + HOUR);
        clock.look(2_000 + HOUR, NOON);
        assert_eq!(clock.ageing(), NOON, "it may be set back again");
    }

    #[test]
    fn times_of_which_nothing_is_known_are_bounded_and_none_becomes_known() {
        let mut clock = Clock::default();
        for nth in 0..UNKNOWN_MAX as u64 + 10 {
            clock.look(nth * 1_000, NOON + nth * HOUR);
        }
        assert_eq!(clock.unknown().count(), UNKNOWN_MAX);
        assert_eq!(clock.unknown().next().map(|time| time.from), Some(clock.began()));
        assert_eq!(clock.began(), NOON + 9 * HOUR);
    }

    #[test]
    fn another_run_goes_on_where_the_first_ended() {
        let before = Unknown { from: NOON - 5 * HOUR, to: NOON - 4 * HOUR };
        let mut clock = Clock::resume(NOON - 9 * HOUR, NOON - HOUR, [before]);
        clock.look(0, NOON);
        let down = Unknown { from: NOON - HOUR, to: NOON };
        assert_eq!(clock.unknown().collect::<Vec<_>>(), [before, down]);
        assert_eq!((clock.began(), clock.ageing()), (NOON - 9 * HOUR, NOON - HOUR));
    }
}
