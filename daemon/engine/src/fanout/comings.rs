//! Topics that came and went, told to those whose patterns match them: per beat, in as few notices as their names need.

use std::collections::HashSet;
use std::rc::Rc;

use super::shard::Shard;
use super::shares::{Shares, TOPICS_MAX};
use super::walk::About;
use crate::fanout::table::cohorts::{Cohort, What};
use crate::fanout::table::ids::{CohortId, SlotId};
use crate::fanout::table::patterns::Patterns;
use tickerd_model::board::TopicId;
use tickerd_model::encoding::Encoder;
use tickerd_model::message::Message;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::topic::Pattern;

/// What one beat tells of topics.
#[derive(Debug, Default)]
pub struct Comings {
    words: Vec<Word>,
    shares: Shares,
    /// Topics of which the shard missed ticks.
    resets: Vec<Rc<str>>,
    reset_shares: Shares,
}

/// What a notice names that has to wait: who lets go of it meanwhile is not told of it any more.
#[derive(Debug)]
pub enum Named {
    /// Topics that came and went, for holders of patterns that match them.
    Topics { added: Vec<Box<str>>, removed: Vec<Box<str>> },
    /// Who came and went in a topic, for those who have it.
    Room(SlotId),
}

impl Named {
    fn of(notice: &Notice<'_>) -> Named {
        let owned = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        match notice {
            Notice::Topics { added, removed, .. } => {
                Named::Topics { added: owned(added), removed: owned(removed) }
            }
            _ => Named::Topics { added: Vec::new(), removed: Vec::new() },
        }
    }

    /// Appends the notice, which is `message` in full, as far as it is about what `cohort` holds now.
    pub fn append(
        &self,
        message: &Message,
        cohort: &Cohort,
        patterns: &Patterns,
        encoder: &Encoder,
        out: &mut Vec<u8>,
    ) {
        let is_whole = match self {
            Named::Room(slot) => cohort.tier_of(*slot).is_some(),
            Named::Topics { added, removed } => {
                let holds = |name: &&str| patterns_of(cohort, patterns).any(|pattern| pattern.matches(name));
                let [added_now, removed_now] = [added, removed]
                    .map(|names| names.iter().map(|name| &**name).filter(holds).collect::<Vec<&str>>());
                let left = added_now.len() + removed_now.len();
                let is_whole = left == added.len() + removed.len();
                if left > 0 && !is_whole {
                    let notice = Notice::Topics { added: added_now, removed: removed_now, missed: false };
                    event::write(&notice, cohort.encoding, encoder, out);
                }
                is_whole
            }
        };
        if is_whole {
            out.extend_from_slice(message.bytes(cohort.encoding, encoder));
        }
    }
}

/// The patterns that a cohort asks for.
pub fn patterns_of<'a>(cohort: &'a Cohort, patterns: &'a Patterns) -> impl Iterator<Item = &'a Pattern> {
    cohort.asks().iter().filter_map(|ask| match ask.what {
        What::Pattern(id) => patterns.get(id),
        What::Exact(_) => None,
    })
}

#[derive(Debug, Clone)]
struct Word {
    name: Rc<str>,
    came: bool,
}

impl Shard {
    /// Notes that a topic came or goes, for those with a pattern that matches it.
    pub(super) fn note_coming(&mut self, slot: SlotId, came: bool, comings: &mut Comings) {
        let Some(slot) = self.topics.slot(slot) else { return };
        let word = comings.words.len() as u32;
        let mut is_told = false;
        for (cohort, _) in self.cohorts.patterns.asking(&slot.name) {
            comings.shares.add(cohort, word);
            is_told = true;
        }
        if is_told {
            comings.words.push(Word { name: Rc::from(&*slot.name), came });
        }
    }

    /// Notes that ticks of a topic were passed over, for those who have every one.
    pub(super) fn note_reset(&mut self, topic: TopicId, comings: &mut Comings) {
        let Some(slot) = self.topics.of_board(topic).and_then(|id| self.topics.slot(id)) else { return };
        let word = comings.resets.len() as u32;
        for cohort in slot.every().taps.iter().map(|tap| tap.cohort) {
            comings.reset_shares.add(cohort, word);
        }
        comings.resets.push(Rc::from(&*slot.name));
    }

    /// Makes the notices of a beat due.
    pub(super) fn tell_comings(&mut self, comings: Comings) {
        let Comings { words, shares, resets, reset_shares } = comings;
        for (set, cohorts) in shares.sets() {
            let set: Vec<&Word> = set.iter().filter_map(|at| words.get(*at as usize)).collect();
            for notice in notices(&set) {
                self.tell_all(&cohorts, About::Roster(Rc::new(Named::of(&notice))), &notice);
            }
        }
        for (set, cohorts) in reset_shares.sets() {
            let topics: Vec<&str> =
                set.iter().filter_map(|at| resets.get(*at as usize)).map(|name| &**name).collect();
            for topics in topics.chunks(TOPICS_MAX) {
                self.tell_all(&cohorts, About::Reset, &Notice::Reset { topics: topics.to_vec() });
            }
        }
    }

    fn tell_all(&mut self, cohorts: &[CohortId], about: About, notice: &Notice<'_>) {
        self.pos += 1;
        let item = self.add_notice(self.pos, about, Rc::new(event::message(notice)));
        for cohort in cohorts {
            self.owe(*cohort, item);
        }
    }
}

/// What is to be told in the end: who came and went meanwhile is not told of, and who is another now went before it came.
fn notices<'a>(words: &[&'a Word]) -> Vec<Notice<'a>> {
    let (mut added, mut removed): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut there: HashSet<&str> = HashSet::new();
    for word in words {
        match word.came {
            true => {
                there.insert(&word.name);
                added.push(&word.name);
            }
            false if there.remove(&*word.name) => {}
            false => removed.push(&word.name),
        }
    }
    added.retain(|name| there.remove(name));
    if added.len() + removed.len() <= TOPICS_MAX {
        let is_any = !added.is_empty() || !removed.is_empty();
        return is_any.then_some(Notice::Topics { added, removed, missed: false }).into_iter().collect();
    }
    let gone = removed.chunks(TOPICS_MAX).map(|names| (Vec::new(), names.to_vec()));
    let come = added.chunks(TOPICS_MAX).map(|names| (names.to_vec(), Vec::new()));
    gone.chain(come).map(|(added, removed)| Notice::Topics { added, removed, missed: false }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[(&str, bool)]) -> Vec<(Vec<String>, Vec<String>)> {
        let words: Vec<Word> =
            words.iter().map(|(name, came)| Word { name: Rc::from(*name), came: *came }).collect();
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let told = notices(&words.iter().collect::<Vec<_>>());
        told.iter()
            .map(|notice| match notice {
                Notice::Topics { added, removed, .. } => (owned(added), owned(removed)),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_told_is_how_it_ends() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(told(&[("a", true), ("b", false)]), [(names(&["a"]), names(&["b"]))]);
        assert_eq!(told(&[("a", true), ("a", false)]), [], "nobody saw it");
        assert_eq!(told(&[("a", false), ("a", true)]), [(names(&["a"]), names(&["a"]))], "it is another");
        assert_eq!(told(&[("a", false), ("a", true), ("a", false)]), [(names(&[]), names(&["a"]))]);
        assert_eq!(told(&[("a", true), ("a", false), ("a", true)]), [(names(&["a"]), names(&[]))]);
    }

    #[test]
    fn many_names_are_told_in_several_notices() {
        let all: Vec<String> = (0..600).map(|at| format!("f.{at}")).collect();
        let words: Vec<(&str, bool)> = all.iter().map(|name| (name.as_str(), true)).collect();
        let told = told(&words);
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|(added, _)| added.len() <= TOPICS_MAX));
        assert_eq!(told.into_iter().flat_map(|(added, _)| added).collect::<Vec<_>>(), all);
    }
}
