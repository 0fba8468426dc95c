//! Topics and feeds without news: who is told, when, and when it is over.
//!
//! No test waits for time to pass: that a topic does not go stale is shown by another that spoke later and does.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use rand::rngs::SmallRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{RngExt, SeedableRng};
use tickerd_tests::{Client, Daemon, Event, Feed, Process, Script, daemon, json, within};

/// Topics that one notice names at most.
const TOPICS_PER_NOTICE: usize = 256;

/// A daemon with the scripted feed `s`, whose topics are stale after `max_age`.
async fn aging(max_age: &str) -> (Script, Daemon) {
    let script = Script::new("s");
    let feed = script.feed().set(&format!("max_age = \"{max_age}\""));
    let daemon = daemon().chatty().feed(feed).run().await;
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

/// What is listed as stale.
async fn listed(client: &mut Client) -> BTreeSet<String> {
    client.send(json!({"event": "topics", "data": {}})).await;
    stale_in(&client.until("topics").await)
}

fn stale_in(answer: &Event) -> BTreeSet<String> {
    let topics = answer.data["topics"].as_array().unwrap().iter();
    let stale = topics.filter(|topic| topic.get("stale").is_some_and(|stale| stale == true));
    stale.map(|topic| topic["topic"].as_str().unwrap().to_owned()).collect()
}

/// Reads on until these topics, and no other, are what the client was told to be stale.
async fn follow(client: &mut Client, told: &mut BTreeSet<String>, wanted: &BTreeSet<String>) {
    within("the right topics to be stale", async {
        while told != wanted {
            heed(&client.next().await, told);
        }
    })
    .await;
}

/// Does to `told` what a notice says.
fn heed(event: &Event, told: &mut BTreeSet<String>) {
    if event.is_notice("stale") {
        told.extend(event.topics().into_iter().map(str::to_owned));
    } else if event.is_notice("fresh") {
        told.retain(|name| !event.topics().contains(&name.as_str()));
    }
}

fn names<const N: usize>(topics: [&str; N]) -> BTreeSet<String> {
    topics.map(str::to_owned).into()
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
    assert_eq!(listed(&mut client).await, names(["s.a"]));

    script.tick("a", json!(2)).await;
    let fresh = client.notice("fresh").await;
    assert_eq!((&fresh.data["feed"], fresh.topics()), (&json!("s"), vec!["s.a"]));
    assert_eq!(client.tick().await.value(), 2, "the news come behind it");
    feed_is(&mut client, "up").await;
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
        let mut told = BTreeSet::new();
        follow(&mut client, &mut told, &names(["s.a"])).await;
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
    let (script, daemon) = aging("600ms").await;
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
        assert_eq!(listed(&mut early).await, names(["s.quiet"]));
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
    let wanted = [names(["s.x.a", "s.x.c"]), names(["s.y.b"]), names(["s.x.a", "s.x.c", "s.y.b"])];
    for (client, wanted) in clients.iter_mut().zip(&wanted) {
        follow(client, &mut BTreeSet::new(), wanted).await;
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
    assert_eq!(listed(&mut client).await, names(["s.a"]));
    // An event is no news of the state topics.
    script.event("t", json!(2)).await;
    assert_eq!(client.until("trade").await.seq(), 2);
    assert_eq!(listed(&mut client).await, names(["s.a"]));
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
    scripts[0].tick("a", json!(1)).await;
    scripts[0].line(r#"{"health":"closed","msg":"until the morning"}"#).await;
    feed_is(&mut client, "closed").await;
    scripts[1].tick("a", json!(1)).await;
    assert_eq!(client.notice("stale").await.topics(), ["o.a"]);
    assert_eq!(listed(&mut client).await, names(["o.a"]));
    assert_eq!(daemon.metric(&is_in_state("s", "closed")).await, Some(1.0));
    let opened = std::time::Instant::now();
    scripts[0].line(r#"{"health":"up"}"#).await;
    let mut told = names(["o.a"]);
    follow(&mut client, &mut told, &names(["o.a", "s.a"])).await;
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
    assert_eq!(listed(&mut client).await, names(["s.a"]));
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
    assert_eq!(listed(&mut client).await, names(["polled.counter", "slow.counter"]));
    daemon.metric_until(&is_in_state("polled", "stale"), |is| is == 1.0).await;
    assert_eq!(daemon.metric(&is_in_state("s", "up")).await, Some(1.0));
}

#[tokio::test]
async fn many_topics_at_once_are_told_in_few_notices() {
    const TOPICS: usize = 2_000;
    let (script, daemon) = aging("1s").await;
    let all: BTreeSet<String> = (0..TOPICS).map(|n| format!("s.t{n}")).collect();
    let say =
        |value: u64| (0..TOPICS).map(|n| Script::state(&format!("t{n}"), &json!(value))).collect::<Vec<_>>();
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.**"]})).await;
    for value in 1..=2 {
        script.lines(&say(value)).await;
        for kind in if value == 1 { &["stale"][..] } else { &["fresh", "stale"] } {
            let (mut told, mut notices) = (BTreeSet::new(), 0);
            while told.len() < TOPICS {
                let notice = client.notice(kind).await;
                notices += 1;
                assert!(notice.topics().len() <= TOPICS_PER_NOTICE && notice.text.len() < 65_536);
                for topic in notice.topics() {
                    assert!(told.insert(topic.to_owned()), "{topic} is told twice");
                }
            }
            assert_eq!(told, all);
            // They come over several beats and looks; one by one would be 2,000.
            assert!(notices <= 200, "{notices} notices of type {kind}");
        }
    }
    let mut late = daemon.connected().await;
    late.subscribe(json!({"topics": ["s.**"], "snapshot": false})).await;
    follow(&mut late, &mut BTreeSet::new(), &all).await;
}

/// While a client does not read, topics go stale and have news again; once it reads, what it was told last is how it is.
#[tokio::test]
async fn a_slow_client_ends_with_the_truth() {
    const TOPICS: u64 = 20;
    let script = Script::new("s");
    let feed = script.feed().set("max_age = \"1s\"");
    let daemon = daemon().chatty().server("shards = 1").feed(feed).run().await;
    let (mut fast, mut slow) = (daemon.connected().await, daemon.narrow().await);
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let stale = "tickerd_topics_stale{feed=\"s\"}";
    // It was told that all are stale, before it stops reading.
    let lines = |value: &tickerd_tests::Value, topics: u64| {
        (0..topics).map(|n| Script::state(&format!("t{n}"), value)).collect::<Vec<_>>()
    };
    script.lines(&lines(&json!(0), TOPICS)).await;
    let all: BTreeSet<String> = (0..TOPICS).map(|n| format!("s.t{n}")).collect();
    let mut told = BTreeSet::new();
    follow(&mut slow, &mut told, &all).await;
    let mut round = 0;
    while daemon.metric("tickerd_connections_lagging").await != Some(1.0) {
        round += 1;
        let value = json!({"round": round, "padding": "x".repeat(40_000)});
        script.lines(&lines(&value, TOPICS)).await;
        for _ in 0..TOPICS {
            while fast.tick().await.value()["round"] != round {}
        }
    }
    daemon.metric_until(stale, |count| count == TOPICS as f64).await;
    script.lines(&lines(&json!("last"), TOPICS / 2)).await;
    for _ in 0..TOPICS / 2 {
        while fast.tick().await.value() != "last" {}
    }
    slow.send(json!({"event": "topics", "data": {}})).await;
    let answer = loop {
        let event = slow.next().await;
        if event.name == "topics" {
            break event;
        }
        heed(&event, &mut told);
    };
    assert_eq!(told, stale_in(&answer));
    script.lines(&lines(&json!("again"), TOPICS)).await;
    follow(&mut slow, &mut told, &BTreeSet::new()).await;
    follow(&mut slow, &mut told, &all).await;
}

/// Goal: whatever happens, what a client was told is what is listed. Method: clients on two shards ask and leave at random
/// while topics speak, end, return and fall silent; a client's notices up to the list must say the same as the list.
#[tokio::test]
async fn what_was_told_is_what_is_listed() {
    const CLIENTS: usize = 4;
    const TOPICS: [&str; 8] = ["a", "b", "x.a", "x.b", "x.y.a", "y.a", "y.b", "y.x.b"];
    const ASKS: [&str; 9] = ["s.a", "s.x.a", "s.y.x.b", "s.y.a", "s.*", "s.x.**", "s.*.a", "s.**", "s.x.b"];
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut chance = SmallRng::seed_from_u64(seed);
    let script = Script::new("s");
    let feed = script.feed().set("interval = \"10ms\"").set("max_age = \"100ms\"");
    let daemon = daemon().chatty().feed(feed).server("shards = 2\ntiers = [\"30ms\"]").run().await;
    let mut pace = daemon.connected().await;
    pace.subscribe(json!({"topics": ["s.pace"]})).await;
    let mut members = Vec::new();
    for _ in 0..CLIENTS {
        members.push((daemon.connected().await, BTreeSet::<String>::new(), BTreeSet::<String>::new()));
    }
    let (mut was_stale, mut was_fresh) = (0, 0);
    for step in 0..600 {
        let topic = *TOPICS.choose(&mut chance).unwrap();
        match chance.random_range(0..20) {
            0..6 => script.tick(topic, json!(step)).await,
            6..8 => script.tick(topic, json!(0)).await,
            8 => script.retire(topic).await,
            // A beat goes by.
            9..16 => {
                let fence = script.fence("pace").await;
                pace.fence("s.pace", fence).await;
            }
            _ => {}
        }
        let (client, asks, told) = members.choose_mut(&mut chance).unwrap();
        match chance.random_range(0..10) {
            0..2 => {
                let ask = *ASKS.choose(&mut chance).unwrap();
                let rate = ["10ms", "30ms"].choose(&mut chance).unwrap();
                asks.insert(ask.to_owned());
                client.send(json!({"event": "subscribe", "data": {"topics": [ask], "rate": rate}})).await;
            }
            2 if !asks.is_empty() => {
                let ask = asks.pop_first().unwrap();
                client.send(json!({"event": "unsubscribe", "data": {"id": 1, "topics": [ask]}})).await;
            }
            _ => {}
        }
        client.send(json!({"event": "topics", "data": {}})).await;
        loop {
            let event = client.next().await;
            heed(&event, told);
            was_stale += usize::from(event.is_notice("stale"));
            was_fresh += usize::from(event.is_notice("fresh"));
            if event.name != "topics" {
                continue;
            }
            let holds = |topic: &String| asks.iter().any(|ask| holds(ask, topic));
            let there: BTreeSet<&str> = event.data["topics"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| t["topic"].as_str().unwrap())
                .collect();
            told.retain(|topic| holds(topic));
            let ought: BTreeSet<String> = stale_in(&event).into_iter().filter(holds).collect();
            assert_eq!(*told, ought, "at step {step}, asking for {asks:?}, of {there:?}");
            break;
        }
    }
    assert!(
        was_stale > 5 && was_fresh > 5,
        "{was_stale} and {was_fresh} notices are too few to mean anything"
    );
}

/// Whether an ask of that test's holds a topic.
fn holds(ask: &str, topic: &str) -> bool {
    let (ask, topic): (Vec<_>, Vec<_>) = (ask.split('.').collect(), topic.split('.').collect());
    match ask.split_last() {
        Some((&"**", fixed)) => topic.len() > fixed.len() && topic.starts_with(fixed),
        _ => {
            ask.len() == topic.len() && ask.iter().zip(&topic).all(|(one, other)| *one == "*" || one == other)
        }
    }
}
