//! The marks of fields (`x-tickerd-main` and the like): in the document as the feed gave them, and told when they are wrong.

use tickerd_tests::contract::Contract;
use tickerd_tests::*;

/// A hello with one event, `quote`, of this schema.
fn hello(schema: &Value) -> String {
    json!({"tfp": 1, "feed": "org.example.s", "version": "1", "events": {"quote": "state"},
        "docs": {"quote": {"schema": schema}}})
    .to_string()
}

#[tokio::test]
async fn the_document_has_the_marks_that_a_program_gives_in_its_hello() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let schema = json!({
        "type": "object", "x-tickerd-simulated": true,
        "properties": {
            "price": {"$ref": "#/$defs/Digits", "x-tickerd-main": true, "x-tickerd-role": "price",
                      "x-tickerd-unit": "{field:currency}", "x-tickerd-decimals": 2},
            "currency": {"type": "string", "x-tickerd-role": "identity"},
        },
        "$defs": {"Digits": {"type": "string"}},
    });
    script.line(&hello(&schema)).await;
    let contract = Contract::of(&daemon, &["s"]).await;
    let shown = &contract.document()["components"]["schemas"]["s.quote"];
    assert_eq!(shown["x-tickerd-simulated"], true);
    for field in ["price", "currency"] {
        for (word, value) in schema["properties"][field].as_object().unwrap() {
            if word.starts_with("x-tickerd-") {
                assert_eq!(shown["properties"][field][word], *value, "{field}: {word}");
            }
        }
    }
}

/// Goal: a wrong mark costs nothing but itself. Method: the log says what to change, the document is there, and so are ticks.
#[tokio::test]
async fn a_wrong_mark_is_told_and_stops_nothing() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let schema = json!({"properties": {
        "price": {"type": "string", "x-tickerd-main": true, "x-tickerd-rol": "price"},
        "bid": {"type": "string", "x-tickerd-main": true, "x-tickerd-unit": "usd"},
    }});
    script.line(&hello(&schema)).await;
    for says in [
        "the value schema of quote: x-tickerd-unit of \"bid\" is \"usd\", which is no unit that is known; did you mean USD?",
        "the value schema of quote: x-tickerd-main is on \"bid\" and \"price\"; leave it on one field",
        "the value schema of quote: \"x-tickerd-rol\" is no mark; did you mean x-tickerd-role?",
    ] {
        daemon.logged(says).await;
    }
    let contract = Contract::of(&daemon, &["s"]).await;
    let shown = &contract.document()["components"]["schemas"]["s.quote"];
    assert_eq!(shown["properties"]["price"]["x-tickerd-main"], true, "the document is the feed's own words");
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.A"]})).await;
    script.line(&json!({"topic": "A", "event": "quote", "data": {"price": "1.50"}}).to_string()).await;
    within("a tick", async { while !client.next().await.is_tick() {} }).await;
}

/// What a recorded feed said of its fields, its replay says.
#[tokio::test]
async fn a_replay_has_the_marks_of_what_was_recorded() {
    let folder = tempfile::TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let sim = ["--plugin", "tickerd_feed_sim", "--set", "seed=7", "--poll", "20ms", "--count", "5"];
    let (code, said) = tickerd_tests::tape::record(&sim, &tape).await;
    assert_eq!(code, 0, "{said}");
    let replay = Feed::plugin("day", "tickerd_feed_replay").configured(&format!("file = {}", json!(tape)));
    let daemon = daemon().feed(replay).run().await;
    let contract = Contract::of(&daemon, &["day"]).await;
    let shown = &contract.document()["components"]["schemas"]["day.quote"];
    assert_eq!(shown["properties"]["price"]["x-tickerd-main"], true);
    assert_eq!(shown["x-tickerd-simulated"], true);
}
