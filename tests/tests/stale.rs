//! Topics and feeds without news: who is told, when, and when it is over.
//!
//! No test waits for time to pass: that a topic does not go stale is shown by another that spoke later and does.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use tickerd_tests::{Client, Daemon, Event, Feed, Process, Script, Told, daemon, json, within};

/// A daemon with the scripted feed `s`, whose topics are stale after `max_age`.
async fn aging(max_age: &str) -> (Script, Daemon) {
    aging_on(max_age, "").await
}

/// The same with these lines below `[server]`.
async fn aging_on(max_age: &str, server: &str) -> (Script, Daemon) {
    let script = Script::new("s");
    let feed = script.feed().set(&format!("max_age = \"{max_age}\""));
    let daemon = daemon().chatty().server(server).feed(feed).run().await;
    (script, daemon)
}

fn is_in_state(feed: &str, state: &str) -> String {
    format!("tickerd_feed_state{{feed=\"{feed}\",state=\"{state}\"}}")
}

/// Waits until the feed is told to be in a state, and gives the notice.
async fn feed_is(client: &mut Client, state: &str) -> Event {
    within(state, async {
        loop {
            let notice = client.notice("feed").await;
            if notice.data["state"] == state {
                return notice;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_silent_topic_and_its_feed_are_told_everywhere_and_news_end_it() {
    let (script, daemon) = aging("200ms").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    let tick = client.tick().await;
    let stale = client.notice("stale").await;
    assert_eq!(
        (&stale.data["feed"], stale.topics(), &stale.data["max_age_ms"]),
        (&json!("s"), vec!["s.a"], &json!(200))
    );
    let (since, ts) = (stale.data["since"].as_u64().unwrap(), tick.data["ts"].as_u64().unwrap());
    assert!(since + 50 >= ts + 200, "stale at {since}, spoken at {ts}");
    let told = feed_is(&mut client, "stale").await;
    assert_eq!(told.data["reason"], "no topic has had news for 200ms, its max_age");
    assert!(told.data["since"].as_u64().unwrap() >= since, "{}", told.text);
    daemon.logged("stale: no topic has had news for 200ms").await;
    assert_eq!(daemon.metric("tickerd_topics_stale{feed=\"s\"}").await, Some(1.0));
    assert_eq!(daemon.metric(&is_in_state("s", "stale")).await, Some(1.0));
    assert_eq!(daemon.metric(&is_in_state("s", "up")).await, Some(0.0));
    let (status, body) = daemon.get("/readyz?verbose").await;
    let line = body.lines().find(|line| line.contains("feed s")).unwrap();
    assert!(
        line.starts_with("[-]feed s failed: stale: no topic has had news for 200ms, its max_age (since 20")
    );
    assert!(line.ends_with("Z, 1 of 1 topics stale)"), "{line}");
    assert_eq!(status, 200, "what there is is served: {body}");
    assert_eq!(Told::listed(&mut client).await, Told::of(["s.a"]));

    script.tick("a", json!(2)).await;
    let fresh = client.notice("fresh").await;
    assert_eq!((&fresh.data["feed"], fresh.topics()), (&json!("s"), vec!["s.a"]));
    // The news come behind it; the feed's own health may stand before or behind them.
    let (mut is_up, mut has_news) = (false, false);
    while !(is_up && has_news) {
        let event = client.next().await;
        is_up |= event.is_notice("feed") && event.data["state"] == "up";
        has_news |= event.is_tick() && *event.value() == 2;
    }
}

/// The value is the same, so that no tick is sent: the notice alone ends it.
#[tokio::test]
async fn the_same_value_is_news() {
    let (script, daemon) = aging("200ms").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.tick().await;
    for _ in 0..2 {
        let mut told = Told::default();
        told.follow(&mut client, &Told::of(["s.a"])).await;
        script.tick("a", json!(1)).await;
        loop {
            let event = client.next().await;
            assert!(!event.is_tick(), "{}", event.text);
            if event.is_notice("fresh") {
                break;
            }
        }
    }
}

/// One topic of the feed goes on, so that the feed is up and only the other is stale.
#[tokio::test]
async fn who_comes_later_is_told_right_behind_the_grant() {
    // On one shard: another may know a moment later than who was told first.
    let (script, daemon) = aging_on("4s", "shards = 1").await;
    let (mut early, mut pace) = (daemon.connected().await, daemon.connected().await);
    early.subscribe(json!({"topics": ["s.quiet", "s.live"]})).await;
    pace.subscribe(json!({"topics": ["s.live"]})).await;
    script.tick("quiet", json!(1)).await;
    let go_on = async {
        for n in 0.. {
            script.tick("live", json!(n)).await;
            pace.until("tick").await;
        }
    };
    let check = async {
        assert_eq!(early.notice("stale").await.topics(), ["s.quiet"]);
        assert_eq!(Told::listed(&mut early).await, Told::of(["s.quiet"]));
        assert_eq!(daemon.metric(&is_in_state("s", "up")).await, Some(1.0));
        let (_, body) = daemon.get("/readyz?verbose").await;
        let line = body.lines().find(|line| line.contains("feed s")).unwrap();
        assert!(line.starts_with("[+]feed s ok: up since 20"), "{body}");
        assert!(line.ends_with("Z, 1 of 2 topics stale"), "{body}");
        for topics in [json!(["s.quiet"]), json!(["s.*"]), json!(["s.quiet", "s.**"])] {
            let mut late = daemon.connected().await;
            late.subscribe(json!({"topics": topics})).await;
            let first = late.next().await;
            assert!(first.is_notice("stale"), "{}", first.text);
            assert_eq!(first.topics(), ["s.quiet"]);
            let second = late.next().await;
            assert!(second.is_tick(), "the snapshots come next, and it is told once: {}", second.text);
        }
        let mut other = daemon.connected().await;
        other.subscribe(json!({"topics": ["s.live"]})).await;
        assert!(other.next().await.is_tick(), "who does not hold it is not told");
    };
    tokio::select! {
        () = go_on => unreachable!("it goes on for ever"),
        () = check => {}
    }
}

#[tokio::test]
async fn each_is_told_of_what_it_holds_alone() {
    let (script, daemon) = aging("300ms").await;
    let mut clients = Vec::new();
    for topics in [json!(["s.x.*"]), json!(["s.y.b"]), json!(["s.**"]), json!(["s.none"]), json!(["s.x.a"])] {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": topics})).await;
        clients.push(client);
    }
    clients[4].send(json!({"event": "unsubscribe", "data": {"topics": ["s.x.a"]}})).await;
    clients[4].sync().await;
    script.lines(&["x.a", "x.c", "y.b"].map(|name| Script::state(name, &json!(1)))).await;
    let wanted = [Told::of(["s.x.a", "s.x.c"]), Told::of(["s.y.b"]), Told::of(["s.x.a", "s.x.c", "s.y.b"])];
    for (client, wanted) in clients.iter_mut().zip(&wanted) {
        Told::default().follow(client, wanted).await;
        assert!(client.sync().await.iter().all(|event| !event.is_notice("stale")), "each is told once");
    }
    let is_told = |event: &Event| event.is_notice("stale") || event.is_notice("fresh");
    let is_of_feed = |event: &Event| event.is_notice("feed") && event.data["state"] == "stale";
    // It holds a topic of the feed, so it hears of the feed.
    let heard = clients[3].sync().await;
    assert!(!heard.iter().any(is_told), "{heard:?}");
    let heard = clients[4].sync().await;
    assert!(!heard.iter().any(is_told) && !heard.iter().any(is_of_feed), "{heard:?}");
}

#[tokio::test]
async fn topics_of_events_are_never_stale() {
    let (script, daemon) = aging("200ms").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    script.event("t", json!(1)).await;
    client.tick().await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.notice("stale").await.topics(), ["s.a"]);
    feed_is(&mut client, "stale").await;
    assert_eq!(Told::listed(&mut client).await, Told::of(["s.a"]));
    // An event is no news of the state topics.
    script.event("t", json!(2)).await;
    assert_eq!(client.until("trade").await.seq(), 2);
    assert_eq!(Told::listed(&mut client).await, Told::of(["s.a"]));
}

/// The other feed's topic spoke later and goes stale, so the closed one's had its time.
#[tokio::test]
async fn nothing_goes_stale_while_its_source_is_closed() {
    let scripts = [Script::new("s"), Script::new("o")];
    let feeds = scripts
        .iter()
        .fold(daemon().chatty(), |daemon, script| daemon.feed(script.feed().set("max_age = \"500ms\"")));
    let daemon = feeds.run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "o.a"]})).await;
    // In one write, so that it closes at once.
    let closed = r#"{"health":"closed","msg":"until the morning"}"#.to_owned();
    scripts[0].lines(&[Script::state("a", &json!(1)), closed]).await;
    feed_is(&mut client, "closed").await;
    scripts[1].tick("a", json!(1)).await;
    assert_eq!(client.notice("stale").await.topics(), ["o.a"]);
    assert_eq!(Told::listed(&mut client).await, Told::of(["o.a"]));
    assert_eq!(daemon.metric(&is_in_state("s", "closed")).await, Some(1.0));
    let opened = std::time::Instant::now();
    scripts[0].line(r#"{"health":"up"}"#).await;
    let mut told = Told::of(["o.a"]);
    told.follow(&mut client, &Told::of(["o.a", "s.a"])).await;
    assert!(opened.elapsed().as_millis() >= 500, "its time begins when the source opens");
}

#[tokio::test]
async fn a_restart_makes_nothing_fresh_and_seq_goes_on() {
    let (script, daemon) = aging("200ms").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    for n in 1..=3 {
        script.tick("a", json!(n)).await;
        assert_eq!(client.until("tick").await.seq(), n);
    }
    feed_is(&mut client, "stale").await;
    let [process] = &Process::feeds_of(daemon.pid())[..] else { panic!("the feed is one process") };
    process.signal(Signal::SIGKILL);
    feed_is(&mut client, "down").await;
    // Alive again, and without news.
    script.line(r#"{"heartbeat":true}"#).await;
    within("the feed's state", async {
        loop {
            let event = client.next().await;
            assert!(!event.is_notice("fresh") && !event.is_tick(), "{}", event.text);
            match event.data["state"].as_str().filter(|_| event.is_notice("feed")) {
                Some("stale") => return,
                state => assert_ne!(state, Some("up"), "{}", event.text),
            }
        }
    })
    .await;
    assert_eq!(daemon.metric("tickerd_feed_restarts_total{feed=\"s\"}").await, Some(1.0));
    assert_eq!(Told::listed(&mut client).await, Told::of(["s.a"]));
    script.tick("a", json!(4)).await;
    assert_eq!(client.notice("fresh").await.topics(), ["s.a"]);
    assert_eq!(client.until("tick").await.seq(), 4);
}

/// Three times its poll period or its beat, whichever is longer. A feed that is not polled may be silent for ever.
#[tokio::test]
async fn a_polled_feed_has_its_own_greatest_age() {
    let zoo = |name: &str, interval: &str, poll: &str| {
        let feed = Feed::plugin(name, "tickerd_feed_zoo").set(&format!("interval = \"{interval}\""));
        feed.set(&format!("poll = \"{poll}\"")).configured("behave = \"silent\"\nafter = 2")
    };
    let script = Script::new("s");
    let feeds = daemon().chatty().feed(script.feed());
    let feeds = feeds.feed(zoo("polled", "20ms", "100ms")).feed(zoo("slow", "200ms", "50ms"));
    let daemon = feeds.run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a", "polled.*", "slow.*"]})).await;
    script.tick("a", json!(1)).await;
    let mut ages = BTreeSet::new();
    while ages.len() < 2 {
        let stale = client.notice("stale").await;
        ages.insert((stale.topics().concat(), stale.data["max_age_ms"].as_u64().unwrap()));
    }
    assert_eq!(ages, [("polled.counter".into(), 300), ("slow.counter".into(), 600)].into());
    assert_eq!(Told::listed(&mut client).await, Told::of(["polled.counter", "slow.counter"]));
    daemon.metric_until(&is_in_state("polled", "stale"), |is| is == 1.0).await;
    assert_eq!(daemon.metric(&is_in_state("s", "up")).await, Some(1.0));
}

/// Goal: a source that repeats what is old brings no news, whatever comes of it. Only a `max_age` that someone has set is
/// held against the source's time.
#[tokio::test]
async fn values_that_are_old_by_their_sources_time_are_stale_though_they_come() {
    let (script, daemon) = aging("1h").await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let say =
        |topic: &str, value: u32, ts: u64| json!({"topic": topic, "event": "tick", "data": value, "ts": ts});
    let hours = 3_600_000;
    script.line(&say("a", 1, now - 3 * hours - 60_000).to_string()).await;
    let stale = client.notice("stale").await;
    assert_eq!((stale.topics(), &stale.data["max_age_ms"]), (vec!["s.a"], &json!(hours)));
    let told = client.notice("feed").await.data;
    assert_eq!(told["state"], "degraded", "{told}");
    assert_eq!(
        told["reason"], "its newest value is 3 h old by its source's own time; max_age is 60m",
        "{told}"
    );
    daemon.metric_until(&is_in_state("s", "degraded"), |is_it| is_it == 1.0).await;
    // What has no time of its own, or none that can be, is as new as it came.
    for (topic, ts) in [("b", 0), ("c", now / 1_000), ("d", now + hours)] {
        script.line(&say(topic, 1, ts).to_string()).await;
        client.until_tick(&format!("s.{topic}")).await;
    }
    daemon.metric_until(&is_in_state("s", "up"), |is_it| is_it == 1.0).await;
    script.line(&say("a", 2, now).to_string()).await;
    assert_eq!(client.notice("fresh").await.topics(), ["s.a"]);
    assert_eq!(client.tick().await.topic(), "s.a");
}

/// Goal: a shorter age holds as soon as it is read. Method: with the one before nothing would be told for an hour.
#[tokio::test]
async fn a_shorter_age_holds_as_soon_as_it_is_read() {
    let script = Script::new("s");
    let with = |age: &str| daemon().chatty().feed(script.feed().set(&format!("max_age = \"{age}\"")));
    let daemon = with("1h").run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    client.tick().await;
    std::fs::write(daemon.folder().join("tickerd.toml"), with("300ms").toml()).unwrap();
    daemon.signal(Signal::SIGHUP);
    let stale = client.notice("stale").await;
    assert_eq!((stale.topics(), &stale.data["max_age_ms"]), (vec!["s.a"], &json!(300)));
}
