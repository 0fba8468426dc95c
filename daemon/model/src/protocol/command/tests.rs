//! Commands as they are read, and each mistake with its remedy.

use std::time::Duration;

use schemars::SchemaGenerator;

use std::collections::BTreeMap;

use super::*;

fn code(text: &str) -> (u16, Option<Id>, String) {
    let refused = parse(text).unwrap_err();
    (refused.error.code.number(), refused.id, refused.error.message.into_owned())
}

#[test]
fn commands_are_read() {
    let request = parse(
        r#"{"event":"subscribe","data":{"id":2,"topics":["a.b","c.*"],"rate":"1s","mode":"latest","snapshot":false}}"#,
    )
    .unwrap();
    assert_eq!(request.id, Some(Id::Number(2)));
    let Command::Subscribe { topics, terms, snapshot, since } = request.command else { panic!() };
    assert_eq!(topics, ["a.b", "c.*"]);
    assert_eq!(terms, Terms { rate: Some(Duration::from_secs(1)), mode: Mode::Latest });
    assert_eq!((snapshot, since), (false, None));
    let publish =
        parse(r#"{"event":"publish","data":{"topic":"r.a","value":{"p": 1.50},"to":"user:b"}}"#).unwrap();
    assert_eq!(
        publish.command,
        Command::Publish { topic: "r.a".into(), value: r#"{"p": 1.50}"#.into(), to: Some("user:b".into()) }
    );
    assert_eq!(
        parse(r#"{"event":"presence","data":{"topic":"r.a"}}"#).unwrap().command,
        Command::Presence { topic: "r.a".into() }
    );
    assert_eq!(parse(r#"{"event":"ping"}"#).unwrap().command, Command::Ping { t: None });
    let ping = parse(r#"{"data":{"t":1.5,"id":"x"},"event":"ping"}"#).unwrap();
    assert_eq!(ping.command, Command::Ping { t: Some("1.5".into()) });
    assert_eq!(
        parse(r#"{"event":"topics","data":{}}"#).unwrap().command,
        Command::Topics { pattern: "**".into() }
    );
}

#[test]
fn where_a_client_was_is_read() {
    let text = r#"{"event":"subscribe","data":{"topics":["a.b","c"],"rate":"5s","since":{"epoch":"e","seq":{"c":7}}}}"#;
    let Command::Subscribe { terms, since, .. } = parse(text).unwrap().command else { panic!() };
    assert_eq!(terms, Terms { rate: None, mode: Mode::All }, "who was there for every tick wants every tick");
    assert_eq!(since, Some(Since { epoch: Epochs::One("e".into()), seq: [("c".to_owned(), 7)].into() }));
    let text = r#"{"event":"subscribe","data":{"topics":["b","c"],"since":{"epoch":{"c":"e-2-b-1"},"seq":{"b":1,"c":7}}}}"#;
    let Command::Subscribe { since: Some(since), .. } = parse(text).unwrap().command else { panic!() };
    assert_eq!(["b", "c"].map(|topic| since.epoch.of(topic)), [None, Some("e-2-b-1")]);
    let history = |text| parse(text).unwrap().command;
    assert_eq!(
        history(r#"{"event":"history","data":{"topic":"a.b"}}"#),
        Command::History { topic: "a.b".into(), limit: 100 }
    );
    assert_eq!(
        history(r#"{"event":"history","data":{"topic":"a.b","limit":3}}"#),
        Command::History { topic: "a.b".into(), limit: 3 }
    );
}

#[test]
fn each_mistake_says_what_to_change() {
    for (text, number, id, says) in [
        ("", 400, None, "one JSON object"),
        ("[1]", 400, None, "one JSON object"),
        (r#"["ping",{"id":1}]"#, 400, None, "it is a list"),
        (r#" ["ping"]"#, 400, None, "one JSON object"),
        (r#"{"event":"subscriptions","data":[7]}"#, 400, None, "must be an object"),
        (r#"{"event":"ping","data":{},"x":1}"#, 400, None, "it has the key \"x\" too"),
        (r#"{"data":{}}"#, 400, None, "lacks \"event\""),
        (r#"{"event":"subscribe","data":{"id":7}}"#, 400, Some(Id::Number(7)), "lacks \"topics\""),
        (r#"{"event":"subscribe","data":{"id":7,"topics":[]}}"#, 400, Some(Id::Number(7)), "names no topics"),
        (
            r#"{"event":"subscribe","data":{"id":7,"topics":["a"],"rate":5}}"#,
            400,
            Some(Id::Number(7)),
            "with its unit",
        ),
        (r#"{"event":"subscribe","data":{"topics":["a"],"rate":"5"}}"#, 400, None, "with its unit"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"mode":"some"}}"#, 400, None, "latest"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"topcs":1}}"#, 400, None, "did you mean topics?"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"since":{}}}"#, 400, None, "since lacks \"epoch\""),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"a":-1}}}}"#,
            400,
            None,
            "must be a whole number",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"b":1}}}}"#,
            400,
            None,
            "names \"b\"",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a.*"],"since":{"epoch":"e","seq":{"a.*":1}}}}"#,
            400,
            None,
            "not an exact topic",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":{"b":"e"},"seq":{"a":1}}}}"#,
            400,
            None,
            "since.epoch names \"b\"",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":{"a":7},"seq":{"a":1}}}}"#,
            400,
            None,
            "since must be a text, not 7",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":7,"seq":{"a":1}}}}"#,
            400,
            None,
            "since must be a text or an object of texts, not 7",
        ),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"mode":"latest","since":{"epoch":"e","seq":{}}}}"#,
            400,
            None,
            "mode \"all\"",
        ),
        (r#"{"event":"history","data":{"id":"h"}}"#, 400, Some(Id::Text("h".into())), "lacks \"topic\""),
        (r#"{"event":"history","data":{"topic":"a","limit":0}}"#, 400, None, "at least 1"),
        (r#"{"event":"history","data":{"topic":"a","limit":-3}}"#, 400, None, "must be a whole number"),
        (r#"{"event":"auth","data":{"id":"h"}}"#, 400, Some(Id::Text("h".into())), "the data of auth is"),
        (r#"{"event":"publish","data":{"topic":"r.a"}}"#, 400, None, "lacks \"value\""),
        (r#"{"event":"publish","data":{"value":1}}"#, 400, None, "lacks \"topic\""),
        (r#"{"event":"publish","data":{"topic":"r.a","value":1,"to":7}}"#, 400, None, "to must be a text"),
        (r#"{"event":"presence","data":{"id":1}}"#, 400, Some(Id::Number(1)), "lacks \"topic\""),
        (r#"{"event":"hello","data":{}}"#, 405, None, "no command"),
        (r#"{"event":"ping","data":{"id":-1}}"#, 400, None, "the id must be"),
        (r#"{"event":"ping","data":{"id":{}}}"#, 400, None, "the id must be"),
        (r#"{"event":"ping","data":[]}"#, 400, None, "the data of ping"),
    ] {
        let (seen, seen_id, message) = code(text);
        assert_eq!((seen, seen_id), (number, id), "{text}");
        assert!(message.contains(says), "{text}: {message}");
    }
}

/// One of each command, with every key it can have.
const WELL: [&str; 8] = [
    r#"{"event":"subscribe","data":{"id":2,"topics":["a.b","c.*"],"rate":"1s","mode":"all","snapshot":false}}"#,
    r#"{"event":"unsubscribe","data":{"id":"x","topics":["a.b"]}}"#,
    r#"{"event":"subscriptions","data":{"id":0}}"#,
    r#"{"event":"topics","data":{"id":4294967295,"match":"a.**"}}"#,
    r#"{"data":{"topics":["\u0061.b"],"id":"ü"},"event":"get"}"#,
    r#"{"event":"ping","data":{"id":9,"t":-1.50e3}}"#,
    r#"{"event":"history","data":{"id":8,"topic":"a.b","limit":3}}"#,
    r#"{"event":"subscribe","data":{"topics":["a.b","c"],"since":{"epoch":"e","seq":{"c":7}}}}"#,
];

/// Checks what must hold for every answer: it is bounded, and what was read is a command of the right form.
fn judge(text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    match parse(text) {
        Ok(Request { id, command }) => {
            // Raw values, since a number may be beyond the range of a double.
            let seen: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("a command is JSON");
            let event: String = serde_json::from_str(seen["event"].get()).expect("an event is a text");
            proptest::prop_assert!(BUILT.split(", ").any(|built| built == event), "{}", text);
            if let Some(Id::Text(id)) = id {
                proptest::prop_assert!(id.chars().count() <= ID_CHARS_MAX);
            }
            if let Command::Subscribe { topics, .. }
            | Command::Unsubscribe { topics }
            | Command::Get { topics } = &command
            {
                proptest::prop_assert!(!topics.is_empty());
            }
        }
        Err(refused) => {
            let message = &refused.error.message;
            proptest::prop_assert!(!message.is_empty() && message.chars().count() < 400, "{}", message);
        }
    }
    Ok(())
}

#[test]
fn what_is_described_is_what_is_read() {
    let mut generator = SchemaGenerator::default();
    let names: Vec<&str> = described(&mut generator).iter().map(|command| command.shape.name).collect();
    assert_eq!(names.join(", "), BUILT);
    for text in WELL {
        assert!(parse(text).is_ok(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,120}") {
        judge(&text)?;
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        judge(&String::from_utf8_lossy(&bytes))?;
    }

    /// A command whose bytes were changed, removed, added or moved is either a command again or is refused with the
    /// reason.
    #[test]
    fn a_command_that_was_changed_is_answered(
        which in 0..WELL.len(),
        changes in proptest::collection::vec((0..4u8, 0..200usize, 0..200usize, proptest::num::u8::ANY), 1..6),
    ) {
        let mut bytes = WELL[which].as_bytes().to_vec();
        for (kind, at, other, byte) in changes {
            let (at, other) = (at % bytes.len(), other % bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.swap(at, other),
            }
        }
        judge(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn almost_commands_are_answered(
        event in "(subscribe|get|topics|publish|presence|ping|x)",
        data in r#"[\[\]{}:,"a-z0-9]{0,40}"#,
    ) {
        let _ = parse(&format!(r#"{{"event":"{event}","data":{data}}}"#));
    }
}

#[test]
fn a_token_is_read_and_never_shown() {
    for (text, id) in [
        (r#"{"event":"auth","data":{"token":"s3cret","id":1}}"#, Some(Id::Number(1))),
        (r#"{"event":"token","data":"s3cret"}"#, None),
    ] {
        let token = Secret::new("s3cret");
        assert_eq!(parse(text), Ok(Request { id, command: Command::Auth { token } }));
        assert!(!format!("{:?}", parse(text)).contains("s3cret"));
    }
    for text in [
        r#"{"event":"auth","data":{"s3cret":1}}"#,
        r#"{"event":"auth","data":{"token":["s3cret"]}}"#,
        r#"{"event":"auth","data":"s3cret"}"#,
        r#"{"event":"auth","data":{"token":"x","tokn":"s3cret"}}"#,
        r#"{"event":"token","data":{"s3cret":1}}"#,
        r#"{"event":"token","data":["s3cret"]}"#,
    ] {
        let refused = parse(text).unwrap_err();
        assert_eq!(refused.error.code, Code::BadRequest, "{text}");
        assert!(!refused.error.message.contains("s3cret"), "{text}");
    }
}
