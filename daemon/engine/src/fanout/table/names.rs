//! Topics by the segments of their names: which of them a pattern may match, without a look at all the others.
//!
//! A pattern's candidates are the shortest list that holds all its matches: the topics that have one of its literal segments
//! at that segment's place, or all topics of its depth. Nothing is looked at to say how many candidates there are, so the
//! cost of a pattern is known before it is paid.

use super::ids::SlotId;
use std::collections::HashMap;
use tickerd_model::basics::slab::Key;
use tickerd_model::topic::{NAME_SEGMENTS_MAX, Pattern};

/// The topics that have spoken, by their segments.
#[derive(Debug)]
pub struct Names {
    /// By place in the name, and then by the segment there.
    by_segment: [HashMap<Box<str>, Vec<SlotId>>; NAME_SEGMENTS_MAX],
    /// By the number of segments, less one.
    by_depth: [Vec<SlotId>; NAME_SEGMENTS_MAX],
    /// By slot: where it is in each of its lists, that of its depth last.
    places: Vec<Vec<u32>>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            by_segment: std::array::from_fn(|_| HashMap::new()),
            by_depth: std::array::from_fn(|_| Vec::new()),
            places: Vec::new(),
        }
    }
}

impl Names {
    /// Adds a topic that is not there.
    pub fn add(&mut self, slot: SlotId, name: &str) {
        let at = slot.place() as usize;
        if self.places.len() <= at {
            self.places.resize_with(at + 1, Vec::new);
        }
        let mut places = Vec::with_capacity(NAME_SEGMENTS_MAX + 1);
        for (segment, lists) in name.split('.').zip(&mut self.by_segment) {
            if !lists.contains_key(segment) {
                lists.insert(segment.into(), Vec::with_capacity(1));
            }
            if let Some(list) = lists.get_mut(segment) {
                places.push(list.len() as u32);
                list.push(slot);
            }
        }
        if let Some(list) = places.len().checked_sub(1).and_then(|depth| self.by_depth.get_mut(depth)) {
            places.push(list.len() as u32);
            list.push(slot);
        }
        if let Some(kept) = self.places.get_mut(at) {
            *kept = places;
        }
    }

    /// Takes out a topic that is there.
    pub fn remove(&mut self, slot: SlotId, name: &str) {
        let Some(places) = self.places.get_mut(slot.place() as usize).map(std::mem::take) else { return };
        let mut depth = 0;
        for ((segment, lists), place) in name.split('.').zip(&mut self.by_segment).zip(&places) {
            if let Some(list) = lists.get_mut(segment) {
                take_out(list, *place, depth, &mut self.places);
                if list.is_empty() {
                    lists.remove(segment);
                }
            }
            depth += 1;
        }
        if let (Some(place), Some(list)) =
            (places.get(depth), depth.checked_sub(1).map(|at| &mut self.by_depth[at]))
        {
            take_out(list, *place, depth, &mut self.places);
        }
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        self.by_depth.iter().map(Vec::len).sum()
    }

    /// The topics among which are all that a pattern matches, each once.
    pub fn candidates<'a>(&'a self, pattern: &Pattern) -> impl Iterator<Item = SlotId> + use<'a> {
        self.lists(pattern).iter().flatten().copied()
    }

    /// How many candidates a pattern has.
    pub fn cost(&self, pattern: &Pattern) -> usize {
        self.lists(pattern).iter().map(Vec::len).sum()
    }

    fn lists(&self, pattern: &Pattern) -> &[Vec<SlotId>] {
        let (mut depth, mut is_open, mut shortest): (usize, bool, Option<&[Vec<SlotId>]>) = (0, false, None);
        for (segment, lists) in pattern.as_str().split('.').zip(&self.by_segment) {
            depth += 1;
            let list = match segment {
                "*" => continue,
                "**" => {
                    is_open = true;
                    continue;
                }
                literal => lists.get(literal).map(std::slice::from_ref).unwrap_or_default(),
            };
            let len = |lists: &[Vec<SlotId>]| lists.first().map_or(0, Vec::len);
            if shortest.is_none_or(|shortest| len(list) < len(shortest)) {
                shortest = Some(list);
            }
        }
        let at = depth.saturating_sub(1);
        let of_depth =
            if is_open { self.by_depth.get(at..) } else { self.by_depth.get(at..=at) }.unwrap_or_default();
        let all = |lists: &[Vec<SlotId>]| lists.iter().map(Vec::len).sum::<usize>();
        shortest.filter(|shortest| all(shortest) <= all(of_depth)).unwrap_or(of_depth)
    }
}

/// The last of a list moves into the gap; `which` of its lists that is, it is told.
fn take_out(list: &mut Vec<SlotId>, place: u32, which: usize, places: &mut [Vec<u32>]) {
    if (place as usize) < list.len() {
        list.swap_remove(place as usize);
    }
    if let Some(moved) = list.get(place as usize)
        && let Some(kept) = places.get_mut(moved.place() as usize).and_then(|places| places.get_mut(which))
    {
        *kept = place;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use tickerd_model::topic::SEGMENTS_MAX;

    const SEGMENTS: [&str; 4] = ["a", "b", "c", "d"];

    fn name() -> impl Strategy<Value = String> {
        let segments = prop::collection::vec(prop::sample::select(SEGMENTS.to_vec()), 1..=SEGMENTS_MAX);
        let before = prop::sample::select(vec!["", "", "tickerd.bars.1m."]);
        (before, segments).prop_map(|(before, segments)| before.to_owned() + &segments.join("."))
    }

    fn pattern() -> impl Strategy<Value = String> {
        let before = prop::sample::select(vec!["", "", "tickerd.bars.1m.", "tickerd.*.*."]);
        let segments =
            prop::collection::vec(prop::sample::select(vec!["a", "b", "x", "*", "*"]), 0..SEGMENTS_MAX);
        (before, segments, prop::sample::select(vec!["*", "**", "a"])).prop_map(
            |(before, mut segments, last)| {
                segments.push(last);
                before.to_owned() + &segments.join(".")
            },
        )
    }

    proptest! {
        /// The last of a depth that it moves into a gap has another number of lists than the one that left.
        #[test]
        fn every_match_is_a_candidate_once(
            names in prop::collection::vec((0u32..12, name()), 1..60),
            patterns in prop::collection::vec(pattern(), 1..12),
        ) {
            let (mut index, mut there): (Names, BTreeMap<SlotId, String>) = Default::default();
            for (slot, name) in names {
                let slot = SlotId::new(slot);
                match there.remove(&slot) {
                    Some(old) => index.remove(slot, &old),
                    None => {
                        index.add(slot, &name);
                        there.insert(slot, name);
                    }
                }
            }
            for text in patterns {
                let pattern = Pattern::parse(&text).unwrap();
                let candidates: Vec<SlotId> = index.candidates(&pattern).collect();
                prop_assert_eq!(candidates.len(), index.cost(&pattern));
                let mut found: Vec<SlotId> =
                    candidates.iter().copied().filter(|slot| pattern.matches(&there[slot])).collect();
                found.sort_unstable();
                let all = there.iter().filter(|(_, name)| pattern.matches(name)).map(|(slot, _)| *slot);
                prop_assert_eq!(found, all.collect::<Vec<_>>(), "{}", text);
            }
            for (slot, name) in std::mem::take(&mut there) {
                index.remove(slot, &name);
            }
            prop_assert!(index.by_segment.iter().all(HashMap::is_empty) && index.by_depth.iter().all(Vec::is_empty));
        }
    }

    #[test]
    fn a_pattern_costs_what_its_rarest_segment_has() {
        let mut index = Names::default();
        for at in 0..1000 {
            index.add(SlotId::new(at), &format!("g.x{}.n{at}", at % 10));
        }
        let cost = |text: &str| index.cost(&Pattern::parse(text).unwrap());
        assert_eq!(cost("*.*.m"), 0);
        assert_eq!(cost("*.*.n7"), 1);
        assert_eq!(cost("*.x3.*"), 100);
        assert_eq!(cost("g.x3.**"), 100);
        assert_eq!(cost("*.*.*.*"), 0);
        assert_eq!(cost("**"), 1000);
    }
}
