//! What a subscription was granted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::ConnId;
use crate::exchange::source::meant;
use crate::fanout::notices::health::SourceHealth;
use crate::fanout::shard::Shard;
use crate::fanout::table::asks::What;
use crate::fanout::table::edits::HINTS_MAX;
use crate::fanout::table::ids::CohortId;
use crate::fanout::table::patterns::Scope;
use crate::fanout::table::topics::Slot;
use tickerd_model::access::rights::Verb;
use tickerd_model::health::FeedState;
use tickerd_model::protocol::command::Mode;
use tickerd_model::protocol::event::{PatternGrant, TopicGrant};
use tickerd_model::protocol::rate;
use tickerd_model::source::Source;
use tickerd_model::tier::Tier;
use tickerd_model::topic::{Pattern, first_segment};

/// Topics that are looked at for one command's hints: some 2 µs each.
const HINT_LOOKS_MAX: usize = 2_048;
/// To compare two names by their letters takes as long as so many looks.
const STEPS_PER_COMPARISON: usize = 4;
/// What is said of the pattern that is most often meant as all.
const ONE_SEGMENT: &str = "* is one whole segment; for all topics write **";

impl Shard {
    /// Whether a topic is none that its feed has, as far as that is known: the feed runs, and has spoken of others.
    fn is_missing(&self, slot: &Slot) -> bool {
        let is_open = self.table.topics.source_of(slot).is_some_and(|source| source.only.is_none());
        let runs = |told: &SourceHealth| !matches!(told.state, FeedState::Down | FeedState::Closed);
        slot.topic.is_none()
            && is_open
            && slot.source.is_some_and(|source| self.table.topics.has_spoken(source))
            && slot.source.and_then(|source| self.health.get(&source)).is_some_and(runs)
    }

    /// Says of topics that are missing what may have been meant. Each is held against all that its feed has, which the client's
    /// budget pays for, until that is too much for it or for the shard's turn: a hint is given where there is time.
    pub fn hint(&mut self, id: ConnId, topics: &mut [TopicGrant]) {
        let who = self.who(id);
        let mut looks = 0;
        for grant in topics.iter_mut().filter(|grant| grant.known == Some(false)).take(HINTS_MAX) {
            let feed = first_segment(&grant.topic);
            let Ok(all) = Pattern::parse(&format!("{feed}.**")) else { continue };
            let cost = self.table.topics.cost(&all);
            if looks + cost > HINT_LOOKS_MAX || !self.turns.effort.take(cost * STEPS_PER_COMPARISON) {
                break;
            }
            looks += cost;
            let known = self.table.topics.matching(&all);
            let may_have = |name: &&str| who.rights.allow(Verb::Subscribe, name);
            let names = || known.iter().map(|(_, slot)| &*slot.name).filter(may_have);
            grant.hint = Some(meant(&grant.topic, feed, names));
        }
        self.charge_looks(id, looks);
    }

    /// What a cohort was granted for these asks.
    pub fn grants(
        &self,
        cohort: Option<CohortId>,
        whats: impl Iterator<Item = What>,
    ) -> (Vec<TopicGrant>, Vec<PatternGrant>) {
        let (mut topics, mut patterns) = (Vec::new(), Vec::new());
        let Some(cohort) = cohort.and_then(|c| self.table.cohorts.held(c)) else { return (topics, patterns) };
        for what in whats {
            let Ok(at) = cohort.asks().binary_search_by_key(&what, |ask| ask.what) else { continue };
            let Some(terms) = cohort.asks().get(at).map(|ask| ask.terms) else { continue };
            match what {
                What::Exact(id) => {
                    let Some(slot) = self.table.topics.held(id) else { continue };
                    let tier = self.table.topics.grant(slot, terms);
                    topics.push(TopicGrant {
                        topic: slot.name.clone(),
                        seq: slot.newest_at(tier).map_or(0, |frame| frame.tick().seq),
                        epoch: self.table.topics.source_of(slot).and_then(|source| self.other_epoch(source)),
                        rate: rate::format(self.table.topics.rate(slot, tier)),
                        mode: if tier == Tier::Every { Mode::All } else { Mode::Latest },
                        recovered: None,
                        known: self.is_missing(slot).then_some(false),
                        hint: None,
                    });
                }
                What::Pattern(id) => {
                    let Some(scope) = self.table.cohorts.patterns.get(id) else { continue };
                    let pattern = scope.pattern();
                    let counted = self.table.cohorts.patterns.count(id);
                    let count = counted.unwrap_or_else(|| {
                        let matching = self.table.topics.matching(pattern);
                        matching.iter().filter(|(_, slot)| scope.grants(&slot.name)).count()
                    });
                    patterns.push(PatternGrant {
                        pattern: pattern.as_str().into(),
                        count,
                        rate: terms.rate.map(|rate| rate::format(rate.min(self.slowest(pattern)))),
                        mode: terms.mode,
                        epochs: self.epochs(scope),
                        hint: (pattern.as_str() == "*").then(|| ONE_SEGMENT.into()),
                    });
                }
            }
        }
        (topics, patterns)
    }

    /// The epoch of a source, unless it is that of all.
    pub fn other_epoch(&self, source: &Source) -> Option<Box<str>> {
        let epoch = &source.group.epoch;
        (self.tells_epochs || **epoch != *self.settings.epoch).then(|| epoch.clone())
    }

    /// The epochs of the sources that a pattern reaches.
    fn epochs(&self, scope: &Scope) -> BTreeMap<Box<str>, Box<str>> {
        let reached = self.table.topics.sources().all().filter(|source| scope.reaches(&source.name));
        reached.filter_map(|source| Some((source.name.clone(), self.other_epoch(source)?))).collect()
    }

    /// The slowest rate at which anything can be had that a pattern matches.
    fn slowest(&self, pattern: &Pattern) -> Duration {
        let of_feed = pattern.feed();
        let sources = self
            .table
            .topics
            .sources()
            .all()
            .filter(|source| of_feed.is_none_or(|feed| *source.name == *feed));
        sources.map(|source| source.tiers.slowest()).max().unwrap_or_default()
    }
}
