//! Topics and patterns, held to the grammar as plainly as it can be said. The first line is a pattern, the rest a topic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_model::topic::{self, Pattern, bar};

/// The grammar of names that are none of bars.
fn is_plain(segments: &[&str]) -> bool {
    let segment = |s: &str| {
        let mut rest = s;
        while let Some(c) = rest.chars().next() {
            let hex = |at: usize| matches!(rest.as_bytes().get(at), Some(b'0'..=b'9' | b'A'..=b'F'));
            rest = match c {
                '%' if hex(1) && hex(2) => &rest[3..],
                c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => &rest[1..],
                _ => return false,
            };
        }
        (1..=64).contains(&s.len())
    };
    segments.join(".").len() <= 160 && segments.len() <= 8 && segments.iter().all(|s| segment(s))
}

/// What stands behind `tickerd.bars.1m.` and the like, in which `*` may stand for a word or a period if `wild`.
fn behind_bars<'a, 'b>(segments: &'a [&'b str], wild: bool) -> Option<&'a [&'b str]> {
    let ["tickerd", word, period, topic @ ..] = segments else { return None };
    let is_wild = |segment: &str| wild && segment == "*";
    let is_bars = matches!(*word, "bars" | "bar") || is_wild(word);
    let is_period = (1..=6).contains(&period.len())
        && period.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    let is_own = topic.is_empty() || topic[0] == "tickerd";
    (is_bars && (is_period || is_wild(period)) && !is_own).then_some(topic)
}

fn is_topic(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    is_plain(&segments) || behind_bars(&segments, false).is_some_and(is_plain)
}

fn is_pattern(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    let starred = |segments: &[&str]| {
        let starred = segments.iter().enumerate().map(|(at, segment)| match *segment {
            "*" => "a",
            "**" if at + 1 == segments.len() => "aa",
            other => other,
        });
        is_plain(&starred.collect::<Vec<_>>())
    };
    starred(&segments) || behind_bars(&segments, true).is_some_and(starred)
}

fn is_match(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", pattern @ ..], [_, topic @ ..]) => is_match(pattern, topic),
        ([exact, pattern @ ..], [seen, topic @ ..]) => exact == seen && is_match(pattern, topic),
        _ => false,
    }
}

/// `tickerd` is never meant by a wildcard: neither as the first segment, nor behind a period.
fn is_meant(pattern: &[&str], topic: &[&str]) -> bool {
    let is_own = topic[0] == "tickerd";
    let is_void =
        is_own && matches!(topic.get(1), Some(&("bars" | "bar"))) && behind_bars(topic, false).is_none();
    is_match(pattern, topic) && !(is_own && pattern[0].starts_with('*')) && (!is_void || pattern == topic)
}

fuzz_target!(|text: &str| {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    assert_eq!(topic::check(name.as_bytes()).is_ok(), is_topic(name));
    let parsed = Pattern::parse(pattern);
    assert_eq!(parsed.is_ok(), is_pattern(pattern));
    if let (Ok(parsed), true) = (parsed, is_topic(name)) {
        let (pattern, topic): (Vec<&str>, Vec<&str>) =
            (pattern.split('.').collect(), name.split('.').collect());
        assert_eq!(parsed.matches(name), is_meant(&pattern, &topic));
        if let Some(bar::Behind { form, period, topic: of }) = bar::behind(name) {
            assert_eq!(bar::name_of(form, period, of), name);
            assert_eq!(behind_bars(&topic, false).map(|behind| behind.join(".")).as_deref(), Some(of));
        }
    }
});
