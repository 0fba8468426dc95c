//! What a client may do: a set of grants, and what is denied all the same. The one place that decides.
//!
//! Grants of several groups and of a token are united; their order never matters. A denial comes from the configuration alone,
//! and wins. A subscription is judged once, when it is made, or when a topic appears that its pattern matches; never per tick.
//!
//! Bars have no rights of their own: whoever may have a topic may have its bars, and its past is theirs too. Nobody publishes them,
//! and nobody is seen there. A grant or denial that names bars means nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::pattern_set::PatternSet;
use crate::topic::{Pattern, SERVER_SEGMENT, bar};

/// What can be granted for topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// To have a topic's ticks: `subscribe`, `get`, lists, event streams.
    Subscribe,
    /// To say something in a topic.
    Publish,
    /// To see who is in a topic.
    Presence,
    /// To have a topic's past ticks.
    History,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 4] = [Verb::Subscribe, Verb::Publish, Verb::Presence, Verb::History];

    /// The word for it in configuration and claims.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Subscribe => "subscribe",
            Verb::Publish => "publish",
            Verb::Presence => "presence",
            Verb::History => "history",
        }
    }

    /// Whether it can be granted for bars at all.
    fn is_of_bars(self) -> bool {
        matches!(self, Verb::Subscribe | Verb::History)
    }
}

/// How much of what a pattern matches is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// All that it can ever match, so that nothing has to be judged later.
    All,
    /// It may match what is granted and what is not: each topic is judged when it comes to the pattern.
    Part,
    /// Nothing.
    Nothing,
}

/// What one client may do. Equal rights are equal, whatever order they were granted in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights {
    /// Made of all grants and denials, so that rights are hashed without a look at each. It stands first: it tells most apart.
    digest: u64,
    /// Whether everything is granted: there is no `[auth]`.
    is_open: bool,
    subscribe: PatternSet,
    publish: PatternSet,
    presence: PatternSet,
    history: PatternSet,
    denied: PatternSet,
    admin: bool,
}

impl Hash for Rights {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.digest, self.is_open, self.admin).hash(state);
    }
}

impl Rights {
    /// Everything, as without `[auth]`.
    pub fn open() -> Rights {
        Rights { is_open: true, ..Rights::none() }
    }

    /// Nothing. Grants are added to it.
    pub fn none() -> Rights {
        Rights {
            digest: 0,
            is_open: false,
            subscribe: PatternSet::default(),
            publish: PatternSet::default(),
            presence: PatternSet::default(),
            history: PatternSet::default(),
            denied: PatternSet::default(),
            admin: false,
        }
    }

    /// Adds a grant.
    pub fn grant(&mut self, verb: Verb, pattern: Pattern) {
        if bar::is_among_bars(pattern.as_str()) {
            return;
        }
        let digest = digest(Some(verb), &pattern);
        if self.granted_mut(verb).insert(pattern) {
            self.digest ^= digest;
        }
    }

    /// Denies what would be granted, for every verb.
    pub fn deny(&mut self, pattern: Pattern) {
        if bar::is_among_bars(pattern.as_str()) {
            return;
        }
        let digest = digest(None, &pattern);
        if self.denied.insert(pattern) {
            self.digest ^= digest;
        }
    }

    /// Lets it do what the administrator's socket does.
    pub fn grant_admin(&mut self) {
        self.admin = true;
    }

    /// Whether it may do what the administrator's socket does.
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// Whether everything is granted, and nothing has to be asked.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether nothing is granted.
    pub fn is_nothing(&self) -> bool {
        !self.is_open && Verb::ALL.into_iter().all(|verb| self.granted(verb).is_empty())
    }

    /// Adds all that other rights grant and deny.
    pub fn unite(&mut self, other: &Rights) {
        self.is_open |= other.is_open;
        self.admin |= other.admin;
        for verb in Verb::ALL {
            other.granted(verb).iter().for_each(|pattern| self.grant(verb, pattern.clone()));
        }
        other.denied.iter().for_each(|pattern| self.deny(pattern.clone()));
    }

    fn granted(&self, verb: Verb) -> &PatternSet {
        match verb {
            Verb::Subscribe => &self.subscribe,
            Verb::Publish => &self.publish,
            Verb::Presence => &self.presence,
            Verb::History => &self.history,
        }
    }

    fn granted_mut(&mut self, verb: Verb) -> &mut PatternSet {
        match verb {
            Verb::Subscribe => &mut self.subscribe,
            Verb::Publish => &mut self.publish,
            Verb::Presence => &mut self.presence,
            Verb::History => &mut self.history,
        }
    }

    /// Whether it may do this with one topic. It costs the same with few grants and with many.
    pub fn allow(&self, verb: Verb, topic: &str) -> bool {
        if self.is_open || !bar::is_among_bars(topic) {
            return self.is_open || self.holds(verb, topic);
        }
        verb.is_of_bars() && bar::behind(topic).is_some_and(|behind| self.holds(verb, behind.topic))
    }

    /// Whether it may do this with any topic of a source that there could be.
    pub fn reaches(&self, verb: Verb, source: &str) -> bool {
        let granted = self.granted(verb);
        let has_bars = || {
            source == SERVER_SEGMENT
                && verb.is_of_bars()
                && granted.iter().any(|pattern| pattern.feed() != Some(SERVER_SEGMENT))
                && !self.denied.contains("**")
        };
        self.is_open || granted.reaches(source) && !self.denied.holds_source(source) || has_bars()
    }

    /// How much of what a pattern matches it may do this with. [`Cover::Part`] may also be nothing, or all, where to know it would
    /// mean to look at very many grants.
    pub fn cover(&self, verb: Verb, pattern: &Pattern) -> Cover {
        if self.is_open {
            return Cover::All;
        }
        let asked = pattern.as_str();
        let others = (!bar::is_among_bars(asked)).then(|| self.cover_of(verb, asked));
        let bars = pattern.bars().map(|reach| match verb.is_of_bars() {
            true => self.cover_of(verb, reach.topics),
            false => Cover::Nothing,
        });
        match (others, bars) {
            (Some(one), Some(other)) if one != other => Cover::Part,
            (Some(cover), _) | (None, Some(cover)) => cover,
            (None, None) => Cover::Nothing,
        }
    }

    /// [`Rights::allow`] for a topic that is none of bars.
    fn holds(&self, verb: Verb, topic: &str) -> bool {
        self.granted(verb).contains(topic) && !self.denied.contains(topic)
    }

    /// [`Rights::cover`] of what a pattern matches besides bars.
    fn cover_of(&self, verb: Verb, asked: &str) -> Cover {
        let granted = self.granted(verb);
        if self.denied.contains(asked) || !granted.may_overlap(asked) {
            return Cover::Nothing;
        }
        match granted.contains(asked) && !self.denied.may_overlap(asked) {
            true => Cover::All,
            false => Cover::Part,
        }
    }
}

/// One grant's part of [`Rights::digest`]. No verb: it denies.
fn digest(verb: Option<Verb>, pattern: &Pattern) -> u64 {
    let mut hasher = DefaultHasher::new();
    (verb, pattern).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
