//! Names and patterns, held to the grammar as plainly as it can be said.

use super::*;

#[test]
fn names_follow_the_grammar() {
    for good in ["a", "stocks.AAPL", "a-b_c.0", &["x"; 8].join("."), &"x".repeat(64)] {
        assert_eq!(check(good.as_bytes()), Ok(good), "{good}");
    }
    let deep = ["x"; 9].join(".");
    let long = ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join(".");
    for (bad, why) in [
        ("", GrammarError::Empty),
        (".a", GrammarError::EmptySegment),
        ("a..b", GrammarError::EmptySegment),
        ("a.", GrammarError::EmptySegment),
        ("a b", GrammarError::BadCharacter(' ')),
        ("stocks.é", GrammarError::BadCharacter('é')),
        ("stocks.a%7c", GrammarError::BadCharacter('%')),
        ("a.*", GrammarError::BadCharacter('*')),
        (&"x".repeat(65), GrammarError::SegmentTooLong),
        (&deep, GrammarError::TooDeep),
        (&long, GrammarError::TooLong),
    ] {
        assert_eq!(check(bad.as_bytes()), Err(why), "{bad}");
    }
    let told = |name: &[u8]| check(name).unwrap_err().to_string();
    assert!(told("stocks.né".as_bytes()).starts_with("'é' is not allowed"));
    assert!(told(b"a.b%7c").ends_with("%XX in capitals"));
    assert!(told(b"a.b\xc3").starts_with("'\u{fffd}' is not allowed"), "cut short");
}

#[test]
fn what_other_protocols_write_is_told_in_our_words() {
    for (text, meant) in [
        ("sim.#", "sim.**"),
        ("sim>", "sim.**"),
        ("sim.>", "sim.**"),
        ("#", "**"),
        (">", "**"),
        ("sim/+/x", "sim.*.x"),
        ("/sim/AAPL", "sim.AAPL"),
        ("sim:AAPL", "sim.AAPL"),
        ("sim.AAPL.", "sim.AAPL"),
    ] {
        assert_eq!(hint(text), format!("; did you mean {meant}?"), "{text}");
    }
    for text in ["", "a b", "a..b", "a.#.b", "é", "a.**.b", &"a/".repeat(200)] {
        assert_eq!(hint(text), "", "{text}");
    }
}

#[test]
fn patterns_match_whole_segments() {
    let matches = |p: &str, t: &str| Pattern::parse(p).unwrap().matches(t);
    assert!(matches("*", "sim"));
    assert!(!matches("*", "sim.AAPL"));
    assert!(matches("sim.*", "sim.AAPL"));
    assert!(!matches("sim.*", "sim"));
    assert!(!matches("sim.*", "sim.a.b"));
    assert!(matches("**", "sim.a.b"));
    assert!(matches("sim.**", "sim.a.b"));
    assert!(!matches("sim.**", "sim"));
    assert!(matches("*.trades.*", "crypto.trades.BTC-USD"));
    assert!(!matches("*.trades.*", "crypto.quotes.BTC-USD"));
    for bad in ["a*", "**.a", "a.**.b", "***", "a..*", ""] {
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
}

/// The grammar once more, in its simplest form: of names that are none of bars.
fn is_plain(name: &str) -> bool {
    let hex: Vec<String> = (0..256).map(|byte| format!("%{byte:02X}")).collect();
    let segment = |s: &str| {
        let plain = hex.iter().fold(s.to_owned(), |text, byte| text.replace(byte.as_str(), "x"));
        (1..=64).contains(&s.len())
            && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    name.len() <= 160 && name.split('.').count() <= 8 && name.split('.').all(segment)
}

fn starred(segments: &[&str]) -> String {
    let starred = segments.iter().enumerate().map(|(at, segment)| match *segment {
        "*" => "a",
        "**" if at + 1 == segments.len() => "aa",
        other => other,
    });
    // A star takes no more room than what stands for it here.
    starred.collect::<Vec<_>>().join(".")
}

fn is_period(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase())
}

/// What stands behind `tickerd.bars.1m.` and the like, in which `*` may stand for a word or a period if `wild`.
fn behind_bars<'a>(segments: &'a [&'a str], wild: bool) -> Option<&'a [&'a str]> {
    let ["tickerd", word, period, topic @ ..] = segments else { return None };
    let is_wild = |segment: &str| wild && segment == "*";
    let is_bars = matches!(*word, "bars" | "bar") || is_wild(word);
    let is_own = topic.is_empty() || topic[0] == "tickerd";
    (is_bars && (is_period(period) || is_wild(period)) && !is_own).then_some(topic)
}

fn is_topic(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    is_plain(name) || behind_bars(&segments, false).is_some_and(|topic| is_plain(&topic.join(".")))
}

fn is_pattern(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    let is_bars = || behind_bars(&segments, true).is_some_and(|topics| is_plain(&starred(topics)));
    is_plain(&starred(&segments)) || is_bars()
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

/// A match, but that `tickerd` is never meant by a wildcard, neither first nor behind a period.
fn is_meant(pattern: &[&str], topic: &[&str]) -> bool {
    let is_own = topic[0] == "tickerd";
    let is_among_bars = is_own && matches!(topic.get(1), Some(&("bars" | "bar")));
    let is_void = is_among_bars && behind_bars(topic, false).is_none();
    is_match(pattern, topic) && !(is_own && pattern[0].starts_with('*')) && (!is_void || pattern == topic)
}

#[test]
fn bars_have_the_names_of_what_is_behind() {
    use bar::{Behind, Form, Reach, behind, name_of, reach};
    let bars = |form, period, topic| Some(Behind { form, period, topic });
    for (name, seen) in [
        ("tickerd.bars.1m.stocks.AAPL", bars(Form::Closed, "1m", "stocks.AAPL")),
        ("tickerd.bar.10s.f", bars(Form::Open, "10s", "f")),
        ("tickerd.bars.1m.f.tickerd.x", bars(Form::Closed, "1m", "f.tickerd.x")),
        ("tickerd.bars.1m", None),
        ("tickerd.bars.1m.", None),
        ("tickerd.bars.1M.f", None),
        ("tickerd.bars.1234567.f", None),
        ("tickerd.bars.1m.tickerd.stats", None),
        ("tickerd.bars.1m.tickerd.bars.1m.f", None),
        ("tickerd.barss.1m.f", None),
        ("xtickerd.bars.1m.f", None),
        ("tickerdx.bars.1m.f", None),
        ("tickerd.*.1m.f", None),
        ("tickerd.bars.*.f", None),
        ("tickerd.bars.1m.*", None),
        ("stocks.AAPL", None),
    ] {
        assert_eq!(behind(name), seen, "{name}");
        if let Some(Behind { form, period, topic }) = seen {
            assert_eq!(name_of(form, period, topic), name);
        }
    }
    let (closed, open) = (Some(Form::Closed), Some(Form::Open));
    let bars = |form, period, topics| Some(Reach { form, period, topics });
    for (pattern, seen) in [
        ("tickerd.bars.1m.stocks.*", bars(closed, Some("1m"), "stocks.*")),
        ("tickerd.bar.1m.f", bars(open, Some("1m"), "f")),
        ("tickerd.*.1m.stocks.AAPL", bars(None, Some("1m"), "stocks.AAPL")),
        ("tickerd.bars.*.stocks.*", bars(closed, None, "stocks.*")),
        ("tickerd.*.*.*", bars(None, None, "*")),
        ("tickerd.bars.1m.**", bars(closed, Some("1m"), "**")),
        ("tickerd.bars.**", bars(closed, None, "**")),
        ("tickerd.**", bars(None, None, "**")),
        ("**", None),
        ("*.bars.1m.f", None),
        ("tickerd.*", None),
        ("tickerd.bars.*", None),
        ("tickerd.stats", None),
        ("tickerd.bars.1m.tickerd.*", None),
        ("stocks.**", None),
    ] {
        assert_eq!(reach(pattern), seen, "{pattern}");
    }
}

#[test]
fn bars_may_be_longer_by_what_stands_before_the_topic() {
    let deep = ["x"; 8].join(".");
    let long = ["x".repeat(64), "y".repeat(64), "z".repeat(30)].join(".");
    for topic in [&deep, &long] {
        let name = bar::name_of(bar::Form::Closed, "999999", topic);
        assert_eq!(check(name.as_bytes()), Ok(&*name));
        assert!(Pattern::parse(&format!("tickerd.*.*.{topic}")).is_ok());
        for bad in
            [format!("tickerd.stat.1m.{topic}"), format!("{name}.x"), format!("tickerd.bars.1234567.{topic}")]
        {
            assert!(check(bad.as_bytes()).is_err() && Pattern::parse(&bad).is_err(), "{bad}");
        }
    }
    assert_eq!(bar::name_of(bar::Form::Closed, "999999", &deep).split('.').count(), NAME_SEGMENTS_MAX);
    assert_eq!(bar::name_of(bar::Form::Closed, "999999", &long).len(), NAME_BYTES_MAX);
}

/// Names of which many are such as those of bars.
const OWN: &str = r"(tickerd\.|x\.)(bars|bar|stats|\*)(\.(1m|10s|1M|9999999|\*|x))?";

proptest::proptest! {
    #[test]
    fn the_grammar_is_what_it_says(name in r"([ab]|A|0|_|-|\.|\*|\*\*| |é|/|%7C|%7c|%|[a-z]{63}){0,12}") {
        proptest::prop_assert_eq!(check(name.as_bytes()).is_ok(), is_topic(&name), "{}", name);
        proptest::prop_assert_eq!(Pattern::parse(&name).is_ok(), is_pattern(&name), "{}", name);
    }

    #[test]
    fn the_grammar_of_bars_is_what_it_says(
        own in OWN, rest in r"(\.([ab]|tickerd|\*|\*\*| |[a-z]{40})?){0,10}",
    ) {
        let name = format!("{own}{rest}");
        proptest::prop_assert_eq!(check(name.as_bytes()).is_ok(), is_topic(&name), "{}", name);
        proptest::prop_assert_eq!(Pattern::parse(&name).is_ok(), is_pattern(&name), "{}", name);
    }

    /// What a pattern of bars reaches says of each topic what the pattern itself says.
    #[test]
    fn patterns_match_bars_as_a_naive_matcher_says(
        pattern in proptest::collection::vec("(a|\\*|tickerd)", 0..4), own in OWN, rest in proptest::bool::ANY,
        topic in proptest::collection::vec("(a|b|tickerd)", 0..4), of in r"tickerd\.(bars|bar|stats)(\.(1m|10s|1M))?",
    ) {
        let pattern = pattern.iter().map(String::as_str).chain(rest.then_some("**"));
        let pattern = own.split('.').chain(pattern).collect::<Vec<_>>();
        let topic = of.split('.').chain(topic.iter().map(String::as_str)).collect::<Vec<_>>();
        let (text, name) = (pattern.join("."), topic.join("."));
        let parsed = Pattern::parse(&text).unwrap();
        proptest::prop_assert_eq!(parsed.matches(&name), is_meant(&pattern, &topic), "{} of {}", name, text);
        if let (Some(bar::Behind { form, period, topic }), true) = (bar::behind(&name), parsed.matches(&name)) {
            let reach = parsed.bars().unwrap();
            proptest::prop_assert!(reach.form.is_none_or(|own| own == form));
            proptest::prop_assert!(reach.period.is_none_or(|own| own == period));
            proptest::prop_assert!(Pattern::parse(reach.topics).unwrap().matches(topic));
        }
    }

    /// Few segments from few words, so that about as many match as do not.
    #[test]
    fn patterns_match_as_a_naive_matcher_says(
        pattern in proptest::collection::vec("(a|b|\\*)", 1..5), rest in proptest::bool::ANY,
        topic in proptest::collection::vec("(a|b)", 1..6),
    ) {
        let mut pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
        if rest {
            pattern.push("**");
        }
        let parts: Vec<&str> = topic.iter().map(String::as_str).collect();
        let parsed = Pattern::parse(&pattern.join(".")).unwrap();
        proptest::prop_assert_eq!(parsed.matches(&topic.join(".")), is_match(&pattern, &parts));
    }

    #[test]
    fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(name) = check(&bytes) {
            proptest::prop_assert!(is_topic(name));
        }
    }

    /// A topic is matched by itself, by itself with any one segment starred, and by `**`.
    #[test]
    fn a_starred_topic_still_matches(segments in proptest::collection::vec("[A-Za-z0-9_-]{1,12}", 1..8), at in 0usize..8) {
        let topic = segments.join(".");
        proptest::prop_assert!(check(topic.as_bytes()).is_ok());
        let mut starred = segments.clone();
        let at = at % starred.len();
        starred[at] = "*".into();
        proptest::prop_assert!(Pattern::parse(&starred.join(".")).unwrap().matches(&topic));
        proptest::prop_assert!(Pattern::parse("**").unwrap().matches(&topic));
        let longer = format!("{topic}.x");
        proptest::prop_assert!(!Pattern::parse(&starred.join(".")).unwrap().matches(&longer));
    }

    #[test]
    fn any_text_is_judged_without_panic(text in "\\PC{0,200}") {
        let _ = check(text.as_bytes());
        let _ = Pattern::parse(&text).map(|p| p.matches(&text));
    }
}
