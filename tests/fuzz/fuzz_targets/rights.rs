//! Grants and denials, held to a model that knows nothing but lists of topics.
//!
//! The first line is the pattern that is asked for, the second the name of a source. Each other line is a grant (`s`, `p`, `w` or `h`
//! for subscribe, publish, presence and history, then a pattern) or a denial (`-`, then a pattern).
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use tickerd_model::access::rights::{Cover, Rights, Verb};
use tickerd_model::topic::Pattern;

const RULES_MAX: usize = 8;
/// Topics of the model. With more it would be slow, and such inputs are left out.
const TOPICS_MAX: usize = 4_000;

fn is_match(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", pattern @ ..], [_, topic @ ..]) => is_match(pattern, topic),
        ([exact, pattern @ ..], [seen, topic @ ..]) => exact == seen && is_match(pattern, topic),
        _ => false,
    }
}

/// A pattern that begins with a star does not reach the server's own topics, and no star does so behind a period; what is asked for
/// is there.
fn matches(pattern: &Pattern, topic: &str) -> bool {
    let (pattern, topic): (Vec<&str>, Vec<&str>) =
        (pattern.as_str().split('.').collect(), topic.split('.').collect());
    !(pattern[0].starts_with('*') && topic[0] == "tickerd") && is_match(&pattern, &topic)
}

/// What rights to a topic are judged by: for bars, the topic behind. None: nobody may have it, and it is never there.
fn judged_by(topic: &str) -> Option<&str> {
    let segments: Vec<&str> = topic.split('.').collect();
    match segments[..] {
        ["tickerd", "bars" | "bar", period, first, ..] if is_period(period) && first != "tickerd" => {
            topic.splitn(4, '.').nth(3)
        }
        ["tickerd", "bars" | "bar", ..] => None,
        _ => Some(topic),
    }
}

fn is_period(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase())
}

/// Whether it names bars alone.
fn is_of_bars(pattern: &Pattern) -> bool {
    matches!(pattern.as_str().split('.').collect::<Vec<_>>()[..], ["tickerd", "bars" | "bar", ..])
}

/// What a pattern says of topics that are none of bars, and of topics behind bars: a part of it, or all.
fn said_of_others(pattern: &str) -> Vec<&str> {
    let rest = pattern.splitn(4, '.').nth(3);
    match pattern.split('.').collect::<Vec<_>>()[..] {
        ["tickerd", "bars" | "bar", ..] => rest.into_iter().collect(),
        ["tickerd", "*", ..] => rest.into_iter().chain([pattern]).collect(),
        _ => vec![pattern],
    }
}

/// Every topic that could be there of the names in these patterns: those that are none of bars, and their bars.
fn topics(patterns: &[&Pattern], source: &str) -> Option<Vec<String>> {
    let said: Vec<&str> = patterns.iter().flat_map(|pattern| said_of_others(pattern.as_str())).collect();
    let mut all = plain_topics(&said, source)?;
    all.retain(|topic| judged_by(topic) == Some(topic));
    let own = patterns.iter().map(|pattern| pattern.as_str()).filter(|pattern| is_own(pattern));
    let mut periods: BTreeSet<&str> = own.filter_map(|pattern| pattern.split('.').nth(2)).collect();
    periods.retain(|name| is_period(name));
    periods.insert("1z");
    let behind: Vec<String> = all.iter().filter(|topic| !is_own(topic)).cloned().collect();
    for word in ["bars", "bar"] {
        for period in &periods {
            all.extend(behind.iter().map(|topic| format!("tickerd.{word}.{period}.{topic}")));
        }
    }
    (all.len() < 4 * TOPICS_MAX).then_some(all)
}

fn is_own(topic: &str) -> bool {
    topic.split('.').next() == Some("tickerd")
}

/// Every topic of the names in these patterns and one that is none of them, up to one segment longer than the longest pattern.
fn plain_topics(patterns: &[&str], source: &str) -> Option<Vec<String>> {
    let mut names: BTreeSet<&str> = BTreeSet::from(["none-of-them", "tickerd", source]);
    names.extend(patterns.iter().flat_map(|pattern| pattern.split('.')));
    names.retain(|name| !name.starts_with('*'));
    let longest = patterns.iter().map(|pattern| pattern.split('.').count()).max().unwrap_or(1) + 1;
    let mut all: Vec<String> = Vec::new();
    let mut last: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    for _ in 1..longest {
        let longer = last.iter().flat_map(|topic| names.iter().map(move |name| format!("{topic}.{name}")));
        let longer: Vec<String> = longer.take(TOPICS_MAX).collect();
        all.append(&mut last);
        last = longer;
    }
    all.append(&mut last);
    (all.len() < TOPICS_MAX).then_some(all)
}

fn verb(letter: &str) -> Option<Verb> {
    Some(match letter {
        "s" => Verb::Subscribe,
        "p" => Verb::Publish,
        "w" => Verb::Presence,
        "h" => Verb::History,
        _ => return None,
    })
}

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let (Some(asked), Some(source)) = (lines.next(), lines.next()) else { return };
    let Ok(asked) = Pattern::parse(asked) else { return };
    if Pattern::is_pattern(source) || source.contains('.') || Pattern::parse(source).is_err() {
        return;
    }
    let (mut rights, mut grants, mut denied) = (Rights::none(), Vec::new(), Vec::new());
    let mut halves = [Rights::none(), Rights::none()];
    for (at, line) in lines.take(RULES_MAX).enumerate() {
        let Some((kind, pattern)) = line.split_once(' ') else { return };
        let Ok(pattern) = Pattern::parse(pattern) else { return };
        match verb(kind) {
            Some(verb) => {
                rights.grant(verb, pattern.clone());
                halves[at % 2].grant(verb, pattern.clone());
                grants.push((verb, pattern));
            }
            None if kind == "-" => {
                rights.deny(pattern.clone());
                halves[at % 2].deny(pattern.clone());
                denied.push(pattern);
            }
            None => return,
        }
    }
    // Whatever order they are united in, they are the same.
    let [one, other] = &halves;
    for (first, second) in [(one, other), (other, one)] {
        let mut united = first.clone();
        united.unite(second);
        assert_eq!(united, rights);
    }
    let mut patterns: Vec<&Pattern> = grants.iter().map(|(_, pattern)| pattern).chain(&denied).collect();
    patterns.push(&asked);
    let Some(topics) = topics(&patterns, source) else { return };
    // What names bars grants and denies nothing.
    grants.retain(|(_, pattern)| !is_of_bars(pattern));
    denied.retain(|pattern| !is_of_bars(pattern));
    let judges =
        |pattern: &Pattern, topic: &str| judged_by(topic).is_some_and(|topic| matches(pattern, topic));
    for one in grants.iter().map(|(_, pattern)| pattern).chain(&denied) {
        let of_asked: Vec<bool> = topics.iter().map(|topic| matches(&asked, topic)).collect();
        let of_one: Vec<bool> = topics.iter().map(|topic| judges(one, topic)).collect();
        let both = || of_one.iter().zip(&of_asked);
        let mut single = Rights::none();
        single.grant(Verb::Subscribe, one.clone());
        let cover = match () {
            // A pattern of bars that can be none.
            () if !of_asked.contains(&true) => Cover::Nothing,
            () if both().all(|(one, asked)| *one || !*asked) => Cover::All,
            () if both().any(|(one, asked)| *one && *asked) => Cover::Part,
            () => Cover::Nothing,
        };
        assert_eq!(single.cover(Verb::Subscribe, &asked), cover, "{one} of {asked}");
    }
    for verb in Verb::ALL {
        let cover = rights.cover(verb, &asked);
        let mut reaches = false;
        for topic in &topics {
            let is_granted =
                grants.iter().any(|(granted, pattern)| *granted == verb && judges(pattern, topic));
            let is_bars = judged_by(topic) != Some(topic);
            let is_never = is_bars && matches!(verb, Verb::Publish | Verb::Presence);
            let is_allowed = is_granted && !is_never && !denied.iter().any(|pattern| judges(pattern, topic));
            assert_eq!(rights.allow(verb, topic), is_allowed, "{verb:?} {topic}");
            // A source is the first segment of its topics.
            reaches |= is_allowed && topic.strip_prefix(source).is_some_and(|rest| rest.starts_with('.'));
            if matches(&asked, topic) {
                assert!(cover != Cover::All || is_allowed, "{verb:?} {asked}: {topic} is not allowed");
                assert!(cover != Cover::Nothing || !is_allowed, "{verb:?} {asked}: {topic} is allowed");
            }
        }
        assert!(!reaches || rights.reaches(verb, source), "{verb:?}: a topic of {source} is allowed");
    }
});
