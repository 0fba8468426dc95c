//! What clients are told of the age of topics, whatever their sockets take.

use std::collections::BTreeSet;

use super::*;
use crate::exchange::beat::{Aged, Stale};
use tickerd_model::board::TopicId;

const TOPICS: usize = 600;
/// Names of one notice.
const NAMES_MAX: usize = 256;

/// These topics go stale, or have news.
fn aged(topics: std::ops::Range<usize>, is_stale: bool) -> Beat {
    let stale = is_stale.then_some(Stale { since: 1, max_age_ms: 300 });
    let aged = topics.map(|at| Aged { topic: TopicId(at as u32), stale }).collect();
    Beat { aged, ..Beat::default() }
}

/// The notices among frames: whether each says stale, and of which topics.
fn notices(frames: &[String]) -> Vec<(bool, Vec<String>)> {
    let read = |frame: &String| {
        let notice: serde_json::Value = serde_json::from_str(frame).unwrap();
        let is_stale = match notice["data"]["type"].as_str()? {
            "stale" => true,
            "fresh" => false,
            _ => return None,
        };
        let topics = notice["data"]["topics"].as_array()?.iter();
        Some((is_stale, topics.map(|topic| topic.as_str().unwrap().to_owned()).collect()))
    };
    frames.iter().filter_map(read).collect()
}

/// Which topics a client that heeds all notices takes for stale.
fn followed(frames: &[String]) -> BTreeSet<String> {
    let mut stale = BTreeSet::new();
    for (is_stale, topics) in notices(frames) {
        assert!(topics.len() <= NAMES_MAX);
        match is_stale {
            true => stale.extend(topics),
            false => stale.retain(|topic| !topics.contains(topic)),
        }
    }
    stale
}

fn names(topics: std::ops::Range<usize>) -> BTreeSet<String> {
    topics.map(|at| format!("f.{at}")).collect()
}

async fn read_on(bench: &Bench, client: &mut Client) -> Vec<String> {
    let mut frames = client.read();
    while bench.has_outbox(0) {
        tokio::task::yield_now().await;
        frames.extend(client.read());
    }
    frames.extend(client.read());
    frames
}

#[test]
fn who_holds_the_same_shares_few_notices() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        bench.push(0).await;
        let asks: [&[&str]; 4] = [&["f.**"], &["f.*"], &["f.7", "f.8"], &["f.none"]];
        let mut clients = Vec::new();
        for topics in asks {
            clients.push(bench.client(topics).await);
        }
        bench.shard.borrow_mut().begin(&aged(0..TOPICS, true));
        let built = bench.shard.borrow().walk.built();
        assert_eq!(
            built,
            TOPICS.div_ceil(NAMES_MAX) + 1,
            "one set for two cohorts, and one notice for the third"
        );
        while bench.shard.borrow_mut().walk_on() {}
        for (client, (topics, count)) in
            clients.iter_mut().zip([(0..TOPICS, 3), (0..TOPICS, 3), (7..9, 1), (0..0, 0)])
        {
            let frames = client.read();
            assert_eq!((followed(&frames), notices(&frames).len()), (names(topics), count));
        }
        deliver(&bench.shard, &aged(0..TOPICS, false)).await;
        assert_eq!(notices(&clients[2].read()), [(false, vec!["f.7".to_owned(), "f.8".to_owned()])]);
        deliver(&bench.shard, &aged(0..TOPICS, false)).await;
        assert_eq!(notices(&clients[2].read()), [], "what is fresh is not told to be");
    });
}

/// A stale topic that ends is told to those who hold it, and begins anew when it comes back.
#[test]
fn a_topic_that_ends_is_stale_to_nobody() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(0).await;
        let mut client = bench.client(&["f.*"]).await;
        deliver(&bench.shard, &aged(0..2, true)).await;
        bench.board.retire(F, &bench.topics[1]);
        let changes = bench.board.take_changes();
        deliver(&bench.shard, &Beat { changes, ..Beat::default() }).await;
        let frames = client.read();
        assert_eq!(followed(&frames), names(0..1), "{frames:?}");
        bench.push(0).await;
        client.say(1, &[r#"{"event":"topics","data":{}}"#]);
        let mut answer = Vec::new();
        while !answer.iter().any(|frame: &String| frame.starts_with(r#"{"event":"topics""#)) {
            tokio::task::yield_now().await;
            answer.extend(client.read());
        }
        assert_eq!(answer.concat().matches(r#""stale":true"#).count(), 1, "{answer:?}");
    });
}

/// What passed by while the client did not read is told as it is in the end, and is no tick that was skipped.
#[test]
fn who_was_behind_is_told_how_it_is() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        let mut client = bench.client(&["f.**"]).await;
        let mut pushes = 0;
        while !bench.has_outbox(0) {
            bench.push(1_000).await;
            pushes += 1;
        }
        deliver(&bench.shard, &aged(0..TOPICS, true)).await;
        deliver(&bench.shard, &aged(0..300, false)).await;
        bench.push(1_000).await;
        deliver(&bench.shard, &aged(0..100, true)).await;
        let frames = read_on(&bench, &mut client).await;
        assert_eq!(followed(&frames), names(0..100).union(&names(300..TOPICS)).cloned().collect());
        let lag = frames.iter().find(|frame| frame.contains(r#""type":"lag""#)).unwrap();
        let lag: serde_json::Value = serde_json::from_str(lag).unwrap();
        let got = seqs(&frames).len() as u64 + lag["data"]["skipped"].as_u64().unwrap();
        assert_eq!(got, (pushes + 1) * TOPICS as u64);
    });
}

/// The socket fills up with notices alone, so that one of them is cut or refused: its topics are told again.
#[test]
fn notices_that_do_not_get_through_are_owed() {
    run(async {
        for last in [true, false] {
            let mut bench = Bench::new(TOPICS);
            bench.push(0).await;
            let mut client = bench.client(&["f.**"]).await;
            let mut is_stale = last;
            while !bench.has_outbox(0) || is_stale != last {
                is_stale = !is_stale;
                deliver(&bench.shard, &aged(0..TOPICS, is_stale)).await;
            }
            let frames = read_on(&bench, &mut client).await;
            assert_eq!(followed(&frames), if last { names(0..TOPICS) } else { BTreeSet::new() });
            assert!(!frames.iter().any(|frame| frame.contains(r#""type":"lag""#)), "no tick was skipped");
        }
    });
}
