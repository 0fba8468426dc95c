//! Topics and patterns, held to the grammar as plainly as it can be said. The first line is a pattern, the rest a topic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_model::topic::{self, Pattern};

fn is_topic(name: &str) -> bool {
    let segment = |s: &str| {
        (1..=64).contains(&s.len()) && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    name.len() <= 160 && name.split('.').count() <= 8 && name.split('.').all(segment)
}

fn is_pattern(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    let starred = segments.iter().enumerate().map(|(at, segment)| match *segment {
        "*" => "a",
        "**" if at + 1 == segments.len() => "aa",
        other => other,
    });
    is_topic(&starred.collect::<Vec<_>>().join("."))
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

fuzz_target!(|text: &str| {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    assert_eq!(topic::check(name.as_bytes()).is_ok(), is_topic(name));
    let parsed = Pattern::parse(pattern);
    assert_eq!(parsed.is_ok(), is_pattern(pattern));
    if let (Ok(parsed), true) = (parsed, is_topic(name)) {
        let (pattern, topic): (Vec<&str>, Vec<&str>) =
            (pattern.split('.').collect(), name.split('.').collect());
        assert_eq!(parsed.matches(name), is_match(&pattern, &topic));
    }
});
