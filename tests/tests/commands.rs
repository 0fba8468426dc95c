//! The commands that ask: listings, newest values, pings; and ids, which all commands share.

use tickerd_tests::{Script, daemon, json, scripted};

use crate::subscribe::{client_ticks, subscriptions};

#[tokio::test]
async fn subscriptions_are_listed() {
    let (_script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    let none = subscriptions(&mut client).await;
    assert_eq!((&none["topics"], &none["patterns"]), (&json!([]), &json!([])));
    client.subscribe(json!({"topics": ["s.a", "s.*"], "rate": "1s"})).await;
    let both = subscriptions(&mut client).await;
    assert_eq!(both["topics"], json!([{"topic": "s.a", "seq": 0, "rate": "1s", "mode": "latest"}]));
    assert_eq!(both["patterns"], json!([{"pattern": "s.*", "count": 0, "rate": "1s", "mode": "latest"}]));
}

#[tokio::test]
async fn topics_are_listed_by_pattern() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    script.lines(&[Script::state("b", &json!(1)), Script::happening("a.t", &json!(2))]).await;
    client.catch_up(&script).await;
    client.send(json!({"event": "topics", "data": {"id": "all"}})).await;
    let all = client.expect("topics").await.data;
    let names: Vec<_> = all["topics"].as_array().unwrap().iter().map(|t| t["topic"].clone()).collect();
    assert_eq!((&all["id"], names), (&json!("all"), vec![json!("s.a.t"), json!("s.b"), json!("s.fence")]));
    client.send(json!({"event": "topics", "data": {"match": "s.*.t"}})).await;
    let mut some = client.expect("topics").await.data;
    assert!(some["topics"][0]["ts"].take().as_u64().unwrap() > 0);
    let entry =
        json!({"topic": "s.a.t", "kind": "trade", "class": "event", "seq": 1, "ts": null, "interval_ms": 20});
    assert_eq!(some["topics"], json!([entry]));
    client.send(json!({"event": "topics", "data": {"id": 1, "match": "s.x*"}})).await;
    assert_eq!(client.expect("error").await.data["code"], 422);
}

#[tokio::test]
async fn get_answers_the_bytes_that_were_pushed() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "s.b"]})).await;
    script.line(r#"{"topic":"a","event":"q","data":{"z":1.10,"a":"\u00e9\/","z2":[1e3, -0.0]}}"#).await;
    let a = client.tick().await;
    script.line(r#"{"topic":"b","event":"q","ts":5,"data":"ü"}"#).await;
    let b = client.tick().await;
    client
        .send(
            json!({"event": "get", "data": {"id": 7, "topics": ["s.b", "s.none", "s.a", "no.x", "s.**.a"]}}),
        )
        .await;
    let values = client.expect("values").await;
    let expected =
        format!(r#"{{"event":"values","data":{{"id":7,"values":[{},{}],"failed":["#, b.text, a.text);
    assert!(values.text.starts_with(&expected), "{}\n{expected}", values.text);
    let codes: Vec<_> = values.data["failed"].as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    assert_eq!(codes, [422, 404, 404]);
}

#[tokio::test]
async fn a_ping_is_echoed() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    for (id, t) in [(json!(9), "123"), (json!("x"), "1.50"), (json!(4294967295_u32), "-12.0e2")] {
        client.send_text(&format!(r#"{{"event":"ping","data":{{"id":{id},"t":{t}}}}}"#)).await;
        let pong = client.expect("pong").await;
        let start = format!(r#"{{"event":"pong","data":{{"id":{id},"t":{t},"ts":"#);
        assert!(pong.text.starts_with(&start), "{} for {start}", pong.text);
    }
    client.send(json!({"event": "ping"})).await;
    let bare = client.expect("pong").await.data;
    assert!(bare.get("id").is_none() && bare.get("t").is_none() && bare["ts"].is_u64(), "{bare}");
}

#[tokio::test]
async fn ids_are_numbers_or_short_texts() {
    let daemon = daemon().run().await;
    let mut client = daemon.connected().await;
    for id in [json!(0), json!(4294967295_u32), json!(""), json!("ä".repeat(36))] {
        client.send(json!({"event": "ping", "data": {"id": id}})).await;
        assert_eq!(client.expect("pong").await.data["id"], id);
    }
    for id in [json!("x".repeat(37)), json!(4294967296_u64), json!(-1), json!(1.5), json!([1]), json!(true)] {
        client.send(json!({"event": "ping", "data": {"id": id}})).await;
        let error = client.expect("error").await.data;
        assert_eq!((&error["code"], &error["name"]), (&json!(400), &json!("bad_request")), "{id}");
        assert!(error["message"].as_str().unwrap().contains("36"), "{error}");
    }
}

#[tokio::test]
async fn without_an_id_only_failures_are_told() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.connected().await;
    client.send(json!({"event": "subscribe", "data": {"topics": ["s.a"]}})).await;
    client.send(json!({"event": "unsubscribe", "data": {"topics": ["s.b"]}})).await;
    let said: Vec<String> = client.sync().await.into_iter().map(|event| event.name).collect();
    assert!(said.iter().all(|name| name == "notice"), "{said:?}");
    client.send(json!({"event": "subscribe", "data": {"topics": ["s.c", "no.x"]}})).await;
    let told = client.expect("subscribed").await.data;
    assert!(told.get("id").is_none(), "{told}");
    assert_eq!(told["failed"][0]["code"], 404);
    client.send(json!({"event": "subscribe", "data": {"topics": []}})).await;
    assert_eq!(client.expect("error").await.data["code"], 400);
    script.lines(&["a", "c"].map(|topic| Script::state(topic, &json!(1)))).await;
    assert_eq!(client_ticks(&mut client, 2).await, ["s.a", "s.c"]);
}
