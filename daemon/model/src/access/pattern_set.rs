//! A set of topics and patterns that answers without a look at each of them: a question costs about the same with ten of them
//! and with ten thousand.
//!
//! Patterns are kept sorted as text, so all that begin with `a.b.` stand together. A question goes from segment to segment
//! through the beginnings that exist, as through a tree.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::Bound;

use crate::topic::{Pattern, SERVER_SEGMENT};

/// Most beginnings that [`PatternSet::may_overlap`] looks at. It answers "perhaps" then.
const LOOKS_MAX: usize = 64;

/// It is sorted and compared as its text is, so a set finds it by its text.
impl Borrow<str> for Pattern {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Topics and patterns. Equal sets are equal, whatever order they were made in.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PatternSet {
    /// Those without wildcards.
    exact: BTreeSet<Pattern>,
    wild: BTreeSet<Pattern>,
}

impl PatternSet {
    /// Adds one; whether it was not there.
    pub fn insert(&mut self, pattern: Pattern) -> bool {
        match Pattern::is_pattern(pattern.as_str()) {
            true => self.wild.insert(pattern),
            false => self.exact.insert(pattern),
        }
    }

    /// Takes one out; whether it was there.
    pub fn remove(&mut self, pattern: &Pattern) -> bool {
        self.exact.remove(pattern) || self.wild.remove(pattern)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.exact.iter().chain(&self.wild)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wild.is_empty()
    }

    /// Whether one of them matches a topic, or every topic that a pattern can match.
    pub fn contains(&self, asked: &str) -> bool {
        if self.exact.contains(asked) {
            return true;
        }
        let mut way = String::new();
        !self.wild.is_empty() && contains(&self.wild, &mut way, asked)
    }

    /// `false`: no topic could match a pattern and one of these. `true`: perhaps. It is exact unless the pattern has a `*` before
    /// its end, or first, and there are very many of these.
    pub fn may_overlap(&self, asked: &str) -> bool {
        [&self.exact, &self.wild].into_iter().any(|set| {
            let (mut way, mut left) = (String::new(), LOOKS_MAX);
            !set.is_empty() && overlaps(set, &mut way, asked, &mut left)
        })
    }

    /// Whether one of them could match a topic of a source.
    pub fn reaches(&self, source: &str) -> bool {
        let below = format!("{source}.");
        let is_wide = source != SERVER_SEGMENT && has_any(&self.wild, "*");
        is_wide || self.exact.contains(source) || has_any(&self.exact, &below) || has_any(&self.wild, &below)
    }

    /// Whether one of them matches all topics of a source, and those alone or all others too.
    pub fn holds_source(&self, source: &str) -> bool {
        source != SERVER_SEGMENT && self.wild.contains("**") || self.wild.contains(&*format!("{source}.**"))
    }
}

/// Whether some pattern begins so.
fn has_any(set: &BTreeSet<Pattern>, beginning: &str) -> bool {
    let from = (Bound::Included(beginning), Bound::Unbounded);
    set.range::<str, _>(from).next().is_some_and(|first| first.as_str().starts_with(beginning))
}

/// Goes on by one segment while `way` lasts: whether a pattern ends there, or `then` says so of those that go on.
fn step(
    set: &BTreeSet<Pattern>,
    way: &mut String,
    (segment, rest): (&str, Option<&str>),
    then: impl FnOnce(&mut String, &str) -> bool,
) -> bool {
    let length = way.len();
    way.push_str(segment);
    let found = match rest {
        None => set.contains(&**way),
        Some(rest) => {
            way.push('.');
            has_any(set, way) && then(way, rest)
        }
    };
    way.truncate(length);
    found
}

/// A name's first segment, and what comes after it.
fn cut(name: &str) -> (&str, Option<&str>) {
    name.split_once('.').map_or((name, None), |(segment, rest)| (segment, Some(rest)))
}

/// Whether a pattern that begins with `way` matches all of `asked` behind it. `way` is empty or ends with a dot.
fn contains(set: &BTreeSet<Pattern>, way: &mut String, asked: &str) -> bool {
    let (segment, rest) = cut(asked);
    // The server's own topics are meant by patterns that name them, and by no others.
    let has_wildcards = !(way.is_empty() && segment == SERVER_SEGMENT);
    if has_wildcards && step(set, way, ("**", None), |_, _| false) {
        return true;
    }
    let own = segment != "*" && segment != "**";
    let mut go = |segment| step(set, way, (segment, rest), |way, rest| contains(set, way, rest));
    own && go(segment) || has_wildcards && segment != "**" && go("*")
}

/// Whether a pattern that begins with `way` and `asked` behind it could match the same topic. At the end of `left` it may be.
fn overlaps(set: &BTreeSet<Pattern>, way: &mut String, asked: &str, left: &mut usize) -> bool {
    let (segment, rest) = cut(asked);
    let is_first = way.is_empty();
    let has_wildcards = !(is_first && segment == SERVER_SEGMENT);
    if has_wildcards && step(set, way, ("**", None), |_, _| false) {
        return true;
    }
    let is_wild = matches!(segment, "*" | "**");
    if !is_wild {
        let mut go = |segment| step(set, way, (segment, rest), |way, rest| overlaps(set, way, rest, left));
        return go(segment) || has_wildcards && go("*");
    }
    let mut from = Bound::Included(way.clone());
    while let Some(next) = set.range::<str, _>((as_str(&from), Bound::Unbounded)).next() {
        let Some(tail) = next.as_str().strip_prefix(&**way) else { return false };
        let (child, deeper) = cut(tail);
        let is_meant = !(is_first && child == SERVER_SEGMENT);
        if is_meant && (segment == "**" || *left == 0) {
            return true;
        }
        *left = left.saturating_sub(1);
        if is_meant && step(set, way, (child, rest), |way, rest| overlaps(set, way, rest, left)) {
            return true;
        }
        from = match deeper {
            // `/` is the character behind the dot: what begins with this segment and a dot is left out.
            Some(_) => Bound::Included(format!("{way}{child}/")),
            None => Bound::Excluded(next.as_str().to_owned()),
        };
    }
    false
}

fn as_str(bound: &Bound<String>) -> Bound<&str> {
    bound.as_ref().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(patterns: impl IntoIterator<Item = String>) -> PatternSet {
        let mut set = PatternSet::default();
        patterns.into_iter().for_each(|pattern| assert!(set.insert(Pattern::parse(&pattern).unwrap())));
        set
    }

    #[test]
    fn many_are_found_by_their_beginning() {
        let set =
            set((0..5_000).flat_map(|n| [format!("a.t{n}"), format!("b.t{n}.**"), format!("c.*.t{n}")]));
        for (asked, is_there) in
            [("a.t4999", true), ("a.t5000", false), ("a.t1.x", false), ("b.t7.x.y", true)]
        {
            assert_eq!((set.contains(asked), set.may_overlap(asked)), (is_there, is_there), "{asked}");
        }
        assert!(
            set.contains("c.x.t9")
                && !set.contains("c.x.u")
                && set.contains("b.t1.*")
                && !set.contains("b.*.x")
        );
        assert!(set.may_overlap("c.x.*") && !set.may_overlap("d.**") && !set.may_overlap("c.x.u.**"));
        assert!(set.may_overlap("**") && set.may_overlap("a.*") && set.may_overlap("*.t4"));
    }

    #[test]
    fn where_too_many_would_be_looked_at_it_answers_perhaps() {
        let few = set((0..LOOKS_MAX / 2).map(|n| format!("a.t{n}.x")));
        assert!(!few.may_overlap("a.*.y"));
        let many = set((0..2 * LOOKS_MAX).map(|n| format!("a.t{n}.x")));
        assert!(many.may_overlap("a.*.y") && !many.contains("a.*.y"));
    }
}
