//! `[bars]`, and `bars` of a feed.

use super::*;

fn keep(text: &str) -> Vec<(u64, u64)> {
    let config = load(&format!("[bars]\n{text}\n")).unwrap_or_else(|problems| panic!("{problems}"));
    config.bars.keep.iter().map(|keep| (keep.period.as_secs(), keep.age.as_secs())).collect()
}

fn feed_bars(text: &str) -> FeedBars {
    let text = format!("[[feed]]\nname = \"a\"\nplugin = \"p\"\n{text}\n");
    load(&text).unwrap_or_else(|problems| panic!("{problems}")).feeds.remove(0).bars
}

#[test]
fn periods_are_read_in_any_order_and_spelling() {
    assert_eq!(keep(""), [(10, 3_600), (60, 86_400)]);
    assert_eq!(keep("keep = {}"), []);
    assert_eq!(keep("keep = { \"15m\" = \"30d\", \"60s\" = \"60s\" }"), [(60, 60), (900, 30 * 86_400)]);
    assert_eq!(keep("[bars.keep]\n24h = \"400d\"\n1s = \"100000s\""), [(1, 100_000), (86_400, 400 * 86_400)]);
    let eight = "keep = { 1s = \"1h\", 2s = \"1h\", 3s = \"1h\", 4s = \"1h\", 5s = \"1h\", 6s = \"1h\", 8s = \"1h\", 9s = \"1h\" }";
    assert_eq!(keep(eight).len(), 8);
}

/// What the schema says of a period is what is read.
#[test]
fn a_period_is_written_as_the_schema_says() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let pattern = |path: &str| schema.pointer(path).and_then(serde_json::Value::as_str).unwrap().to_owned();
    let period = pattern("/properties/bars/properties/keep/propertyNames/pattern");
    assert_eq!(period, pattern("/definitions/duration/pattern"));
    for unit in ["ms", "s", "m", "h", "d"] {
        assert!(period.contains(unit), "{period}");
    }
    assert_eq!(keep("keep = { 1000ms = \"1h\" }"), [(1, 3_600)]);
    assert_eq!(keep("keep = { 1d = \"2d\" }"), [(86_400, 172_800)]);
}

#[test]
fn bars_come_from_the_environment() {
    let env = [("TICKERD_BARS__KEEP", "1m=24h, 10s=2h"), ("TICKERD_BARS__BYTES", "1MiB")];
    let bars = with_env("[bars]\nkeep = {}\n", &env, &Overrides::default()).unwrap().bars;
    let kept: Vec<(u64, u64)> = bars.keep.iter().map(|keep| (keep.period.as_secs(), keep.count())).collect();
    assert_eq!((kept, bars.bytes), (vec![(10, 720), (60, 1_440)], 1 << 20));
    let env = [("TICKERD_BARS__KEEP__1H", "24h")];
    let bars = with_env("", &env, &Overrides::default()).unwrap().bars;
    assert_eq!(bars.keep, [Keep { period: Duration::from_secs(3_600), age: Duration::from_secs(86_400) }]);
}

#[test]
fn the_limit_suffices_for_so_many_topics() {
    assert_eq!(Bars::default().topics(), Some(2_330));
    assert_eq!(Bars { keep: Vec::new(), ..Bars::default() }.topics(), None);
}

#[test]
fn a_feed_says_of_what_it_has_bars() {
    assert_eq!(feed_bars(""), FeedBars::Auto);
    assert_eq!(feed_bars("bars = true"), FeedBars::Auto);
    assert_eq!(feed_bars("bars = false"), FeedBars::Off);
    let of = |field: &str, volume: Option<&str>| FeedBars::Field {
        field: field.to_owned(),
        volume: volume.map(str::to_owned),
    };
    assert_eq!(feed_bars("bars = { field = \"price\" }"), of("price", None));
    assert_eq!(feed_bars("bars = { field = \"\" }"), of("", None));
    assert_eq!(feed_bars("[feed.bars]\nfield = \"p\"\nvolume = \"size\""), of("p", Some("size")));
}

#[test]
fn slips_of_bars_are_told() {
    let bars = |lines: &str| format!("[bars]\n{lines}\n");
    let feed = |lines: &str| format!("[[feed]]\nname = \"a\"\nplugin = \"p\"\n{lines}\n");
    let nine = "keep = { 1s = \"1h\", 2s = \"1h\", 3s = \"1h\", 4s = \"1h\", 5s = \"1h\", 6s = \"1h\", 8s = \"1h\", 9s = \"1h\", 10s = \"1h\" }";
    let long = format!("bars = {{ field = {:?} }}", "x".repeat(65));
    let cases: Vec<(String, &[&str])> = vec![
        (
            bars("keep = { 7m = \"1h\" }"),
            &["t.toml:2:10: bars.keep.7m = 7m: a day is no multiple", "^^\n", "write \"6m\" or \"8m\""],
        ),
        (bars("keep = { 35s = \"1h\" }"), &["write \"32s\" or \"36s\""]),
        (bars("keep = { 23h = \"48h\" }"), &["write \"12h\" or \"24h\""]),
        (bars("keep = { 1500ms = \"1h\" }"), &["whole seconds", "write \"1s\" or \"2s\""]),
        (bars("keep = { 25h = \"48h\" }"), &["more than the most, 24h"]),
        (bars("keep = { 0s = \"1h\" }"), &["shorter than the least, 1s"]),
        (bars("keep = { fast = \"1h\" }"), &["bars.keep.fast", "does not start with a number"]),
        (bars("keep = { 1m = \"1h\", 60s = \"2h\" }"), &["bars.keep.60s", "the period 1m is there already"]),
        (bars("keep = { 1h = \"1m\" }"), &["t.toml:2:15: bars.keep.1h", "shorter than the least, 1h"]),
        (bars("keep = { 24h = \"401d\" }"), &["more than the most, 9600h"]),
        (bars("keep = { 10s = \"300h\" }"), &["this is 108000 bars of each topic", "write \"277h\" or less"]),
        (bars("keep = { 10s = 60 }"), &["a duration carries its unit", "write \"60s\""]),
        (bars("keep = [\"10s\"]"), &["a table is needed, and this is a list"]),
        (bars(nine), &["one period more than 8"]),
        (bars("[bars.keep]\n10s = 1h"), &["t.toml:3:7: `1h` is not a TOML value", "write 10s = \"1h\""]),
        (bars("bytes = \"1KiB\""), &["64KiB"]),
        (bars("keeep = {}"), &["did you mean `keep`?"]),
        (feed("bars = \"price\""), &["feed[0].bars", "write bars = { field = \"price\" }"]),
        (feed("bars = 1"), &["write bars = false"]),
        (feed("bars = {}"), &["feed[0].bars.field", "does not say of which field"]),
        (feed("bars = { volume = \"size\" }"), &["does not say of which field"]),
        (feed("bars = { field = 3 }"), &["a text is needed"]),
        (feed("bars = { fiel = \"p\", field = \"p\" }"), &["did you mean `field`?"]),
        (feed("bars = { field = \"\", volume = \"size\" }"), &["feed[0].bars.volume", "the value itself"]),
        (feed("bars = { field = \"p\", volume = \"p\" }"), &["this is the field itself"]),
        (feed("bars = { field = \"p\", volume = \"\" }"), &["names none"]),
        (feed(&long), &["at most 64 bytes, and this has 65"]),
    ];
    for (text, parts) in cases {
        let message = message(&text);
        for part in parts {
            assert!(message.contains(part), "{text}\nlacks: {part}\n{message}");
        }
        assert!(message.ends_with("1 problem in the configuration"), "{text}\n{message}");
    }
    for (value, part) in [("10s", "with = between them"), ("1m=1h,7m=1h", "write \"6m\" or \"8m\"")] {
        let env = [("TICKERD_BARS__KEEP", value)];
        let message = with_env("", &env, &Overrides::default()).unwrap_err().to_string();
        assert!(message.contains(part), "{value}: {message}");
    }
}
