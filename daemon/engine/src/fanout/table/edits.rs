//! From the names in a command to what has to change: each name can be had or is refused by itself.

use std::collections::{BTreeSet, HashSet};

use super::Table;
use super::asks::{Ask, Edit, What};
use super::ids::CohortId;
use super::patterns::Scope;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::{Cover, Verb};
use tickerd_model::protocol::command::Terms;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::Failed;
use tickerd_model::source::SourceId;
use tickerd_model::topic::{self, Pattern, first_segment};

/// Unknown names of one command that are told with what may have been meant: each is held against all that there are.
pub const HINTS_MAX: usize = 8;

/// Most asks of one connection.
#[derive(Debug, Clone, Copy)]
pub struct AsksMax {
    pub topics: usize,
    pub patterns: usize,
}

impl Table {
    /// What it takes for `who` to subscribe to these names, and which of them cannot be had; `hinted`: says what may have been meant.
    /// What it names is kept only by an edit: do one at once, or forget it.
    pub fn edits_for(
        &mut self,
        (who, from): (&Identity, Option<CohortId>),
        (names, terms): (&[String], Terms),
        most: AsksMax,
        hinted: bool,
    ) -> (Vec<Edit>, Vec<Failed>) {
        let (mut edits, mut failed) = (Vec::with_capacity(names.len()), Vec::new());
        let (mut exact, mut patterns) = self.count_asks(from);
        let mut named = HashSet::with_capacity(names.len());
        for name in names {
            let hinted = hinted && failed.len() < HINTS_MAX;
            let asked = self.ask(who, name, terms, hinted).and_then(|ask| {
                let new = !named.contains(&ask.what) && !self.has_ask(from, ask.what);
                let (count, max, of, instead) = match ask.what {
                    What::Exact(_) => (&mut exact, most.topics, "topics", ", or use a pattern"),
                    What::Pattern(_) => (&mut patterns, most.patterns, "patterns", ""),
                };
                if new && *count >= max {
                    let message = format!("a connection may have {max} {of}; unsubscribe from some{instead}");
                    self.forget(ask.what);
                    return Err(ProtocolError::new(Code::TooManyTopics, message));
                }
                *count += usize::from(new);
                Ok(ask)
            });
            match asked {
                Ok(ask) if named.insert(ask.what) => edits.push(Edit::Set(ask)),
                Ok(_) => {}
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        (edits, failed)
    }

    /// What it takes to unsubscribe from those of these names that are subscribed to.
    pub fn edits_against(&self, from: Option<CohortId>, names: &[String]) -> Vec<Edit> {
        let mut named = HashSet::new();
        let asks = from.and_then(|id| self.cohorts.held(id)).map(|cohort| cohort.asks()).unwrap_or_default();
        let is_so = |what: &What, name: &str| match what {
            What::Pattern(id) => {
                self.cohorts.patterns.get(*id).is_some_and(|scope| scope.pattern().as_str() == name)
            }
            What::Exact(_) => false,
        };
        let what = |name: &String| match Pattern::is_pattern(name) {
            true => asks.iter().map(|ask| ask.what).find(|what| is_so(what, name)),
            false => self.topics.find(name).map(What::Exact),
        };
        let whats = names.iter().filter_map(what);
        whats.filter(|what| self.has_ask(from, *what) && named.insert(*what)).map(Edit::Clear).collect()
    }

    /// One name of a `subscribe`, as an ask that can be granted.
    fn ask(&mut self, who: &Identity, name: &str, terms: Terms, hinted: bool) -> Result<Ask, ProtocolError> {
        // What may have been meant could be something that this client may not know of.
        let hinted = hinted && who.rights.is_open();
        if !Pattern::is_pattern(name) {
            who.check(Verb::Subscribe, name)?;
            self.topics.sources().check(name, hinted)?;
            let slot = self.topics.intern(name);
            let slot = slot.ok_or_else(|| self.topics.sources().unknown(first_segment(name), hinted))?;
            let what = What::Exact(slot);
            return Ok(Ask { what, terms });
        }
        let pattern = Pattern::parse(name).map_err(|why| {
            ProtocolError::new(Code::BadPattern, format!("not a pattern: {why}{}", topic::hint(name)))
        })?;
        let scope = Table::scope(who, pattern)?;
        self.topics.sources().check_pattern(scope.pattern(), hinted)?;
        Ok(Ask { what: What::Pattern(self.cohorts.patterns.intern(&scope)), terms })
    }

    /// What of a pattern someone may have.
    ///
    /// # Errors
    /// Nothing of it.
    pub fn scope(who: &Identity, pattern: Pattern) -> Result<Scope, ProtocolError> {
        match who.rights.cover(Verb::Subscribe, &pattern) {
            Cover::All => Ok(Scope::whole(pattern)),
            Cover::Part => Ok(Scope::within(pattern, &who.rights)),
            Cover::Nothing => Err(who.refusal(Verb::Subscribe)),
        }
    }

    /// Frees what edits name and nobody asks for after all.
    pub fn forget_all(&mut self, edits: &[Edit]) {
        for edit in edits {
            match edit {
                Edit::Set(ask) => self.forget(ask.what),
                Edit::Clear(_) => {}
            }
        }
    }

    /// Frees what [`Table::ask`] made and nobody asks for after all.
    fn forget(&mut self, what: What) {
        match what {
            What::Exact(slot) => self.topics.release(slot),
            What::Pattern(pattern) => self.cohorts.patterns.release(pattern),
        }
    }

    fn has_ask(&self, cohort: Option<CohortId>, what: What) -> bool {
        let asks = cohort.and_then(|c| self.cohorts.held(c)).map(|c| c.asks()).unwrap_or_default();
        asks.binary_search_by_key(&what, |ask| ask.what).is_ok()
    }

    fn count_asks(&self, cohort: Option<CohortId>) -> (usize, usize) {
        let asks = cohort.and_then(|c| self.cohorts.held(c)).map(|c| c.asks()).unwrap_or_default();
        let exact = asks.partition_point(|ask| matches!(ask.what, What::Exact(_)));
        (exact, asks.len() - exact)
    }

    /// The sources that these edits ask for topics of.
    pub fn sources_of(&self, edits: &[Edit]) -> BTreeSet<SourceId> {
        let mut sources = BTreeSet::new();
        for edit in edits {
            match edit {
                Edit::Set(Ask { what: What::Exact(slot), .. }) => {
                    sources.extend(self.topics.slot(*slot).and_then(|slot| slot.source));
                }
                Edit::Set(Ask { what: What::Pattern(id), .. }) => {
                    let all = self.topics.sources();
                    let Some(scope) = self.cohorts.patterns.get(*id) else { continue };
                    let reached = all.all().filter(|source| scope.reaches(&source.name));
                    sources.extend(reached.map(|source| source.id));
                }
                Edit::Clear(_) => {}
            }
        }
        sources
    }

    /// The event topics of a cohort.
    pub fn events_of(&self, cohort: Option<CohortId>) -> Vec<Box<str>> {
        let wires = cohort.and_then(|id| self.cohorts.held(id)).map(|c| &*c.wires).unwrap_or_default();
        let slots = wires.iter().filter_map(|wire| self.topics.held(wire.slot));
        slots.filter(|slot| slot.is_event()).map(|slot| slot.name.clone()).collect()
    }
}
