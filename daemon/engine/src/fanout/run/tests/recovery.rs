//! Recovery and resets in one shard, step by step: what comes from the pulse, and what the client's socket takes.

use super::*;
use crate::exchange::question::Answer;
use tickerd_model::board::TopicId;

/// What the pulse does: answers behind all beats.
pub async fn answer(bench: &mut Bench) {
    let mut answers: Vec<Answer> = Vec::new();
    while let Ok(question) = bench.questions.try_recv() {
        answers.push(crate::pulse::answers::look_up(&mut bench.board, question));
    }
    take(&bench.shard, Downlink::Answers(answers)).await;
}

pub async fn settle(bench: &Bench, client: &mut Client) -> Vec<String> {
    let mut frames = client.read();
    for _ in 0..50 {
        tokio::task::yield_now().await;
        frames.extend(client.read());
    }
    while bench.has_outbox(0) {
        tokio::task::yield_now().await;
        frames.extend(client.read());
    }
    frames.extend(client.read());
    frames
}

pub fn kinds(frames: &[String]) -> Vec<String> {
    let event = |frame: &String| {
        let value: serde_json::Value = serde_json::from_str(frame).unwrap();
        match value["event"].as_str().unwrap() {
            "q" => format!("{} {}", value["data"]["topic"].as_str().unwrap(), value["data"]["seq"]),
            "notice" => value["data"]["type"].as_str().unwrap().to_owned(),
            other => other.to_owned(),
        }
    };
    frames.iter().map(event).collect()
}

pub const SINCE_1: &str =
    r#"{"event":"subscribe","data":{"id":1,"topics":["f.0"],"since":{"epoch":"e","seq":{"f.0":1}}}}"#;

/// Beats that come between the question and its answer are part of the answer, and those behind it are live.
#[test]
fn beats_around_an_answer_come_once() {
    run(async {
        let mut bench = Bench::new(1);
        let mut client = bench.client(&[]).await;
        for _ in 0..3 {
            bench.push(1).await;
        }
        client.say(1, &[SINCE_1, r#"{"event":"ping","data":{"id":2}}"#]);
        while bench.questions.is_empty() {
            tokio::task::yield_now().await;
        }
        bench.push(1).await;
        assert_eq!(kinds(&client.read()), ["connected"], "nothing is told before the answer");
        answer(&mut bench).await;
        bench.push(1).await;
        let frames = settle(&bench, &mut client).await;
        let ticks: Vec<u64> = seqs(&frames).into_iter().map(|(_, seq)| seq).collect();
        assert_eq!(ticks, [2, 3, 4, 5]);
        let kinds = kinds(&frames);
        assert_eq!(
            kinds[..4],
            ["subscribed", "f.0 2", "f.0 3", "f.0 4"],
            "the pong waits for what was missed"
        );
        assert!(kinds.contains(&"pong".to_owned()));
    });
}

/// Many come back at once: while what the pulse says is taken, nobody is sent what it missed; then all are.
#[test]
fn replays_wait_for_what_is_live() {
    run(async {
        let mut bench = Bench::new(1);
        let mut clients = Vec::new();
        for _ in 0..40 {
            clients.push(bench.client(&[]).await);
        }
        for _ in 0..3 {
            bench.push(1).await;
        }
        for client in &mut clients {
            client.say(1, &[SINCE_1]);
        }
        while bench.questions.len() < clients.len() {
            tokio::task::yield_now().await;
        }
        let (shard, mut first) = (bench.shard.clone(), clients.remove(0));
        let watch = tokio::task::spawn_local(async move {
            let mut meanwhile = Vec::new();
            while !shard.borrow().is_taking {
                tokio::task::yield_now().await;
            }
            while shard.borrow().is_taking {
                meanwhile.extend(first.read());
                tokio::task::yield_now().await;
            }
            (first, meanwhile)
        });
        answer(&mut bench).await;
        let (mut first, meanwhile) = watch.await.unwrap();
        assert_eq!(kinds(&meanwhile), ["connected", "subscribed"], "the first of forty was answered");
        assert_eq!(seqs(&settle(&bench, &mut first).await).len(), 2);
        while (1..40).any(|id| bench.has_outbox(id)) {
            tokio::task::yield_now().await;
        }
        for mut client in clients {
            let ticks: Vec<u64> = seqs(&client.read()).into_iter().map(|(_, seq)| seq).collect();
            assert_eq!(ticks, [2, 3]);
        }
    });
}

/// More than one turn brings: others have theirs in between, and a client that takes all it is given does not lag.
#[test]
fn a_long_replay_comes_in_turns_and_is_no_lag() {
    run(async {
        let mut bench = Bench::new(1);
        let mut client = bench.client(&[]).await;
        for _ in 0..6 {
            bench.push(20_000).await;
        }
        client.say(1, &[SINCE_1]);
        while bench.questions.is_empty() {
            tokio::task::yield_now().await;
        }
        answer(&mut bench).await;
        let (mut frames, mut turns) = (Vec::new(), 0);
        while bench.has_outbox(0) {
            let blocked =
                |shard: &mut Shard| shard.connection(0)?.outbox.as_ref().map(|outbox| outbox.is_lagging());
            assert_eq!(blocked(&mut bench.shard.borrow_mut()), Some(false));
            let came = client.read();
            turns += usize::from(!seqs(&came).is_empty());
            frames.extend(came);
            tokio::task::yield_now().await;
        }
        frames.extend(client.read());
        let ticks: Vec<u64> = seqs(&frames).into_iter().map(|(_, seq)| seq).collect();
        assert_eq!((ticks, turns), ((2..=6).collect(), 1), "the second turn is the last");
    });
}

/// A client that goes before its answer comes leaves the next of its number in peace.
#[test]
fn an_answer_for_one_who_went_is_for_nobody() {
    run(async {
        let mut bench = Bench::new(1);
        let mut gone = bench.client(&[]).await;
        bench.push(1).await;
        gone.say(1, &[SINCE_1]);
        while bench.questions.is_empty() {
            tokio::task::yield_now().await;
        }
        bench.shard.borrow_mut().drop_connection(0, 1006);
        let mut next = bench.client(&[]).await;
        answer(&mut bench).await;
        bench.push(1).await;
        assert_eq!(kinds(&settle(&bench, &mut next).await), ["connected"]);
    });
}

/// The shard itself was behind for too long: those who have every tick are told, and get the newest; the others do not
/// notice.
#[test]
fn a_shard_that_was_behind_tells_who_has_every_tick() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        let (mut every, mut newest) = (bench.client(&[]).await, bench.client(&["f.*"]).await);
        every.say(1, &[r#"{"event":"subscribe","data":{"topics":["f.*"],"mode":"all","snapshot":false}}"#]);
        while bench.shard.borrow().table.cohorts.count() < 2 {
            tokio::task::yield_now().await;
        }
        every.read();
        newest.read();
        let mut missed = bench.beat(1);
        missed.absorb(&bench.beat(1));
        missed.resets = vec![TopicId(1)];
        missed.due.retain(|due| due.topic != TopicId(1) || due.frame.tick().seq == 3);
        deliver(&bench.shard, &missed).await;
        assert_eq!(kinds(&every.read()), ["reset", "f.0 2", "f.0 3", "f.1 3"]);
        assert_eq!(kinds(&newest.read()), ["f.0 3", "f.1 3"]);
    });
}

/// The same while the client lags: what waits is lost as well, so it begins anew with all that moved.
#[test]
fn a_reset_reaches_one_who_lags() {
    run(async {
        let mut bench = Bench::new(3);
        let mut client = bench.client(&[]).await;
        client.say(1, &[r#"{"event":"subscribe","data":{"topics":["f.*"],"mode":"all"}}"#]);
        while bench.shard.borrow().table.cohorts.count() < 1 {
            tokio::task::yield_now().await;
        }
        while !bench.has_outbox(0) {
            bench.push(4_000).await;
        }
        bench.push(4_000).await;
        let mut missed = bench.beat(4_000);
        missed.resets = vec![TopicId(1)];
        deliver(&bench.shard, &missed).await;
        let frames = settle(&bench, &mut client).await;
        let at = kinds(&frames).iter().position(|kind| kind == "reset").expect("it is told");
        let mut before = BTreeMap::new();
        for (topic, seq) in seqs(&frames[..at]) {
            assert_eq!(before.insert(topic, seq).unwrap_or(0) + 1, seq, "no gap before it is told");
        }
        let last = missed.due[0].frame.tick().seq;
        let after: BTreeMap<_, _> = seqs(&frames[at..]).into_iter().collect();
        assert!(after.values().all(|seq| *seq == last) && after.len() == 3, "{after:?}, not {last}");
    });
}

/// Notices of topics that come while a client lags wait for it, up to a bound.
#[test]
fn topic_notices_reach_one_who_lags() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        let mut client = bench.client(&["f.**"]).await;
        while !bench.has_outbox(0) {
            bench.push(4_000).await;
        }
        bench.topics.push(Topic::new("f.new", "q", Class::State));
        bench.push(10).await;
        bench.board.retire(F, &bench.topics[0].clone());
        let changes = bench.board.take_changes();
        deliver(&bench.shard, &Beat { changes, ..Beat::default() }).await;
        let frames = settle(&bench, &mut client).await;
        let told: Vec<&String> = frames.iter().filter(|frame| frame.contains(r#""type":"topics""#)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(r#""added":["f.new"],"removed":[]"#), "{told:?}");
        assert!(told[1].contains(r#""added":[],"removed":["f.0"]"#), "{told:?}");
    });
}

/// A client's commands are heard during a beat that is on its way to it: what it lets go of it is not told of, though it was
/// due while it held that.
#[test]
fn who_lags_is_told_only_of_what_it_still_holds() {
    use tickerd_model::rooms::{Person, Turnover};
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        client.say(1, &[r#"{"event":"subscribe","data":{"topics":["f.*","*.kept","f.0","f.1"]}}"#]);
        while bench.shard.borrow().table.cohorts.count() < 1 {
            tokio::task::yield_now().await;
        }
        client.read();
        // Pings, until the socket takes no more.
        let link = bench.shard.borrow_mut().connection(0).unwrap().link.clone();
        while link.try_write(&[0x89, 0]).is_ok() {}
        for name in ["f.new", "f.kept"] {
            bench.topics.push(Topic::new(name, "q", Class::State));
        }
        let mut beat = bench.beat(1);
        let people = vec![Person { conn: "0-9".into(), name: None, info: None }];
        let turnover = Arc::new(Turnover { joined: people, left: Vec::new(), count: 1 });
        beat.turnovers = vec![(TopicId(0), turnover.clone()), (TopicId(1), turnover)];
        bench.shard.borrow_mut().begin(&beat);
        let text = r#"{"event":"unsubscribe","data":{"id":1,"topics":["f.*","f.0"]}}"#;
        let head = [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        bench.shard.borrow_mut().hear(0, &mut [&head, text.as_bytes()].concat());
        assert!(bench.has_outbox(0));
        while bench.shard.borrow_mut().walk_on() {}
        let frames = settle(&bench, &mut client).await;
        let with = |text: &str| frames.iter().filter(|frame| frame.contains(text)).collect::<Vec<_>>();
        let topics = with(r#""type":"topics""#);
        assert!(topics.len() == 1 && topics[0].contains(r#""added":["f.kept"],"removed":[]"#), "{topics:?}");
        let people = with(r#""event":"presence""#);
        assert!(people.len() == 1 && people[0].contains(r#""topic":"f.1""#), "{people:?}");
        assert_eq!(with(r#""event":"unsubscribed""#).len(), 1);
        let ticks: Vec<String> = seqs(&frames).into_iter().map(|(topic, _)| topic).collect();
        assert!(!ticks.contains(&"f.0".to_owned()) && !ticks.contains(&"f.new".to_owned()), "{ticks:?}");
        assert!(ticks.contains(&"f.1".to_owned()) && ticks.contains(&"f.kept".to_owned()), "{ticks:?}");
    });
}
