//! The beats of the last minute, one joined to the next, for those who missed some.

use std::collections::VecDeque;

use crate::beat::{Beat, Position, Root};
use crate::time::Millis;

/// A beat is kept this long.
const AGE_MAX: Millis = 60_000;
/// So many beats are in one answer; who needs more asks again.
const ANSWER_MAX: usize = 64;
/// And so much of them, as `weigh` has it, but at least one: an answer is one message.
const ANSWER_WEIGHT_MAX: usize = 16 << 20;

#[derive(Debug)]
pub struct Kept<L> {
    /// What came right before the first of them.
    base: Option<Position>,
    beats: VecDeque<(Millis, Beat<L>)>,
    /// Bytes or any other measure, as `weigh` has it.
    weight: usize,
    weight_max: usize,
    weigh: fn(&L) -> usize,
}

impl<L: Clone> Kept<L> {
    pub fn new(weight_max: usize, weigh: fn(&L) -> usize) -> Kept<L> {
        Kept { base: None, beats: VecDeque::new(), weight: 0, weight_max, weigh }
    }

    /// It joins to the one before.
    pub fn push(&mut self, beat: Beat<L>, now: Millis) {
        self.weight += (self.weigh)(&beat.load);
        self.beats.push_back((now, beat));
        while self.weight > self.weight_max
            || self.beats.front().is_some_and(|(at, _)| now.saturating_sub(*at) > AGE_MAX)
        {
            let Some((_, oldest)) = self.beats.pop_front() else { return };
            self.weight -= (self.weigh)(&oldest.load);
            self.base = Some(oldest.head.at);
        }
    }

    /// What was before is not joined to what comes.
    pub fn restart(&mut self, base: Option<Position>) {
        self.beats.clear();
        (self.base, self.weight) = (base, 0);
    }

    /// What comes after that beat for a board with that root's numbers. `None`: only the whole board helps.
    pub fn after(&self, position: Option<&Position>, root: Option<&Root>) -> Option<Vec<Beat<L>>> {
        let all = || self.beats.iter().map(|(_, beat)| beat);
        let known = position.and_then(|position| {
            let is_base = self.base.as_ref() == Some(position);
            let found = all().position(|beat| beat.head.at == *position).map(|index| index + 1);
            if is_base { Some(0) } else { found }
        });
        // Who was somewhere else may go on where numbers begin, if that is ahead of them.
        let begin = || {
            let ahead = |beat: &Beat<L>| {
                let era = beat.head.at.era;
                position.is_none_or(|position| era > position.era) && root.is_none_or(|root| era > root.era)
            };
            let index = self.beats.iter().rposition(|(_, beat)| beat.head.begins())?;
            self.beats.get(index).is_some_and(|(_, beat)| ahead(beat)).then_some(index)
        };
        let from = known.or_else(begin)?;
        let mut weight = 0;
        let fits = |(index, beat): &(usize, &Beat<L>)| {
            weight += (self.weigh)(&beat.load);
            *index == 0 || weight <= ANSWER_WEIGHT_MAX
        };
        let beats = all().skip(from).take(ANSWER_MAX).enumerate().take_while(fits);
        Some(beats.map(|(_, beat)| beat.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beat::{Head, Node};
    use crate::era::Era;

    #[test]
    fn an_answer_has_at_least_one_beat_and_no_more_than_fit_in_a_message() {
        let mut kept = Kept::new(usize::MAX, |bytes: &usize| *bytes);
        let (era, node) = (Era::NONE, Node { name: "a".into(), life: 1 });
        let root = Root { era, node: node.clone() };
        for (number, bytes) in (1..).zip([1, 100 << 20, 6 << 20, 10 << 20, 1, 5]) {
            let at = Position { era, node: node.clone(), number };
            kept.push(
                Beat { head: Head { at, root: root.clone(), follows: None, hands_to: None }, load: bytes },
                0,
            );
        }
        let after = |number| {
            let at = Position { era, node: node.clone(), number };
            let beats = kept.after(Some(&at), Some(&root)).unwrap_or_default();
            beats.iter().map(|beat| beat.head.at.number).collect::<Vec<_>>()
        };
        assert_eq!((after(1), after(2), after(4), after(6)), (vec![2], vec![3, 4], vec![5, 6], vec![]));
    }
}
