//! What a client may do: a set of grants, and what is denied all the same. The one place that decides.
//!
//! Grants of several groups and of a token are united; their order never matters. A denial comes from the configuration alone,
//! and wins. A subscription is judged once, when it is made, or when a topic appears that its pattern matches; never per tick.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::pattern_set::PatternSet;
use crate::topic::Pattern;

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
        let digest = digest(Some(verb), &pattern);
        if self.granted_mut(verb).insert(pattern) {
            self.digest ^= digest;
        }
    }

    /// Denies what would be granted, for every verb.
    pub fn deny(&mut self, pattern: Pattern) {
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
        self.is_open || self.granted(verb).contains(topic) && !self.denied.contains(topic)
    }

    /// Whether it may do this with any topic of a source that there could be.
    pub fn reaches(&self, verb: Verb, source: &str) -> bool {
        self.is_open || self.granted(verb).reaches(source) && !self.denied.holds_source(source)
    }

    /// How much of what a pattern matches it may do this with. [`Cover::Part`] may also be nothing, or all, where to know it would
    /// mean to look at very many grants.
    pub fn cover(&self, verb: Verb, pattern: &Pattern) -> Cover {
        if self.is_open {
            return Cover::All;
        }
        let (granted, asked) = (self.granted(verb), pattern.as_str());
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::topic::{SERVER_SEGMENT, first_segment};

    // What a set of patterns answers, one by one: the model that it is held against.

    /// Whether a pattern without a first name reaches into the server's own topics, which it never does.
    fn is_kept_out(wide: &Pattern, narrow: &Pattern) -> bool {
        wide.feed().is_none() && first_segment(narrow.as_str()) == SERVER_SEGMENT
    }

    /// Whether `wide` matches every topic that `narrow` matches. Both may be exact topics.
    fn contains(wide: &Pattern, narrow: &Pattern) -> bool {
        if is_kept_out(wide, narrow) {
            return false;
        }
        let (mut wide, mut narrow) = (wide.as_str().split('.'), narrow.as_str().split('.'));
        loop {
            match (wide.next(), narrow.next()) {
                (None, None) => return true,
                (Some("**"), Some(_)) => return true,
                (None, Some(_)) | (Some(_), None) | (Some(_), Some("**")) => return false,
                (Some("*"), Some(_)) => {}
                (Some(exact), Some(other)) if exact == other => {}
                _ => return false,
            }
        }
    }

    /// Whether some topic could match both.
    fn overlap(one: &Pattern, other: &Pattern) -> bool {
        if is_kept_out(one, other) || is_kept_out(other, one) {
            return false;
        }
        let (mut one, mut other) = (one.as_str().split('.'), other.as_str().split('.'));
        loop {
            match (one.next(), other.next()) {
                (None, None) => return true,
                (Some("**"), Some(_)) | (Some(_), Some("**")) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn rights(subscribe: &[&str], denied: &[&str]) -> Rights {
        let mut rights = Rights::none();
        subscribe.iter().for_each(|text| rights.grant(Verb::Subscribe, pattern(text)));
        denied.iter().for_each(|text| rights.deny(pattern(text)));
        rights
    }

    #[test]
    fn a_denial_wins_and_one_verb_is_not_another() {
        let desk = rights(&["stocks.**"], &["stocks.secret.**"]);
        assert!(desk.allow(Verb::Subscribe, "stocks.AAPL"));
        assert!(!desk.allow(Verb::Subscribe, "stocks.secret.X"));
        assert!(!desk.allow(Verb::Subscribe, "crypto.BTC"));
        assert!(!desk.allow(Verb::History, "stocks.AAPL"));
        assert!(Rights::open().allow(Verb::Publish, "tickerd.stats") && !Rights::open().is_admin());
        assert!(!Rights::none().allow(Verb::Subscribe, "a"));
    }

    #[test]
    fn a_pattern_is_covered_whole_in_part_or_not() {
        let desk = rights(&["stocks.**", "sim.*"], &["stocks.secret.**"]);
        let cover = |text: &str| desk.cover(Verb::Subscribe, &pattern(text));
        assert_eq!(cover("sim.*"), Cover::All);
        assert_eq!(cover("stocks.*"), Cover::All, "what is denied is deeper");
        assert_eq!(cover("stocks.**"), Cover::Part);
        assert_eq!(cover("**"), Cover::Part);
        assert_eq!(cover("sim.**"), Cover::Part);
        assert_eq!(cover("crypto.*"), Cover::Nothing);
        assert_eq!(cover("stocks.secret.*"), Cover::Nothing);
        assert_eq!(cover("tickerd.*"), Cover::Nothing);
        assert_eq!(rights(&["**"], &[]).cover(Verb::Subscribe, &pattern("tickerd.*")), Cover::Nothing);
        assert_eq!(rights(&["**"], &["tickerd.*"]).cover(Verb::Subscribe, &pattern("**")), Cover::All);
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let mut one = rights(&["a.*", "b.*"], &["c"]);
        one.unite(&rights(&["a.*"], &[]));
        let mut other = rights(&["b.*"], &[]);
        other.unite(&rights(&["a.*"], &["c"]));
        assert_eq!(one, other);
    }

    fn name() -> impl Strategy<Value = String> {
        let segment = prop_oneof![2 => "[ab]", 1 => Just("tickerd".to_owned())];
        prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("."))
    }

    fn some_pattern() -> impl Strategy<Value = Pattern> {
        let segment = prop_oneof![2 => "[ab]", 2 => Just("*".to_owned()), 1 => Just("tickerd".to_owned())];
        (prop::collection::vec(segment, 0..4), any::<bool>()).prop_filter_map(
            "empty",
            |(mut segments, rest)| {
                segments.extend(rest.then(|| "**".to_owned()));
                Pattern::parse(&segments.join(".")).ok()
            },
        )
    }

    proptest! {
        /// What is covered whole is allowed for each topic, and what is not covered for none: against the topics themselves.
        #[test]
        fn cover_agrees_with_every_topic(
            granted in prop::collection::vec(some_pattern(), 0..3),
            denied in prop::collection::vec(some_pattern(), 0..2),
            asked in some_pattern(),
            topics in prop::collection::vec(name(), 1..40),
        ) {
            let mut rights = Rights::none();
            granted.into_iter().for_each(|pattern| rights.grant(Verb::Subscribe, pattern));
            denied.into_iter().for_each(|pattern| rights.deny(pattern));
            let cover = rights.cover(Verb::Subscribe, &asked);
            for topic in topics.iter().filter(|topic| asked.matches(topic)) {
                match cover {
                    Cover::All => prop_assert!(rights.allow(Verb::Subscribe, topic), "{topic} of {asked}"),
                    Cover::Nothing => prop_assert!(!rights.allow(Verb::Subscribe, topic), "{topic} of {asked}"),
                    Cover::Part => {}
                }
            }
        }

        /// The answers are those of a look at each grant and denial.
        #[test]
        fn the_index_agrees_with_a_look_at_each(
            granted in prop::collection::vec(some_pattern(), 0..8),
            denied in prop::collection::vec(some_pattern(), 0..5),
            asked in some_pattern(),
            topics in prop::collection::vec(name(), 1..40),
        ) {
            let mut rights = Rights::none();
            granted.iter().for_each(|pattern| rights.grant(Verb::Subscribe, pattern.clone()));
            denied.iter().for_each(|pattern| rights.deny(pattern.clone()));
            for topic in &topics {
                let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(topic));
                prop_assert_eq!(rights.allow(Verb::Subscribe, topic), any(&granted) && !any(&denied), "{}", topic);
            }
            for source in ["a", "b", "tickerd"] {
                let is_in = |pattern: &Pattern| pattern.feed().map_or(source != "tickerd", |feed| feed == source);
                let is_all = |pattern: &Pattern| {
                    pattern.as_str() == "**" && source != "tickerd" || *pattern.as_str() == format!("{source}.**")
                };
                let expected = granted.iter().any(is_in) && !denied.iter().any(is_all);
                prop_assert_eq!(rights.reaches(Verb::Subscribe, source), expected, "{}", source);
            }
            let held = |patterns: &[Pattern]| patterns.iter().any(|wide| contains(wide, &asked));
            let met = |patterns: &[Pattern]| patterns.iter().any(|other| overlap(other, &asked));
            let expected = match () {
                () if held(&denied) || !met(&granted) => Cover::Nothing,
                () if held(&granted) && !met(&denied) => Cover::All,
                () => Cover::Part,
            };
            prop_assert_eq!(rights.cover(Verb::Subscribe, &asked), expected, "{}", asked);
            let mut other = Rights::none();
            denied.iter().rev().for_each(|pattern| other.deny(pattern.clone()));
            granted.iter().rev().for_each(|pattern| other.grant(Verb::Subscribe, pattern.clone()));
            other.unite(&rights);
            prop_assert!(other == rights && other.digest == rights.digest);
        }

        /// Containment and overlap hold for every topic that is tried.
        #[test]
        fn containment_and_overlap_agree_with_every_topic(
            one in some_pattern(),
            other in some_pattern(),
            topics in prop::collection::vec(name(), 1..40),
        ) {
            for topic in &topics {
                if contains(&one, &other) && other.matches(topic) {
                    prop_assert!(one.matches(topic), "{topic}: {one} contains {other}");
                }
                if !overlap(&one, &other) {
                    prop_assert!(!(one.matches(topic) && other.matches(topic)), "{topic}: {one}, {other}");
                }
            }
            prop_assert!(contains(&one, &one) && overlap(&one, &one));
        }
    }
}
