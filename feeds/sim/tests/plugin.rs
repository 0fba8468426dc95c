//! The simulator through its C entry, as tickerd calls it.

use std::collections::BTreeMap;
use std::time::Duration;

use tickerd_feed_sim::{Sim, tickerd_plugin_v1};
use tickerd_sdk::abi::TKR_ERR_CONFIG;
use tickerd_sdk::testing::{Captured, TestHost};

fn steps(config: &str, n: usize) -> Vec<Captured> {
    let test = TestHost::of::<Sim>();
    let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.sim", config).expect("create");
    for _ in 0..n {
        feed.poll().expect("poll");
        test.advance_ms(977); // the clock must not matter
    }
    assert_eq!(test.rejects(), Vec::<String>::new());
    test.samples()
}

fn said(samples: &[Captured]) -> Vec<(&str, &str, &str)> {
    samples.iter().map(|s| (s.topic.as_str(), s.event.as_str(), s.json.as_str())).collect()
}

#[test]
fn defaults_give_a_bit_of_everything() {
    let samples = steps("{}", 50);
    let mut by_event = BTreeMap::<&str, std::collections::BTreeSet<&str>>::new();
    for sample in &samples {
        by_event.entry(&sample.event).or_default().insert(&sample.topic);
    }
    assert_eq!(by_event["quote"].len(), 8);
    assert!(by_event["quote"].contains("AAPL"));
    assert_eq!(by_event["sine"], ["sine"].into());
    assert_eq!(by_event["weather"], ["weather.lisbon", "weather.nairobi", "weather.oslo"].into());
    assert!(by_event["trade"].iter().all(|topic| topic.starts_with("trades.")));
    assert_eq!(samples.len(), 50 * (8 + 3 + 1 + 2));

    let quote = &samples[0];
    assert_eq!(quote.topic, "AAPL");
    let keys: Vec<_> = quote.value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "ask",
            "bid",
            "change",
            "change_pct",
            "currency",
            "delay_s",
            "high",
            "low",
            "open",
            "price",
            "session",
            "simulated",
            "source",
            "source_symbol",
            "symbol",
            "volume"
        ]
    );
    let price = quote.value["price"].as_str().unwrap();
    assert!(price.starts_with("189.") && price.len() == 6, "{price}");
    let trade = samples.iter().find(|s| s.event == "trade").unwrap();
    assert_eq!(trade.value["id"], "1");
    for sample in &samples {
        let origin = (&sample.value["source"], &sample.value["simulated"]);
        assert_eq!(origin, (&"sim".into(), &true.into()), "every value says what it is: {}", sample.json);
    }
}

/// Each start has different values, and the log says how to have the same ones again.
#[test]
fn without_a_seed_no_walk_is_repeated() {
    let walk = |config: &str| {
        let test = TestHost::of::<Sim>();
        let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.sim", config).expect("create");
        (0..20).for_each(|_| feed.poll().expect("poll"));
        let said: Vec<_> = test.samples().into_iter().map(|sample| sample.json).collect();
        (said, test.logs().into_iter().map(|(_, line)| line).collect::<Vec<_>>())
    };
    let (first, told) = walk("{}");
    assert_ne!(first, walk("{}").0);
    let seed = told[0].strip_prefix("these values come again with seed = ").expect("the seed is told");
    let (again, told) = walk(&format!(r#"{{"seed": {seed}}}"#));
    assert_eq!((first, told), (again, vec![]));
}

#[test]
fn same_seed_same_samples() {
    let first = steps(r#"{"seed": 7}"#, 200);
    assert_eq!(said(&first), said(&steps(r#"{"seed": 7}"#, 200)));
    assert_ne!(said(&first), said(&steps(r#"{"seed": 8}"#, 200)));
    let moved = first.iter().filter(|s| s.topic == "AAPL").map(|s| &s.json);
    assert!(moved.collect::<std::collections::HashSet<_>>().len() > 100, "prices move");
}

#[test]
fn a_symbol_does_not_depend_on_its_neighbours() {
    let of = |samples: &[Captured]| -> Vec<String> {
        samples.iter().filter(|s| s.topic == "MSFT").map(|s| s.json.clone()).collect()
    };
    let alone = steps(r#"{"seed": 7, "symbols": ["MSFT"], "trades": 0}"#, 20);
    let among = steps(r#"{"seed": 7, "symbols": 12, "trades": 0}"#, 20);
    assert_eq!(of(&alone), of(&among));
}

/// Users may have recorded the sequence, so these lines change only with a reason in the changelog.
#[test]
fn the_sequence_of_seed_one_is_pinned() {
    let samples = steps(r#"{"seed": 1, "symbols": ["AAPL", "X"], "weather": ["oslo"], "trades": 1}"#, 3);
    let last: Vec<_> = said(&samples).split_off(samples.len() - 5);
    assert_eq!(last, PINNED, "{last:#?}");
}

const PINNED: [(&str, &str, &str); 5] = [
    (
        "AAPL",
        "quote",
        r#"{"price":"189.27","change":"-0.03","change_pct":"-0.01","bid":"189.26","ask":"189.28","open":"189.30","high":"189.30","low":"189.27","volume":"498","symbol":"AAPL","source_symbol":"AAPL","currency":"USD","delay_s":0,"source":"sim","simulated":true,"session":"24x7"}"#,
    ),
    (
        "X",
        "quote",
        r#"{"price":"32.62","change":"0.01","change_pct":"0.03","bid":"32.61","ask":"32.63","open":"32.61","high":"32.62","low":"32.61","volume":"228","symbol":"X","source_symbol":"X","currency":"USD","delay_s":0,"source":"sim","simulated":true,"session":"24x7"}"#,
    ),
    (
        "trades.AAPL",
        "trade",
        r#"{"id":"3","price":"189.28","size":"69","side":"buy","symbol":"AAPL","source_symbol":"AAPL","currency":"USD","delay_s":0,"source":"sim","simulated":true}"#,
    ),
    (
        "weather.oslo",
        "weather",
        r#"{"temperature_c":6.1,"humidity_pct":80.6,"wind_ms":6.8,"pressure_hpa":1012.9,"place":"oslo","source":"sim","simulated":true}"#,
    ),
    ("sine", "sine", r#"{"value":0.207912,"step":2,"source":"sim","simulated":true}"#),
];

#[test]
fn activity_and_switches_are_honoured() {
    let quiet = steps(
        r#"{"seed": 1, "symbols": 100, "activity": 0.1, "trades": 0, "weather": [], "sine": false}"#,
        100,
    );
    assert!((700..1_300).contains(&quiet.len()), "{}", quiet.len());
    assert!(steps(r#"{"symbols": 0, "weather": [], "sine": false}"#, 3).is_empty());
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    let refusal = |config| {
        TestHost::new().load(tickerd_plugin_v1, "org.tickerd.sim", config).err().expect("create fails")
    };
    let (status, text) = refusal(r#"{"symbls": 3}"#);
    assert_eq!(status, TKR_ERR_CONFIG);
    assert!(text.contains("unknown field `symbls`") && text.contains("`symbols`"), "{text}");
    assert!(refusal(r#"{"symbols": ["a b"]}"#).1.contains("use 1 to 64 of"));
}

#[test]
fn ten_thousand_symbols_poll_quickly() {
    let test = TestHost::new();
    let config = r#"{"symbols": 10000, "trades": 100}"#;
    let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.sim", config).unwrap();
    feed.poll().unwrap();
    assert_eq!(test.take_samples().len(), 10_000 + 100 + 3 + 1);
    let start = worked();
    feed.poll().unwrap();
    // An optimised build takes a few milliseconds. This one is not optimised, and the test host parses every value.
    let took = worked() - start;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// The time for which this thread had a processor, in hundredths of a second. Other processes do not make it longer.
/// See proc_pid_stat(5).
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("this is Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in parentheses");
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 10)
}
