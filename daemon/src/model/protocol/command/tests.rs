//! Commands as they are read, and each mistake with its remedy.

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
    assert_eq!(since, Some(Since { epoch: "e".into(), seq: [("c".to_owned(), 7)].into() }));
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
        (r#"{"event":"ping","data":{},"x":1}"#, 400, None, "unknown field `x`"),
        (r#"{"data":{}}"#, 400, None, "missing field `event`"),
        (r#"{"event":"subscribe","data":{"id":7}}"#, 400, Some(Id::Number(7)), "missing field `topics`"),
        (r#"{"event":"subscribe","data":{"id":7,"topics":[]}}"#, 400, Some(Id::Number(7)), "names no topics"),
        (
            r#"{"event":"subscribe","data":{"id":7,"topics":["a"],"rate":5}}"#,
            400,
            Some(Id::Number(7)),
            "with its unit",
        ),
        (r#"{"event":"subscribe","data":{"topics":["a"],"rate":"5"}}"#, 400, None, "with its unit"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"mode":"some"}}"#, 400, None, "latest"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"topcs":1}}"#, 400, None, "unknown field `topcs`"),
        (r#"{"event":"subscribe","data":{"topics":["a"],"since":{}}}"#, 400, None, "missing field `epoch`"),
        (
            r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"a":-1}}}}"#,
            400,
            None,
            "expected u64",
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
            r#"{"event":"subscribe","data":{"topics":["a"],"mode":"latest","since":{"epoch":"e","seq":{}}}}"#,
            400,
            None,
            "mode \"all\"",
        ),
        (
            r#"{"event":"history","data":{"id":"h"}}"#,
            400,
            Some(Id::Text("h".into())),
            "missing field `topic`",
        ),
        (r#"{"event":"history","data":{"topic":"a","limit":0}}"#, 400, None, "at least 1"),
        (r#"{"event":"history","data":{"topic":"a","limit":-3}}"#, 400, None, "expected u32"),
        (r#"{"event":"auth","data":{"id":"h"}}"#, 405, Some(Id::Text("h".into())), "not built yet"),
        (r#"{"event":"publish","data":{"topic":"r.a"}}"#, 400, None, "missing field `value`"),
        (r#"{"event":"publish","data":{"value":1}}"#, 400, None, "missing field `topic`"),
        (r#"{"event":"publish","data":{"topic":"r.a","value":1,"to":7}}"#, 400, None, "expected a string"),
        (r#"{"event":"presence","data":{"id":1}}"#, 400, Some(Id::Number(1)), "missing field `topic`"),
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

proptest::proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn almost_commands_are_answered(
        event in "(subscribe|get|topics|publish|presence|ping|x)",
        data in r#"[\[\]{}:,"a-z0-9]{0,40}"#,
    ) {
        let _ = parse(&format!(r#"{{"event":"{event}","data":{data}}}"#));
    }
}
