//! Another node numbers a feed's ticks: who has any of it is told before the first of them, and positions say whose they are.

use super::recovery::{answer, kinds, settle};
use super::*;
use crate::exchange::rows::{Page, Which};
use tickerd_model::board::TopicId;
use tickerd_model::source::{Group, Source};

/// What the feed is once another node numbers it.
fn anew(epoch: &str) -> Arc<Source> {
    let source = Arc::into_inner(feed(F.0, "f", &[])).unwrap();
    Arc::new(Source { group: Arc::new(Group { epoch: epoch.into() }), ..source })
}

/// A message of any length, as a client sends it.
fn frame(text: &str) -> Vec<u8> {
    let length = match text.len() {
        short @ ..=125 => vec![0x80 | short as u8],
        long => [&[0x80 | 126], &(long as u16).to_be_bytes()[..]].concat(),
    };
    [&[0x81], &length[..], &[0; 4], text.as_bytes()].concat()
}

/// A client that has subscribed with this command.
async fn subscribed(bench: &Bench, id: ConnId, data: &str) -> Client {
    let mut client = bench.client(&[]).await;
    say(bench, id, data);
    while !client.read().iter().any(|frame| frame.contains("subscribed")) {
        tokio::task::yield_now().await;
    }
    client
}

fn say(bench: &Bench, id: ConnId, data: &str) {
    let text = format!(r#"{{"event":"subscribe","data":{data}}}"#);
    bench.shard.borrow_mut().hear(id, &mut frame(&text));
}

const RESET: &str =
    r#"{"event":"notice","data":{"type":"reset","feed":"f","topics":["f.0","f.1"],"epoch":"e-2-b-1"}}"#;

#[test]
fn another_epoch_is_told_once_before_its_first_tick() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        let mut newest = bench.client(&["f.0", "f.1"]).await;
        let mut every = subscribed(&bench, 1, r#"{"id":1,"topics":["f.*"],"mode":"all"}"#).await;
        let mut one = bench.client(&["f.1"]).await;
        let mut silent = bench.client(&["f.later"]).await;
        let mut stream = bench.client_in(Encoding::Sse, &["f.0", "f.1"]).await;
        for client in [&mut newest, &mut every, &mut one, &mut silent] {
            client.read();
        }
        stream.read_all(&mut Vec::new());
        bench.board.reopen(&anew("e-2-b-1"));
        let mut beat = bench.beat(1);
        beat.resets = vec![TopicId(0)];
        deliver(&bench.shard, &beat).await;
        for client in [&mut newest, &mut every] {
            let frames = client.read();
            assert_eq!(kinds(&frames), ["reset", "f.0 2", "f.1 2"], "{frames:?}");
            assert_eq!(frames[0], RESET);
        }
        let frames = one.read();
        assert_eq!(kinds(&frames), ["reset", "f.1 2"]);
        assert!(frames[0].contains(r#""topics":["f.1"]"#), "{frames:?}");
        let frames = silent.read();
        assert_eq!(kinds(&frames), ["reset"]);
        assert!(frames[0].contains(r#""feed":"f","topics":[],"epoch":"e-2-b-1""#), "{frames:?}");
        let mut events = Vec::new();
        stream.read_all(&mut events);
        let events = String::from_utf8(events).unwrap();
        assert!(events.starts_with(&format!("data: {RESET}\n\nid: ")), "{events}");
        bench.board.reopen(&anew("e-2-b-1"));
        bench.push(1).await;
        assert_eq!(kinds(&newest.read()), ["f.0 3", "f.1 3"], "it is the same");
    });
}

#[test]
fn one_who_lags_is_told_too_and_once() {
    for mode in ["latest", "all"] {
        run(async {
            let mut bench = Bench::new(3);
            let data = format!(r#"{{"id":1,"topics":["f.*"],"mode":"{mode}"}}"#);
            let mut client = subscribed(&bench, 0, &data).await;
            while !bench.has_outbox(0) {
                bench.push(4_000).await;
            }
            bench.push(4_000).await;
            bench.board.reopen(&anew("e-2-b-1"));
            let first = bench.beat(10);
            deliver(&bench.shard, &first).await;
            // So much that not all of it is kept.
            for _ in 0..400 {
                bench.push(10).await;
            }
            let frames = settle(&bench, &mut client).await;
            let resets = kinds(&frames).iter().filter(|kind| *kind == "reset").count();
            assert_eq!(resets, 1, "{mode}");
            let at = kinds(&frames).iter().position(|kind| kind == "reset").unwrap();
            assert!(
                frames[at].contains(r#""topics":["f.0","f.1","f.2"],"epoch":"e-2-b-1""#),
                "{}",
                frames[at]
            );
            let seq = first.due[0].frame.tick().seq;
            let is_before = |(_, had): &(String, u64)| *had < seq;
            assert!(
                seqs(&frames[..at]).iter().all(is_before),
                "{mode}: it comes before the first of the new ticks"
            );
        });
    }
}

/// More topics than a notice names: one who lags is told of all of them, in parts.
#[test]
fn one_who_lags_is_told_of_many_in_parts() {
    run(async {
        let mut bench = Bench::new(600);
        let mut client = subscribed(&bench, 0, r#"{"id":1,"topics":["f.*"]}"#).await;
        while !bench.has_outbox(0) {
            bench.push(400).await;
        }
        bench.board.reopen(&anew("e-2-b-1"));
        bench.push(10).await;
        let frames = settle(&bench, &mut client).await;
        let resets = frames.iter().filter(|frame| frame.contains(r#""type":"reset""#));
        let named: Vec<usize> = resets.map(|frame| frame.matches("f.").count()).collect();
        assert_eq!(
            (named.iter().sum::<usize>(), named.iter().all(|count| *count <= 256)),
            (600, true),
            "{named:?}"
        );
    });
}

#[test]
fn a_position_says_whose_numbers_it_means() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        bench.board.reopen(&anew("e-2-b-1"));
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        client.read();
        let ask = |epoch: &str| {
            format!(
                r#"{{"id":1,"topics":["f.0","f.1","f.*"],"since":{{"epoch":{epoch},"seq":{{"f.0":1,"f.1":1}}}}}}"#
            )
        };
        let mut told = Vec::new();
        for epoch in [r#""e""#, r#""e-2-b-1""#, r#"{"f.0":"e-2-b-1"}"#, r#"{"f.0":"e","f.1":"e-2-b-1"}"#] {
            say(&bench, 0, &ask(epoch));
            answer(&mut bench).await;
            let frames = settle(&bench, &mut client).await;
            let answer: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
            let topics = answer["data"]["topics"].as_array().unwrap();
            assert!(topics.iter().all(|topic| topic["epoch"] == "e-2-b-1"), "{frames:?}");
            assert_eq!(answer["data"]["patterns"][0]["epochs"]["f"], "e-2-b-1", "{frames:?}");
            told.push([&topics[0], &topics[1]].map(|topic| topic["recovered"].as_bool().unwrap()));
        }
        assert_eq!(told, [[false, false], [true, true], [true, false], [false, true]]);
    });
}

/// The epoch of `connected` is another from now on. Who was told the one before would take what it is not told for that.
#[test]
fn who_was_told_another_epoch_is_told_all() {
    run(async {
        let mut bench = Bench::new(1);
        bench.push(1).await;
        let mut early = bench.client(&[]).await;
        assert!(early.read()[0].contains(r#""epoch":"e""#));
        bench.newest.change(|now| Settings { epoch: "later".into(), ..now.clone() });
        let mut late = bench.client(&[]).await;
        assert!(late.read()[0].contains(r#""epoch":"later""#));
        let ask = r#"{"id":1,"topics":["f.0","f.*"]}"#;
        let mut told = Vec::new();
        for epoch in ["e", "later"] {
            bench.board.reopen(&anew(epoch));
            bench.push(1).await;
            for (id, client) in [(0, &mut early), (1, &mut late)] {
                settle(&bench, client).await;
                say(&bench, id, ask);
                let frames = settle(&bench, client).await;
                let answer = frames.iter().find(|frame| frame.contains("subscribed")).unwrap();
                let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
                assert_eq!(
                    answer["data"]["topics"][0]["epoch"],
                    answer["data"]["patterns"][0]["epochs"]["f"]
                );
                told.push(answer["data"]["topics"][0]["epoch"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(told, ["e", "e", "later", "later"]);
    });
}

/// The root changes between the question and its answer: what was found is of other numbers than the client meant.
#[test]
fn an_answer_that_comes_after_another_epoch_is_no_recovery() {
    run(async {
        let mut bench = Bench::new(1);
        let mut client = bench.client(&[]).await;
        bench.push(1).await;
        say(&bench, 0, r#"{"id":1,"topics":["f.0"],"since":{"epoch":"e","seq":{"f.0":1}}}"#);
        bench.board.reopen(&anew("e-2-b-1"));
        bench.push(1).await;
        answer(&mut bench).await;
        let frames = settle(&bench, &mut client).await;
        assert!(
            frames[1].contains(r#""seq":2,"epoch":"e-2-b-1","rate":"100ms","mode":"all","recovered":false"#),
            "{frames:?}"
        );
        assert_eq!(kinds(&frames), ["connected", "subscribed", "f.0 2"]);
    });
}

#[test]
fn among_nodes_a_connection_names_its_own_and_an_event_its_time() {
    run(async {
        let settings = settings(Duration::from_secs(1));
        let mut bench = Bench::of(1, Settings { node: Some("b".into()), ..settings });
        let mut client = bench.client(&["f.0"]).await;
        let (first, conn) = (client.read().remove(0), bench.shard.borrow().generations);
        assert!(first.contains(&format!(r#""conn":"b-0-{conn:x}","epoch":"e""#)), "{first}");
        // The operator finds it by that name.
        let all = Page::Connections { from: 0, which: Which::default() };
        let listed = bench.shard.borrow_mut().rows(&all);
        assert_eq!(listed.connections[0].conn, format!("b-0-{conn:x}"));
        let mut stream = bench.client_in(Encoding::Sse, &["f.0"]).await;
        let value = b"1"[..].into();
        let topic = bench.topics[0].clone();
        bench.board.offer(
            F,
            Tick { topic, seq: 0, n: 0, ts: 1767225600123, src_ts: 0, from: None, value, merged: 0 },
        );
        let mut beat = Beat { changes: bench.board.take_changes(), ..Beat::default() };
        bench.board.take_due(F, 0, &mut beat.due);
        deliver(&bench.shard, &beat).await;
        let mut events = Vec::new();
        stream.read_all(&mut events);
        let events = String::from_utf8(events).unwrap();
        assert!(events.contains("id: e-1767225600123\ndata: {\"event\":\"q\""), "{events}");
    });
}
