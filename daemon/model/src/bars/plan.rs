//! Which periods are kept, which of them are made of which, and what all of them are made of.

use std::collections::HashMap;
use std::sync::Arc;

use super::member::Member;

/// What the bars of one kind of a source are made of.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The figure.
    pub main: Member,
    /// What is added up as volume.
    pub size: Option<Member>,
}

/// What the bars of a source are made of.
#[derive(Debug, Clone)]
pub enum Specs {
    /// By kind. Topics of other kinds have none.
    ByKind(HashMap<Box<str>, Arc<Spec>>),
    /// The same for topics of every kind.
    All(Arc<Spec>),
}

impl Specs {
    pub(super) fn of(&self, kind: &str) -> Option<&Arc<Spec>> {
        match self {
            Specs::ByKind(specs) => specs.get(kind),
            Specs::All(spec) => Some(spec),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Specs::ByKind(specs) if specs.is_empty())
    }
}

/// A period that is kept of each topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// As it is written on the wire, such as `1m`.
    pub name: Box<str>,
    /// Its length in milliseconds, at least 1,000.
    pub ms: u64,
    /// How long its bars are kept, in milliseconds.
    pub keep_ms: u64,
}

/// All of them, the shortest first.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    periods: Box<[Period]>,
    /// By period: the longest shorter one that divides it. Its bars are put together from that one's closed bars.
    bases: Box<[Option<usize>]>,
}

impl Plan {
    /// In any order.
    pub fn new(mut periods: Vec<Period>) -> Plan {
        periods.sort_by_key(|period| period.ms);
        let base = |at: usize| {
            let ms = periods.get(at)?.ms;
            periods.iter().take(at).rposition(|shorter| ms.is_multiple_of(shorter.ms))
        };
        let bases = (0..periods.len()).map(base).collect();
        Plan { periods: periods.into(), bases }
    }

    /// The periods, the shortest first.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// Which of them has this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.periods.iter().position(|period| *period.name == *name)
    }

    /// The length of one of them, in milliseconds.
    pub(super) fn ms(&self, at: usize) -> u64 {
        self.periods.get(at).map_or(1, |period| period.ms)
    }

    pub(super) fn base(&self, at: usize) -> Option<usize> {
        self.bases.get(at).copied().flatten()
    }
}
