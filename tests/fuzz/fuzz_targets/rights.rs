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
const TOPICS_MAX: usize = 1_000;

fn is_match(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", pattern @ ..], [_, topic @ ..]) => is_match(pattern, topic),
        ([exact, pattern @ ..], [seen, topic @ ..]) => exact == seen && is_match(pattern, topic),
        _ => false,
    }
}

/// A pattern that begins with a star does not reach the server's own topics.
fn matches(pattern: &Pattern, topic: &str) -> bool {
    let (pattern, topic): (Vec<&str>, Vec<&str>) =
        (pattern.as_str().split('.').collect(), topic.split('.').collect());
    !(pattern[0].starts_with('*') && topic[0] == "tickerd") && is_match(&pattern, &topic)
}

/// Every topic of the names in these patterns and one that none of them has, up to one segment longer than the longest pattern.
fn topics(patterns: &[&Pattern], source: &str) -> Option<Vec<String>> {
    let mut names: BTreeSet<&str> = BTreeSet::from(["none-of-them", "tickerd", source]);
    names.extend(patterns.iter().flat_map(|pattern| pattern.as_str().split('.')));
    names.retain(|name| !name.starts_with('*'));
    let longest = patterns.iter().map(|pattern| pattern.as_str().split('.').count()).max()? + 1;
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
    for one in &patterns {
        let of_asked: Vec<bool> = topics.iter().map(|topic| matches(&asked, topic)).collect();
        let of_one: Vec<bool> = topics.iter().map(|topic| matches(one, topic)).collect();
        let both = || of_one.iter().zip(&of_asked);
        let mut single = Rights::none();
        single.grant(Verb::Subscribe, (*one).clone());
        let cover = match () {
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
                grants.iter().any(|(granted, pattern)| *granted == verb && matches(pattern, topic));
            let is_allowed = is_granted && !denied.iter().any(|pattern| matches(pattern, topic));
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
