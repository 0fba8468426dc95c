//! The time by which bars get too old, and the times of which nothing is known.
//!
//! The wall clock may be wrong for a while. A clock that is an hour ahead must not end an hour of bars: so the time by which
//! bars get too old runs at most twice as fast as real time. If the wall clock is still ahead of that after an hour, it is right:
//! this computer was off, or its clock was wrong before.

use std::collections::{HashMap, VecDeque};

use super::book::STEP_BACK_MAX_MS;
use crate::source::SourceId;

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

/// Clocks of other computers that differ by less are taken to agree.
const AGREE_MS: i64 = 60_000;
/// By how much clocks differ is known in steps of this, so that it does not move with each message.
const STEP_MS: i64 = 10_000;

/// The clocks of other computers that accept the ticks of sources. The bars of those go by them, whatever the clock here says:
/// otherwise a bar would close here before its last ticks have come.
#[derive(Debug, Default)]
pub struct Others(HashMap<SourceId, Other>);

#[derive(Debug, Clone, Copy)]
struct Other {
    /// All ticks before this time of it are here.
    ts: u64,
    /// When that was heard, on the clock that is never set.
    mono: u64,
    /// By how much it is ahead of the clock here.
    ahead: i64,
    /// If it says nothing for this long, it had nothing to say up to so long ago. `u64::MAX`: it is not heard.
    wait: u64,
}

impl Other {
    /// How late it is there, at least.
    fn now(&self, mine: &Clock) -> u64 {
        let passed = mine.mono.saturating_sub(self.mono);
        self.ts.saturating_add(passed.saturating_sub(self.wait))
    }
}

impl Others {
    /// All that was accepted there before `ts`, by that clock, is here; if nothing is said for `wait` milliseconds, nothing waits
    /// there either.
    pub fn hear(&mut self, mine: &Clock, source: SourceId, ts: u64, wait: u64) {
        let difference = i64::try_from(ts).unwrap_or(i64::MAX) - i64::try_from(mine.wall).unwrap_or(i64::MAX);
        let ahead = match difference.abs() < AGREE_MS {
            true => 0,
            // Later rather than sooner: less is said to be known.
            false => difference.div_euclid(STEP_MS).saturating_add(1).saturating_mul(STEP_MS),
        };
        let known = self.0.get(&source).map_or(0, |other| other.now(mine));
        // Another one may accept them now, whose clock is behind by much.
        let is_behind = ts.saturating_add(STEP_BACK_MAX_MS) < known;
        let ts = if is_behind { ts } else { ts.max(known) };
        self.0.insert(source, Other { ts, mono: mine.mono, ahead, wait });
    }

    /// It is not heard: what was accepted there meanwhile may still come.
    pub fn miss(&mut self, mine: &Clock, source: SourceId) {
        if let Some(other) = self.0.get_mut(&source) {
            *other = Other { ts: other.now(mine), mono: mine.mono, wait: u64::MAX, ..*other };
        }
    }

    /// The ticks of that source are accepted here, or nowhere.
    pub fn forget(&mut self, source: SourceId) {
        self.0.remove(&source);
    }

    /// How late it is for the bars of a source.
    pub fn now_of(&self, mine: &Clock, source: Option<SourceId>) -> u64 {
        source.and_then(|source| self.0.get(&source)).map_or(mine.wall, |other| other.now(mine))
    }

    /// By how much the clock that its bars go by is ahead of the one here.
    pub fn ahead_of(&self, source: Option<SourceId>) -> i64 {
        source.and_then(|source| self.0.get(&source)).map_or(0, |other| other.ahead)
    }
}

/// A time by the clock here, by one that is so far ahead.
pub fn shifted(ms: u64, ahead: i64) -> u64 {
    ms.saturating_add_signed(ahead)
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

    const F: SourceId = SourceId(1);

    fn begun() -> (Clock, Others) {
        let mut clock = Clock::default();
        clock.look(1_000, NOON);
        (clock, Others::default())
    }

    #[test]
    fn it_is_as_late_as_was_heard_until_nothing_is_said_for_long() {
        let (mut clock, mut others) = begun();
        assert_eq!(others.now_of(&clock, Some(F)), NOON, "its ticks are accepted here");
        others.hear(&clock, F, NOON - 20, 2_000);
        clock.look(3_000, NOON + 2_000);
        assert_eq!(others.now_of(&clock, Some(F)), NOON - 20);
        clock.look(3_500, NOON + 2_500);
        assert_eq!(others.now_of(&clock, Some(F)), NOON + 480);
        others.miss(&clock, F);
        clock.look(900_000, NOON + 900_000);
        assert_eq!(others.now_of(&clock, Some(F)), NOON + 480, "what it said meanwhile may still come");
        others.hear(&clock, F, NOON + 400, 2_000);
        assert_eq!(others.now_of(&clock, Some(F)), NOON + 480, "not back by a little");
        others.forget(F);
        assert_eq!(others.now_of(&clock, Some(F)), NOON + 900_000);
    }

    #[test]
    fn a_clock_that_is_hours_apart_is_gone_by() {
        let (clock, mut others) = begun();
        let hour = 3_600_000;
        for (ts, ahead) in [(NOON + 50_000, 0), (NOON + 7 * hour, 25_210_000), (NOON - 5 * hour, -17_990_000)]
        {
            others.hear(&clock, F, ts, 2_000);
            assert_eq!(others.ahead_of(Some(F)), ahead);
            assert_eq!(others.now_of(&clock, Some(F)), ts);
        }
        assert_eq!(shifted(NOON, -5), NOON - 5);
    }
}
