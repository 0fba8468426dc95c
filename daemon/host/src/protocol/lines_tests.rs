//! The line protocol: lines that are read and written, and lines that make no sense.

use proptest::prelude::*;

use crate::protocol::lines::*;
use crate::protocol::sample_line::SampleLine;
use crate::report::event_doc::{EventDoc, EventDocs};
use crate::report::{Failure, Fault, Hello, Mode};
use tickerd_model::health::FeedState;
use tickerd_model::normalise::Normaliser;
use tickerd_model::sample::Class;

fn sample(line: &str) -> SampleLine<'_> {
    match said(line.as_bytes()) {
        Ok(Said::Sample(sample)) => sample,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    match said(line.as_bytes()) {
        Err(e) => e.to_string(),
        Ok(other) => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_minimal_line_is_a_sample_and_keeps_its_bytes() {
    let line = sample(r#"{"event":"quote","data":{"price": 189.30}}"#);
    let sample = line.sample(&[]);
    assert_eq!(sample.topic, b"");
    assert_eq!(sample.value, br#"{"price": 189.30}"#, "normalise decides about whitespace");
    assert_eq!((sample.class, sample.src_ts), (None, 0));
}

#[test]
fn class_comes_from_the_line_then_from_the_hello() {
    let declared = [("trade".to_owned(), Class::Event)];
    assert_eq!(sample(r#"{"event":"trade","data":1}"#).sample(&declared).class, Some(Class::Event));
    assert_eq!(
        sample(r#"{"event":"trade","class":"state","data":1}"#).sample(&declared).class,
        Some(Class::State)
    );
    assert_eq!(sample(r#"{"event":"quote","data":1}"#).sample(&declared).class, None);
}

#[test]
fn null_is_a_value_escapes_are_read_and_times_may_be_floats() {
    let line =
        sample(r#"{"topic":"A\u0041","event":"quote","data":null,"ts":1767225600000.75,"new_key":[1]}"#);
    let sample = line.sample(&[]);
    assert_eq!((sample.topic, sample.value, sample.src_ts), (&b"AA"[..], &b"null"[..], 1_767_225_600_000));
}

#[test]
fn mistakes_are_told_by_name() {
    assert!(refusal(r#"{"event":"quote"}"#).contains("missing field `data`"));
    assert!(refusal(r#"{"topic":"a","data":1}"#).contains("missing field `event`"));
    assert!(refusal(r#"{"event":7,"data":1}"#).contains("expected a string"));
    assert!(refusal(r#"{"event":"q","data":1,"ts":-5}"#).contains("Unix milliseconds"));
    assert!(refusal(r#"{"event":"q","data":1,"class":"stream"}"#).contains("state"));
    assert!(refusal("hello world").contains("write one JSON object"));
    assert!(refusal(r#"{"health":"fine"}"#).contains("degraded"));
    assert!(refusal(r#"{"tfp":1,"events":{"trade":"stream"}}"#).contains("unknown variant `stream`"));
    assert!(refusal(r#"{"tfp":1,"min_poll_ms":-1}"#).contains("expected u32"));
    assert!(refusal(r#"{"tfp":0}"#).contains("tfp"));
    assert!(matches!(said(br#"{"later":"version"}"#), Ok(Said::Unknown)));
}

#[test]
fn what_runtimes_add_is_no_mistake_and_utf16_is_told() {
    assert_eq!(sample("\u{feff}{\"event\":\"q\",\"data\":1}\r").sample(&[]).value, b"1");
    let line = r#"{"event":"q","data":1}"#;
    let [little, big] = [u16::to_le_bytes, u16::to_be_bytes]
        .map(|bytes| line.encode_utf16().flat_map(bytes).collect::<Vec<u8>>());
    let marked = [&[0xff, 0xfe], little.as_slice()].concat();
    for wide in [little, big, marked] {
        assert_eq!(said(&wide).unwrap_err().to_string(), "this line is UTF-16; write UTF-8");
    }
}

#[test]
fn a_value_that_is_no_text_is_told() {
    let why = said(b"{\"event\":\"q\",\"data\":\"\xff\"}").unwrap_err().to_string();
    assert_eq!(why, "this line is not UTF-8, at byte 21; write UTF-8");
}

#[test]
fn only_a_feed_that_says_so_has_to_beat() {
    let beats = |line: &str| matches!(said(line.as_bytes()), Ok(Said::Hello(hello)) if hello.beats);
    assert!(beats(r#"{"tfp":1,"features":["later","heartbeat"]}"#));
    assert!(!beats(r#"{"tfp":1,"features":[]}"#));
    assert!(!beats(r#"{"tfp":1}"#));
}

#[test]
fn a_hello_may_say_what_values_look_like() {
    let line = r#"{"tfp":1,"events":{"bid":"event","trade":"event"},"docs":{"quote":{"schema":{"type":"object"},"later":1},"trade":{"description":"A trade."}}}"#;
    let Ok(Said::Hello(hello)) = said(line.as_bytes()) else { panic!("{line}") };
    let (state, event) = (Class::State, Class::Event);
    assert_eq!(hello.events, [("bid".into(), event), ("quote".into(), state), ("trade".into(), event)]);
    assert_eq!(hello.docs.len(), 2);
    assert_eq!(hello.docs["quote"].schema.as_deref(), Some(r#"{"type":"object"}"#));
    assert_eq!(hello.docs["trade"], EventDoc { description: "A trade.".into(), schema: None });
    assert!(refusal(r#"{"tfp":1,"docs":{"trade":{"description":7}}}"#).contains("invalid type: integer `7`"));
}

#[test]
fn every_line_reads_back_as_written() {
    let hello = Hello {
        feed: "org.example.stocks".into(),
        version: "0.1.0".into(),
        mode: Mode::Poll,
        beats: true,
        events: vec![
            ("bid".into(), Class::State),
            ("quote".into(), Class::State),
            ("trade".into(), Class::Event),
        ],
        docs: EventDocs::from([
            ("bid".into(), EventDoc { description: "A \"bid\"\n".into(), schema: None }),
            ("trade".into(), EventDoc { description: String::new(), schema: Some(r#"{"a":[1.50]}"#.into()) }),
        ]),
        default_poll_ms: 1000,
        min_poll_ms: 250,
    };
    let failure = Failure { fault: Fault::Config, message: "set \"symbols\"\n".into() };
    let all = [
        Said::Hello(hello),
        Said::Log { level: tracing::Level::WARN, message: "slow".into() },
        Said::Health { state: FeedState::Closed, message: "night".into() },
        Said::Heartbeat,
        Said::Retire("AAPL".into()),
        Said::GivenUp(3),
        Said::Reject { code: "bad_topic".into(), message: "a space".into(), count: 1 },
        Said::Reject { code: "bad_topic".into(), message: "a space".into(), count: 7 },
        Said::Done { poll: 17, result: Ok(()) },
        Said::Done { poll: 18, result: Err(Failure::transient("timed out")) },
        Said::Fail(failure),
    ];
    for each in all {
        let mut line = Vec::new();
        write_said(&mut line, &each);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.find('\n'), Some(text.len() - 1), "one line: {text}");
        assert_eq!(format!("{:?}", said(text.trim_end().as_bytes()).unwrap()), format!("{each:?}"));
    }
}

#[test]
fn a_tick_reads_back_as_the_sample_it_was() {
    let mut normaliser = Normaliser::new("stocks", 4);
    let first = sample(r#"{"topic":"A","event":"trade","data":{"p": 1.50},"ts":9,"class":"event"}"#);
    let mut tick = normaliser.accept(&first.sample(&[]), 1).unwrap();
    tick.merged = 3;
    let mut line = Vec::new();
    write_tick(&mut line, "A", &tick);
    let text = String::from_utf8(line).unwrap();
    let again = sample(text.trim_end());
    assert_eq!(again.merged, 3);
    let again = again.sample(&[]);
    assert_eq!((again.topic, again.event, again.src_ts), (&b"A"[..], &b"trade"[..], 9));
    assert_eq!((again.value, again.class), (&br#"{"p":1.50}"#[..], Some(Class::Event)));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = said(&bytes);
        let _ = crate::protocol::orders::Order::parse(&bytes);
        let _ = crate::protocol::orders::Setup::parse(&bytes);
    }

    #[test]
    fn broken_lines_never_panic(cut in 0usize..90, byte in any::<u8>()) {
        let mut line = br#"{"topic":"AAPL","event":"quote","data":{"price":"189.30"},"ts":1767225600000,"class":"state"}"#.to_vec();
        if let Some(at) = line.get_mut(cut) {
            *at = byte;
        }
        let _ = said(&line);
        let _ = said(line.get(..cut).unwrap_or_default());
    }
}
