//! Topics of an earlier run. They begin with the newest tick and the history that were saved, and are stale until
//! their next tick.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Aged, Board, Due};
use crate::sample::Class;
use crate::source::SourceId;
use crate::tick::Tick;
use crate::tier::Tier;
use crate::topic::Topic;
use crate::wire::frame::Frame;

/// A topic as an earlier run left it.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The source it belongs to.
    pub source: SourceId,
    /// Its newest tick, numbered.
    pub newest: Tick,
    /// Ticks with a `seq` up to this number are gone.
    pub floor: u64,
    /// The ticks above it that are kept, numbered and in order.
    pub past: Vec<Tick>,
}

impl Board {
    /// Puts topics of an earlier run on an empty board, and appends what is due of them to `due`. The history has
    /// these ticks already, so the caller does not pass them to [`Board::remember`]. `n` is the process-wide number
    /// of that run's newest tick; `now_ms` is the wall clock's time, in Unix milliseconds.
    pub fn restore(&mut self, restored: Vec<Restored>, n: u64, now_ms: u64, due: &mut Vec<Due>) {
        self.n = n;
        // The earlier run may have had topics that were not saved. So new topics begin above every number that was
        // given.
        self.sources.values_mut().for_each(|source| source.retired_any = true);
        self.closed_any = true;
        let (mut past, mut waiting) = (Vec::new(), HashMap::new());
        for Restored { source, newest, floor, past: ticks } in restored {
            if !self.sources.contains_key(&source) || self.by_name.contains_key(newest.topic.name()) {
                continue;
            }
            let topic = newest.topic.clone();
            let id = self.introduce(source, &topic);
            let signer = self.sources.get(&source).and_then(|state| state.source.signer.clone());
            let framed = |tick| Arc::new(Frame::of(tick, signer.as_ref()));
            let mut frames: Vec<Arc<Frame>> = ticks.into_iter().map(framed).collect();
            let newest = match frames.pop_if(|frame| frame.tick().seq == newest.seq) {
                Some(frame) => {
                    frames.push(frame.clone());
                    frame
                }
                None => framed(newest),
            };
            waiting.insert(id, (floor, newest.clone()));
            past.extend(frames.into_iter().map(|frame| (id, frame)));
            let (Some(Some(place)), Some(state)) =
                (self.places.get_mut(id.0 as usize), self.sources.get_mut(&source))
            else {
                continue;
            };
            place.seq = newest.tick().seq;
            place.is_restored = true;
            if topic.class() == Class::State {
                place.is_stale = true;
                state.ages.stale += 1;
                state.ages.restored += 1;
                self.aged.push(Aged { topic: id, is_stale: true });
            }
            let slower = state.dirty.get_mut(1..).unwrap_or_default();
            let is_newest = place.push(id, &newest, false, slower);
            due.push(Due { topic: id, tier: Tier::Every, frame: newest, earlier: None, is_newest });
        }
        // Ticks go into the rings in the order in which they were pushed, as far as it is known.
        past.sort_by_key(|(_, frame)| frame.tick().n);
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        let mut at = i64::MIN;
        for (id, frame) in past {
            let age_ms = now_ms.saturating_sub(frame.tick().ts);
            let pushed = now.saturating_sub(i64::try_from(age_ms.saturating_mul(1_000)).unwrap_or(i64::MAX));
            at = at.max(pushed);
            if let Some((floor, newest)) = waiting.remove(&id) {
                self.history.reopen(id, floor, newest);
            }
            self.history.push(id, &[], &frame, at);
        }
        for (id, (floor, newest)) in waiting {
            self.history.reopen(id, floor, newest);
        }
        self.history.expire(now);
    }

    /// The topic of the same name, restored or numbered by another node until now, that a feed now speaks of as `topic`. If
    /// it has another kind or class, that topic is retired and there is none.
    pub(super) fn adopt(&mut self, source: SourceId, topic: &Topic) -> Option<super::TopicId> {
        let id = self.find(topic.name())?;
        let place = self.places.get_mut(id.0 as usize)?.as_mut();
        let place = place.filter(|place| place.is_restored || place.is_anothers)?;
        if (place.topic.kind(), place.topic.class()) != (topic.kind(), topic.class()) {
            self.take_off(source, id);
            return None;
        }
        place.is_anothers = false;
        let before = place.alias.replace(topic.clone());
        self.by_topic.remove(before.as_ref().unwrap_or(&place.topic));
        self.by_topic.insert(topic.clone(), id);
        Some(id)
    }
}
