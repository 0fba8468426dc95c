//! Rights, held to a look at each grant and at each topic.

use proptest::prelude::*;

use super::*;
use crate::topic::first_segment;

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
fn bars_are_had_by_whoever_has_the_topic_behind() {
    let desk = rights(&["stocks.**", "tickerd.bars.1m.sim.A", "tickerd.bar.**"], &["stocks.secret.**"]);
    let allow = |topic: &str| desk.allow(Verb::Subscribe, topic);
    assert!(allow("tickerd.bars.1m.stocks.AAPL") && allow("tickerd.bar.7z.stocks.AAPL"));
    assert!(!allow("tickerd.bars.1m.stocks.secret.X"), "a denial is the topic's");
    assert!(!allow("tickerd.bars.1m.sim.A") && !allow("tickerd.bar.1m.sim.A"), "such a grant means nothing");
    assert!(!allow("tickerd.bars.1m") && !allow("tickerd.bars.1m.tickerd.bars.1m.stocks.AAPL"));
    assert!(!desk.allow(Verb::History, "tickerd.bars.1m.stocks.AAPL"));
    let cover = |text: &str| desk.cover(Verb::Subscribe, &pattern(text));
    assert_eq!(cover("tickerd.bars.1m.stocks.*"), Cover::All);
    assert_eq!(cover("tickerd.*.*.stocks.*"), Cover::Part, "it may also match other topics of the server's");
    assert_eq!(cover("tickerd.bars.*.stocks.**"), Cover::Part);
    assert_eq!(cover("tickerd.bars.**"), Cover::Part);
    assert_eq!(cover("tickerd.**"), Cover::Part);
    assert_eq!(cover("tickerd.*"), Cover::Nothing);
    assert_eq!(cover("tickerd.bars.1m.sim.*"), Cover::Nothing);
    assert_eq!(cover("tickerd.bars.*"), Cover::Nothing);
    assert!(desk.reaches(Verb::Subscribe, "tickerd") && !desk.reaches(Verb::Publish, "tickerd"));
    let all = rights(&["**"], &["stocks.**"]);
    assert_eq!(all.cover(Verb::Subscribe, &pattern("tickerd.bars.1m.sim.**")), Cover::All);
    assert_eq!(all.cover(Verb::Subscribe, &pattern("tickerd.bars.1m.*.AAPL")), Cover::Part);
    assert_eq!(rights(&["**"], &[]).cover(Verb::Subscribe, &pattern("tickerd.bar.**")), Cover::All);
    assert_eq!(rights(&["tickerd.**"], &[]).cover(Verb::Subscribe, &pattern("tickerd.**")), Cover::Part);
    assert_eq!(rights(&["tickerd.**", "**"], &[]).cover(Verb::Subscribe, &pattern("tickerd.**")), Cover::All);
    let said = |verb| {
        let mut rights = Rights::none();
        rights.grant(verb, pattern("**"));
        let cover = rights.cover(verb, &pattern("tickerd.bars.1m.**"));
        (rights.allow(verb, "tickerd.bars.1m.a.b"), cover)
    };
    assert_eq!([Verb::Subscribe, Verb::History].map(said), [(true, Cover::All); 2]);
    assert_eq!([Verb::Publish, Verb::Presence].map(said), [(false, Cover::Nothing); 2]);
    assert!(rights(&["tickerd.bars.1m.sim.A"], &[]).is_nothing());
}

#[test]
fn order_and_repetition_do_not_matter() {
    let mut one = rights(&["a.*", "b.*"], &["c"]);
    one.unite(&rights(&["a.*"], &[]));
    let mut other = rights(&["b.*"], &[]);
    other.unite(&rights(&["a.*"], &["c"]));
    assert_eq!(one, other);
}

/// What is before the topic behind, or nothing.
fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 1 => r"tickerd\.(bars|bar|stats)\.(1m|a|1M)\."]
}

fn name() -> impl Strategy<Value = String> {
    let segment = prop_oneof![2 => "[ab]", 1 => Just("tickerd".to_owned())];
    (prefix(), prop::collection::vec(segment, 1..5)).prop_map(|(prefix, topic)| prefix + &topic.join("."))
}

/// What a topic is judged by, in its simplest form; none if nobody may have it.
fn judged_by(topic: &str) -> Option<&str> {
    match topic.split('.').collect::<Vec<_>>()[..] {
        ["tickerd", "bars" | "bar", "1m" | "a", first, ..] if first != "tickerd" => {
            topic.splitn(4, '.').nth(3)
        }
        ["tickerd", "bars" | "bar", ..] => None,
        _ => Some(topic),
    }
}

/// The same for a pattern: what it is judged by besides bars, and for bars.
fn both_judged_by(pattern: &str) -> (Option<Pattern>, Option<Pattern>) {
    let segments: Vec<&str> = pattern.split('.').collect();
    let bars = match segments[..] {
        ["tickerd", "**"] | ["tickerd", "bars" | "bar" | "*", "**"] => Some("**"),
        ["tickerd", "bars" | "bar" | "*", "1m" | "a" | "b" | "*", first, ..] if first != "tickerd" => {
            pattern.splitn(4, '.').nth(3)
        }
        _ => None,
    };
    let is_of_bars = matches!(segments[..], ["tickerd", "bars" | "bar", ..]);
    ((!is_of_bars).then(|| self::pattern(pattern)), bars.map(self::pattern))
}

fn some_pattern() -> impl Strategy<Value = Pattern> {
    let segment = prop_oneof![2 => "[ab]", 2 => Just("*".to_owned()), 1 => Just("tickerd".to_owned())];
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_filter_map("empty", |(mut segments, rest)| {
        segments.extend(rest.then(|| "**".to_owned()));
        Pattern::parse(&segments.join(".")).ok()
    })
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
        mut granted in prop::collection::vec(some_pattern(), 0..8),
        mut denied in prop::collection::vec(some_pattern(), 0..5),
        asked in some_pattern(),
        topics in prop::collection::vec(name(), 1..40),
    ) {
        let mut rights = Rights::none();
        granted.iter().for_each(|pattern| rights.grant(Verb::Subscribe, pattern.clone()));
        denied.iter().for_each(|pattern| rights.deny(pattern.clone()));
        // What names bars means nothing.
        granted.retain(|pattern| both_judged_by(pattern.as_str()).0.is_some());
        denied.retain(|pattern| both_judged_by(pattern.as_str()).0.is_some());
        for topic in &topics {
            let judged_by = judged_by(topic);
            let any = |patterns: &[Pattern]| judged_by.is_some_and(|topic| patterns.iter().any(|pattern| pattern.matches(topic)));
            prop_assert_eq!(rights.allow(Verb::Subscribe, topic), any(&granted) && !any(&denied), "{}", topic);
        }
        for source in ["a", "b", "tickerd"] {
            let is_in = |pattern: &Pattern| pattern.feed().map_or(source != "tickerd", |feed| feed == source);
            let is_all = |pattern: &Pattern| {
                pattern.as_str() == "**" && source != "tickerd" || *pattern.as_str() == format!("{source}.**")
            };
            let is_of_feeds = |pattern: &Pattern| pattern.feed() != Some("tickerd");
            let is_wide = |pattern: &Pattern| pattern.as_str() == "**";
            let has_bars = source == "tickerd" && granted.iter().any(is_of_feeds) && !denied.iter().any(is_wide);
            let expected = granted.iter().any(is_in) && !denied.iter().any(is_all) || has_bars;
            prop_assert_eq!(rights.reaches(Verb::Subscribe, source), expected, "{}", source);
        }
        let of = |asked: &Pattern| {
            let held = |patterns: &[Pattern]| patterns.iter().any(|wide| contains(wide, asked));
            let met = |patterns: &[Pattern]| patterns.iter().any(|other| overlap(other, asked));
            match () {
                () if held(&denied) || !met(&granted) => Cover::Nothing,
                () if held(&granted) && !met(&denied) => Cover::All,
                () => Cover::Part,
            }
        };
        let (others, bars) = both_judged_by(asked.as_str());
        let mut covers = others.iter().chain(&bars).map(of);
        let first = covers.next().unwrap_or(Cover::Nothing);
        let expected = if covers.all(|cover| cover == first) { first } else { Cover::Part };
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
