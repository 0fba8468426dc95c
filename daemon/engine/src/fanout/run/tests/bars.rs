//! Topics of bars come to the board when someone has asked for them, and go when nobody does any more.

use serde_json::{Value, json};

use super::*;
use tickerd_model::source::{Kind as SourceKind, Source, SourceId};

const CLOSED: &str = "tickerd.bars.1m.f.a";
const OPEN: &str = "tickerd.bar.1m.f.a";
const OWN: SourceId = SourceId(9);

/// A bench with the server's own source, which keeps bars of a minute.
fn bench() -> Bench {
    let mut bench = Bench::new(0);
    let own = Arc::into_inner(feed(OWN.0, "tickerd", &[])).unwrap();
    let own =
        Source { kind: SourceKind::Own, only: Some(Box::default()), periods: ["1m".into()].into(), ..own };
    let own = Arc::new(own);
    bench.board.open(&own);
    bench.board.take_changes();
    bench.shard.borrow_mut().table.topics.open(&own);
    bench
}

impl Bench {
    /// These topics say something, the server's own beat comes, and then these are retired.
    async fn own_beat(&mut self, said: &[(&Topic, u64)], retired: &[&Topic]) {
        for (topic, value) in said {
            let (topic, value) = ((*topic).clone(), value.to_string().into_bytes().into());
            let tick = Tick { topic, seq: 0, n: 0, ts: 0, src_ts: 0, from: None, value, merged: 0 };
            self.board.offer(OWN, tick);
        }
        let mut beat = Beat::default();
        self.board.take_due(OWN, 0, &mut beat.due);
        retired.iter().for_each(|topic| self.board.retire(OWN, topic));
        beat.changes = self.board.take_changes();
        self.board.remember(&beat.due);
        deliver(&self.shard, &beat).await;
    }
}

/// (topic, seq, value) of each bar, and the subscriptions that were granted.
fn told(client: &mut Client) -> (Vec<(String, u64, u64)>, Vec<Value>) {
    let (mut bars, mut granted) = (Vec::new(), Vec::new());
    for text in client.read() {
        let said: Value = serde_json::from_str(&text).unwrap();
        let data = &said["data"];
        match said["event"].as_str().unwrap() {
            "bar" => {
                let number = |key: &str| data[key].as_u64().unwrap();
                bars.push((data["topic"].as_str().unwrap().to_owned(), number("seq"), number("value")));
            }
            "subscribed" => granted.push(data.clone()),
            _ => {}
        }
    }
    (bars, granted)
}

/// Goal: whoever asks for bars by name before they are there gets each closed one, and the newest open one, like whoever
/// asks by a pattern. Method: they come, go with all that they said, and come back.
#[test]
fn bars_that_are_asked_for_before_they_are_there_come() {
    run(async {
        let mut bench = bench();
        let (closed, open) = (Topic::new(CLOSED, "bar", Class::Event), Topic::new(OPEN, "bar", Class::State));
        let mut by_name = bench.client(&[CLOSED, OPEN, "tickerd.bars.5m.f.a", "tickerd.bars.1m.g.a"]).await;
        let mut by_pattern = bench.client(&["tickerd.*.1m.f.*"]).await;
        let mut by_all = bench.client(&["tickerd.**"]).await;
        let mut of_closed = bench.client(&["tickerd.bars.1m.**"]).await;
        let mut of_feeds = bench.client(&["**"]).await;
        let (_, granted) = told(&mut by_name);
        let topics = granted[0]["topics"].as_array().unwrap();
        let modes: Vec<_> = topics.iter().map(|topic| (&topic["topic"], &topic["mode"])).collect();
        assert_eq!(modes, [(&json!(CLOSED), &json!("all")), (&json!(OPEN), &json!("latest"))], "{granted:?}");
        assert!(topics.iter().all(|topic| topic["seq"] == 0 && topic.get("known").is_none()), "{granted:?}");
        let failed = granted[0]["failed"].as_array().unwrap();
        assert_eq!(failed.iter().map(|f| &f["code"]).collect::<Vec<_>>(), [404, 404], "{granted:?}");
        let mut newest = 0;
        for round in 0..3 {
            bench.own_beat(&[(&open, 1), (&closed, 2), (&open, 3), (&closed, 4)], &[]).await;
            let (bars, _) = told(&mut by_name);
            let values: Vec<(&str, u64)> = bars.iter().map(|(topic, _, value)| (&**topic, *value)).collect();
            let closes: Vec<_> = values.iter().filter(|(topic, _)| *topic == CLOSED).collect();
            assert_eq!(closes, [&(CLOSED, 2), &(CLOSED, 4)], "round {round}");
            assert!(values.len() == 3 && values.contains(&(OPEN, 3)), "round {round}: {values:?}");
            let seqs = || bars.iter().map(|(_, seq, _)| *seq);
            assert!(seqs().all(|seq| seq > newest), "round {round}: {bars:?}");
            newest = seqs().max().unwrap();
            for client in [&mut by_pattern, &mut by_all] {
                assert_eq!(told(client).0, bars);
            }
            let closed_bars: Vec<_> = bars.iter().filter(|(topic, ..)| topic == CLOSED).cloned().collect();
            assert_eq!(told(&mut of_closed).0, closed_bars);
            assert_eq!(told(&mut of_feeds).0, []);
            let mut listing = bench.client(&[]).await;
            listing.say(1, &[r#"{"event":"topics","data":{"match":"tickerd.**"}}"#]);
            let listed = loop {
                let texts = listing.read();
                match texts.iter().find(|text| text.contains(r#""event":"topics""#)) {
                    Some(text) => break serde_json::from_str::<Value>(text).unwrap(),
                    None => tokio::task::yield_now().await,
                }
            };
            let listed: Vec<&Value> =
                listed["data"]["topics"].as_array().unwrap().iter().map(|topic| &topic["topic"]).collect();
            assert_eq!(listed, [&json!(OPEN), &json!(CLOSED)]);
            bench.own_beat(&[], &[&closed, &open]).await;
            assert_eq!(told(&mut by_name).0, []);
        }
    });
}
