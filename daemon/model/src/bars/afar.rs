//! Sources whose ticks another computer accepted. Their bars go by that one's clock, whatever the clock here says; otherwise a bar
//! would close here before its last ticks have come.

use super::Bars;
use super::clock::Clock;
use crate::source::SourceId;

/// Clocks that differ by less are taken to agree.
const AGREE_MS: i64 = 60_000;
/// By how much clocks differ is known in steps of this, so that it does not move with each message.
const STEP_MS: i64 = 10_000;

/// What is known of the clock of who accepts a source's ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Afar {
    /// All ticks before this time of it are here.
    ts: u64,
    /// When that was heard, on the clock that is never set.
    mono: u64,
    /// By how much it is ahead of the clock here.
    pub(super) ahead: i64,
    /// If it says nothing for this long, it had nothing to say up to so long ago. `u64::MAX`: it is not heard.
    wait: u64,
}

impl Afar {
    /// How late it is there, at least.
    fn now(&self, clock: &Clock) -> u64 {
        let passed = clock.mono().saturating_sub(self.mono);
        self.ts.saturating_add(passed.saturating_sub(self.wait))
    }
}

/// A time by the clock here, by one that is so far ahead.
pub(super) fn shifted(ms: u64, ahead: i64) -> u64 {
    ms.saturating_add_signed(ahead)
}

impl Bars {
    /// The ticks of a source come from another computer. All that it accepted before `ts`, by its clock, is here; if it says
    /// nothing for `wait_ms`, nothing waits there either.
    pub fn hear(&mut self, source: SourceId, ts: u64, wait_ms: u64) {
        let difference =
            i64::try_from(ts).unwrap_or(i64::MAX) - i64::try_from(self.clock.wall()).unwrap_or(i64::MAX);
        let ahead = match difference.abs() < AGREE_MS {
            true => 0,
            // Later rather than sooner: less is said to be known.
            false => difference.div_euclid(STEP_MS).saturating_add(1).saturating_mul(STEP_MS),
        };
        let known = self.afar.get(&source).map_or(0, |afar| afar.now(&self.clock));
        // Another one may hold it now, whose clock is behind by much.
        let is_behind = ts.saturating_add(super::STEP_BACK_MAX_MS) < known;
        let ts = if is_behind { ts } else { ts.max(known) };
        self.afar.insert(source, Afar { ts, mono: self.clock.mono(), ahead, wait: wait_ms });
    }

    /// Who accepts a source's ticks is not heard: what it accepted meanwhile may still come.
    pub fn miss(&mut self, source: SourceId) {
        if let Some(afar) = self.afar.get_mut(&source) {
            *afar = Afar { ts: afar.now(&self.clock), mono: self.clock.mono(), wait: u64::MAX, ..*afar };
        }
    }

    /// The ticks of a source are accepted here.
    pub fn accept_here(&mut self, source: SourceId) {
        self.afar.remove(&source);
    }

    /// How late it is for the bars of a source.
    pub(super) fn now_of(&self, source: Option<SourceId>) -> u64 {
        let afar = source.and_then(|source| self.afar.get(&source));
        afar.map_or(self.clock.wall(), |afar| afar.now(&self.clock))
    }

    /// By how much the clock that its bars go by is ahead of the one here.
    pub(super) fn ahead_of(&self, source: Option<SourceId>) -> i64 {
        source.and_then(|source| self.afar.get(&source)).map_or(0, |afar| afar.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000_000;
    const F: SourceId = SourceId(1);

    fn bars(mono: u64, wall: u64) -> Bars {
        let mut bars = Bars::new(super::super::plan::Plan::new(Vec::new()), 0);
        bars.look(mono, wall);
        bars
    }

    #[test]
    fn it_is_as_late_as_was_heard_until_nothing_is_said_for_long() {
        let mut bars = bars(1_000, NOON);
        assert_eq!(bars.now_of(Some(F)), NOON, "its ticks are accepted here");
        bars.hear(F, NOON - 20, 2_000);
        bars.look(3_000, NOON + 2_000);
        assert_eq!(bars.now_of(Some(F)), NOON - 20);
        bars.look(3_500, NOON + 2_500);
        assert_eq!(bars.now_of(Some(F)), NOON + 480);
        bars.miss(F);
        bars.look(900_000, NOON + 900_000);
        assert_eq!(bars.now_of(Some(F)), NOON + 480, "what it said meanwhile may still come");
        bars.hear(F, NOON + 400, 2_000);
        assert_eq!(bars.now_of(Some(F)), NOON + 480, "not back by a little");
        bars.accept_here(F);
        assert_eq!(bars.now_of(Some(F)), NOON + 900_000);
    }

    #[test]
    fn a_clock_that_is_hours_apart_is_gone_by() {
        let mut bars = bars(1_000, NOON);
        let hour = 3_600_000;
        for (ts, ahead) in [(NOON + 50_000, 0), (NOON + 7 * hour, 25_210_000), (NOON - 5 * hour, -17_990_000)]
        {
            bars.hear(F, ts, 2_000);
            assert_eq!(bars.ahead_of(Some(F)), ahead);
            assert_eq!(bars.now_of(Some(F)), ts);
        }
        assert_eq!(shifted(NOON, -5), NOON - 5);
    }
}
