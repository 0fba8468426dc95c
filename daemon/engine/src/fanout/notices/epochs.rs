//! Whose numbers a source's topics have: told to all who have any of them when that becomes another, before its first tick,
//! and to those who catch up.
//!
//! A notice names at most [`TOPICS_MAX`] topics of one source. One without topics goes to those who asked for what has not spoken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::health::SourceHealth;
use super::shares::Shares;
use super::{Announcement, TOPICS_MAX, WhenLate};
use crate::fanout::table::Table;
use crate::fanout::table::cohorts::{Cohort, Cohorts};
use crate::fanout::table::topics::{Slot, Topics};
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::source::{Source, SourceId};
use tickerd_model::wire::encoding::Encoder;

/// The sources that have another epoch from this beat on.
#[derive(Debug, Default)]
pub struct EpochNotices(BTreeSet<SourceId>);

impl EpochNotices {
    pub fn note(&mut self, source: SourceId) {
        self.0.insert(source);
    }

    /// Whether the topics of a slot's source begin anew: that is told here, and nowhere else.
    pub fn has(&self, slot: &Slot) -> bool {
        slot.source.is_some_and(|source| self.0.contains(&source))
    }

    /// The notices of the beat, and the sources that they are about.
    pub fn announce(
        self,
        Table { topics, cohorts }: &Table,
        mut next_pos: impl FnMut() -> u64,
    ) -> (Vec<Announcement>, BTreeSet<SourceId>) {
        let mut announcements = Vec::new();
        for source in self.0.iter().filter_map(|id| topics.sources().get(*id)) {
            let (names, shares) = words(topics, cohorts, source);
            for (set, to) in shares.sets() {
                let named: Vec<&str> = set
                    .iter()
                    .filter_map(|at| names.get(*at as usize))
                    .map(|name| &**name)
                    .filter(|name| !name.is_empty())
                    .collect();
                for topics in parts(&named) {
                    let notice = notice(source, topics);
                    announcements.push(Announcement::new(next_pos(), WhenLate::Drop, &notice, to.clone()));
                }
            }
        }
        (announcements, self.0)
    }
}

/// What is told of a source, and whom. The first word is no topic, and is for all that have anything of it.
fn words(topics: &Topics, cohorts: &Cohorts, source: &Source) -> (Vec<Rc<str>>, Shares) {
    let (mut names, mut shares) = (vec![Rc::from("")], Shares::default());
    for (id, _) in cohorts.iter().filter(|(_, cohort)| cohorts.is_in_feed(topics, cohort, &source.name)) {
        shares.add(id, 0);
    }
    for (_, slot) in
        topics.iter_from(0).filter(|(_, slot)| slot.source == Some(source.id) && slot.topic.is_some())
    {
        let word = names.len() as u32;
        for tap in slot.taps() {
            shares.add(tap.cohort, word);
        }
        names.push(Rc::from(&*slot.name));
    }
    (names, shares)
}

/// As many names at once as a notice takes; none at all are one notice too.
fn parts<'a, 'n>(names: &'a [&'n str]) -> impl Iterator<Item = &'a [&'n str]> {
    names.chunks(TOPICS_MAX).chain(names.is_empty().then_some(names))
}

fn notice<'a>(source: &'a Source, topics: &[&'a str]) -> Notice<'a> {
    Notice::Reset { feed: Some(&source.name), topics: topics.to_vec(), epoch: Some(&source.group.epoch) }
}

/// Appends the next notices of those that passed by after `from`, without the `told` topics that were named. How many were named
/// then; none: all are.
pub fn append_passed(
    (topics, cohorts, health): (&Topics, &Cohorts, &BTreeMap<SourceId, SourceHealth>),
    cohort: &Cohort,
    encoder: &Encoder,
    (from, told): (u64, usize),
    out: &mut Vec<u8>,
) -> Option<usize> {
    let is_due = |id: &SourceId| health.get(id).is_some_and(|source| source.epoch_pos > from);
    let slots = cohort.wires.iter().filter_map(|wire| topics.slot(wire.slot));
    let spoken = slots.filter(|slot| slot.topic.is_some() && slot.source.as_ref().is_some_and(is_due));
    let mut of_source: BTreeMap<SourceId, Vec<&str>> = BTreeMap::new();
    if told == 0 {
        let all = topics.sources().all().filter(|source| is_due(&source.id));
        let has_any = all.filter(|source| cohorts.is_in_feed(topics, cohort, &source.name));
        of_source.extend(has_any.map(|source| (source.id, Vec::new())));
    }
    let (mut named, mut is_more) = (told, false);
    for slot in spoken.skip(told) {
        if named == told + TOPICS_MAX {
            is_more = true;
            break;
        }
        named += 1;
        slot.source.into_iter().for_each(|source| of_source.entry(source).or_default().push(&slot.name));
    }
    for (id, names) in &of_source {
        if let Some(source) = topics.sources().get(*id) {
            event::write(&notice(source, names), cohort.encoding, encoder, out);
        }
    }
    is_more.then_some(named)
}
