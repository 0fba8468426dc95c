//! Beats as they come, put in order: which are taken, which are dropped, and what is missing.

use std::collections::BTreeMap;

use crate::beat::{Answer, Beat, Head, Node, Position, Root};
use crate::era::Era;
use crate::roll::SILENCE;
use crate::time::Millis;

/// Beats that wait for one before them. More are dropped, and asked for again.
const WAITING_MAX: usize = 128;
/// A beat that comes a little out of order is waited for this long before it is asked for.
const PATIENCE: Millis = 50;
/// An answer is waited for this long.
const ANSWER: Millis = 300;
/// All that a holder says is dropped for this long before it is told.
const DROPPED: Millis = 2_000;
/// Holders that are dropped and known at once.
const DROPPED_MAX: usize = 64;
/// A holder is told at most this often.
const TELL: Millis = 10_000;

/// How a beat continues what was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Right after the beat before.
    Next,
    /// Numbers of its own begin: what was missed of the numbers before is lost.
    Begins,
    /// The whole board, in place of beats that could not be had.
    Whole,
}

/// What was not applied, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of a holder that is not followed (any more).
    pub fenced: u64,
    /// They came again.
    pub repeated: u64,
    /// Beats that did not join to the one before when they came.
    pub holes: u64,
    /// They cannot be: made up or damaged.
    pub unsound: u64,
}

/// Whom a node follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub era: Era,
    /// `None`: the era is over for this node, whoever says it.
    pub node: Option<Node>,
}

#[derive(Debug)]
pub struct Follow<L> {
    fence: Fence,
    /// The beat that was applied last.
    at: Option<Position>,
    root: Option<Root>,
    waiting: BTreeMap<(Era, u64), Beat<L>>,
    whole: Option<Beat<L>>,
    /// The newest beat that the holder says it sent.
    newest: u64,
    /// Since when something is missing.
    missing: Option<Millis>,
    asked: Option<Millis>,
    /// By who speaks as the holder and is not followed: since when, and when last.
    dropping: BTreeMap<Node, (Millis, Millis)>,
    told: Option<Millis>,
    pub counts: Counts,
}

impl<L: Clone> Follow<L> {
    /// The board has what `past` numbered, from a life before.
    pub fn new(past: Option<Root>) -> Follow<L> {
        Follow {
            fence: Fence { era: past.as_ref().map_or(Era::NONE, |root| root.era.before()), node: None },
            at: None,
            root: past,
            waiting: BTreeMap::new(),
            whole: None,
            newest: 0,
            missing: None,
            asked: None,
            dropping: BTreeMap::new(),
            told: None,
            counts: Counts::default(),
        }
    }

    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    pub fn at(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    pub fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// Follows that node from now on. What waited was of another's way; what is missing is asked for.
    pub fn raise(&mut self, era: Era, node: Option<Node>) {
        if era > self.fence.era {
            self.fence = Fence { era, node };
            (self.newest, self.asked) = (0, None);
            self.waiting.clear();
        }
    }

    /// Whether the board can go on with these numbers. Two that took one era number in one range, and either may have handed
    /// the feed on: then it is not the era that tells them apart.
    fn can_have(&self, root: &Root) -> bool {
        self.root.as_ref().is_none_or(|mine| root == mine || root.era > mine.era)
    }

    /// Whether what this node says in this era is listened to.
    pub fn admits(&mut self, era: Era, node: &Node, root: &Root, now: Millis) -> bool {
        self.raise(era, Some(node.clone()));
        let admitted = self.fence.era == era && self.fence.node.as_ref() == Some(node) && self.can_have(root);
        if admitted {
            self.dropping.remove(node);
        } else {
            self.drop_of(node, now);
        }
        admitted
    }

    fn drop_of(&mut self, node: &Node, now: Millis) {
        self.dropping.retain(|_, (_, last)| now.saturating_sub(*last) < SILENCE);
        if let Some((_, last)) = self.dropping.get_mut(node) {
            *last = now;
        } else if self.dropping.len() < DROPPED_MAX {
            self.dropping.insert(node.clone(), (now, now));
        }
    }

    /// The holder says that this is its newest beat.
    pub fn newest(&mut self, number: u64, now: Millis) {
        self.newest = self.newest.max(number);
        self.look(now);
    }

    pub fn hear(&mut self, beat: Beat<L>, now: Millis) {
        let head = &beat.head;
        if !head.is_sound() {
            self.counts.unsound += 1;
        } else if !self.admits(head.at.era, &head.at.node, &head.root, now) {
            self.counts.fenced += 1;
        } else {
            self.newest = self.newest.max(head.at.number);
            self.wait(beat);
            self.look(now);
        }
    }

    /// What was asked for. It may lead through earlier eras up to the one that is followed.
    pub fn answered(&mut self, by: &Node, answer: Answer<L>, now: Millis) {
        if self.fence.node.as_ref() != Some(by) {
            return;
        }
        match answer {
            Answer::Beats(beats) => beats.into_iter().for_each(|beat| {
                let Position { era, node, .. } = &beat.head.at;
                let followed = *era < self.fence.era || (*era == self.fence.era && node == by);
                if !beat.head.is_sound() || !followed || !self.can_have(&beat.head.root) {
                    self.counts.unsound += 1;
                } else {
                    self.wait(beat);
                }
            }),
            Answer::Whole(beat) => {
                let Head { at, root, .. } = &beat.head;
                let followed = at.era == self.fence.era
                    && Some(&at.node) == self.fence.node.as_ref()
                    && self.can_have(root);
                if followed && !self.is_behind(at) {
                    self.whole = Some(beat);
                }
            }
        }
        self.asked = None;
        self.look(now);
    }

    fn is_behind(&self, at: &Position) -> bool {
        self.at.as_ref().is_some_and(|mine| (at.era, at.number) <= (mine.era, mine.number))
    }

    fn wait(&mut self, beat: Beat<L>) {
        let key = (beat.head.at.era, beat.head.at.number);
        let same = self.waiting.get(&key).is_some_and(|waiting| waiting.head.at == beat.head.at);
        if self.is_behind(&beat.head.at) || same {
            self.counts.repeated += 1;
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            // The latest is the one that is asked for last.
            self.waiting.pop_last();
        }
        self.waiting.insert(key, beat);
    }

    /// Notes whether something is missing.
    fn look(&mut self, now: Millis) {
        let behind = self.fence.node.is_some()
            && self.newest > 0
            && self.at.as_ref().is_none_or(|at| (at.era, at.number) < (self.fence.era, self.newest));
        let ready = self.whole.is_some()
            || self.waiting.values().next().is_some_and(|beat| self.goes_on(&beat.head).is_some());
        if !behind || ready {
            self.missing = None;
        } else if self.missing.is_none() {
            self.counts.holes += 1;
            self.missing = Some(now);
        }
    }

    fn goes_on(&self, head: &Head) -> Option<Joint> {
        let same = self.root.as_ref() == Some(&head.root);
        if head.begins() && !same && self.can_have(&head.root) {
            return Some(Joint::Begins);
        }
        // The numbers go on, so they are still the same one's.
        self.at.as_ref().filter(|at| same && head.joins(at)).map(|_| Joint::Next)
    }

    /// The next beat to apply.
    pub fn next(&mut self, now: Millis) -> Option<(Beat<L>, Joint)> {
        loop {
            if let Some(whole) = self.whole.take() {
                if !self.is_behind(&whole.head.at) {
                    self.apply(&whole.head, now);
                    return Some((whole, Joint::Whole));
                }
                continue;
            }
            let first = self.waiting.first_entry()?;
            let behind = self.at.as_ref().is_some_and(|mine| *first.key() <= (mine.era, mine.number));
            if behind {
                first.remove();
                continue;
            }
            let beat = self.waiting.values().next()?;
            let joint = self.goes_on(&beat.head)?;
            let (_, beat) = self.waiting.pop_first()?;
            self.apply(&beat.head, now);
            return Some((beat, joint));
        }
    }

    /// What this node itself said, or what was applied.
    pub fn apply(&mut self, head: &Head, now: Millis) {
        self.at = Some(head.at.clone());
        self.root = Some(head.root.clone());
        self.missing = None;
        self.look(now);
    }

    /// What was applied is not on the board: all of it is needed anew.
    pub fn lose(&mut self, now: Millis) {
        self.at = None;
        self.look(now);
    }

    /// Since when something is missing.
    pub fn missing(&self) -> Option<Millis> {
        self.missing
    }

    /// Whom to ask for what comes next.
    pub fn ask(&mut self, now: Millis) -> Option<Node> {
        self.look(now);
        let due = self.missing.is_some_and(|since| now.saturating_sub(since) >= PATIENCE)
            && self.asked.is_none_or(|at| now.saturating_sub(at) >= ANSWER);
        let holder = self.fence.node.clone().filter(|_| due)?;
        self.asked = Some(now);
        Some(holder)
    }

    /// What holders are to be told of whom nothing is taken here: the era that is followed, and who holds it. It is not named where
    /// it is the one of whom nothing can be taken.
    pub fn tell(&mut self, now: Millis) -> Option<(Era, Option<Node>)> {
        let is_long = |(since, last): &(Millis, Millis)| {
            now.saturating_sub(*since) >= DROPPED && now.saturating_sub(*last) < SILENCE
        };
        let mut dropped = self.dropping.iter().filter(|(_, times)| is_long(times)).map(|(node, _)| node);
        let is_others = dropped.clone().all(|node| self.fence.node.as_ref() != Some(node));
        let due = self.told.is_none_or(|at| now.saturating_sub(at) >= TELL);
        dropped.next().filter(|_| due)?;
        self.told = Some(now);
        Some((self.fence.era, self.fence.node.clone().filter(|_| is_others)))
    }
}
