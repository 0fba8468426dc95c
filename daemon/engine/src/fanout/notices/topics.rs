//! Topics that came and went, told to those whose patterns match them: per beat, in as few notices as their names need.

use std::collections::HashSet;
use std::rc::Rc;

use super::shares::Shares;
use super::subject::Subject;
use super::{Announcement, TOPICS_MAX, WhenLate};
use crate::fanout::table::patterns::Patterns;
use crate::fanout::table::topics::Slot;
use tickerd_model::protocol::event::Notice;

/// Which topics came and went in one beat, and of which the shard missed ticks.
#[derive(Debug, Default)]
pub struct TopicNotices {
    words: Vec<CameOrWent>,
    shares: Shares,
    /// Topics of which the shard missed ticks.
    resets: Vec<Rc<str>>,
    reset_shares: Shares,
}

#[derive(Debug, Clone)]
struct CameOrWent {
    name: Rc<str>,
    came: bool,
}

impl TopicNotices {
    /// Notes that a topic came or goes, for those with a pattern that matches it.
    pub fn note(&mut self, patterns: &Patterns, slot: &Slot, came: bool) {
        let word = self.words.len() as u32;
        let mut is_told = false;
        for (cohort, _) in patterns.asking(&slot.name) {
            self.shares.add(cohort, word);
            is_told = true;
        }
        if is_told {
            self.words.push(CameOrWent { name: Rc::from(&*slot.name), came });
        }
    }

    /// Notes that ticks of a topic were passed over, for those who have every one.
    pub fn note_reset(&mut self, slot: &Slot) {
        let word = self.resets.len() as u32;
        for cohort in slot.every().taps.iter().map(|tap| tap.cohort) {
            self.reset_shares.add(cohort, word);
        }
        self.resets.push(Rc::from(&*slot.name));
    }

    /// The notices of the beat. `next_pos` gives each its place on the shard's count of pushes.
    pub fn announce(self, mut next_pos: impl FnMut() -> u64) -> Vec<Announcement> {
        let TopicNotices { words, shares, resets, reset_shares } = self;
        let mut announcements = Vec::new();
        for (set, cohorts) in shares.sets() {
            let set: Vec<&CameOrWent> = set.iter().filter_map(|at| words.get(*at as usize)).collect();
            for notice in notices(&set) {
                let when_late = WhenLate::Keep(Rc::new(Subject::of(&notice)));
                announcements.push(Announcement::new(next_pos(), when_late, &notice, cohorts.clone()));
            }
        }
        for (set, cohorts) in reset_shares.sets() {
            let names = set.iter().filter_map(|at| resets.get(*at as usize)).map(|name| &**name);
            for topics in names.collect::<Vec<&str>>().chunks(TOPICS_MAX) {
                let notice = Notice::reset(topics.to_vec());
                let to = cohorts.clone();
                announcements.push(Announcement::new(next_pos(), WhenLate::LoseBacklog, &notice, to));
            }
        }
        announcements
    }
}

/// What is told of a beat. A topic that came and went within it is not told of. A topic that went and came back is told as
/// removed and as added: it is another one, which begins anew.
fn notices<'a>(words: &[&'a CameOrWent]) -> Vec<Notice<'a>> {
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
        let words: Vec<CameOrWent> =
            words.iter().map(|(name, came)| CameOrWent { name: Rc::from(*name), came: *came }).collect();
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
