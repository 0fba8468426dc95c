//! Commands about many topics are done in turns.

use std::collections::BTreeSet;

use super::*;
use crate::fanout::table::effort::STEPS_PER_LOOK;

const TOPICS: usize = 6_000;
/// Each is another cohort, and more than one turn to build.
const ASKED: [&[&str]; 5] = [
    &["**", "*.*", "f.*", "f.**"],
    &["**", "*.*", "f.*"],
    &["**", "f.*", "f.**"],
    &["*.*", "f.**", "f.1"],
    &["**", "f.no"],
];

impl Bench {
    /// The shard looks at its beats, and then does what there is to do.
    async fn turn(&self) {
        self.shard.borrow_mut().begin_turn();
        if self.shard.borrow().has_work() {
            self.shard.borrow_mut().work();
        }
        tokio::task::yield_now().await;
    }

    fn come(&self, topics: &[&str]) -> Client {
        let (arrival, client) = arrival(topics, Encoding::Json);
        self.shard.borrow().load.fetch_add(1, Ordering::Relaxed);
        self.shard.borrow_mut().arrive(arrival);
        client
    }
}

/// Goal: whatever is asked for at once, the shard looks at its beats after [`STEPS_PER_LOOK`] steps. Method: clients that no
/// budget limits come again and again, all at once; the steps are counted.
#[test]
fn a_shard_looks_at_its_beats_however_much_is_asked() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        bench.push(1).await;
        let (mut looks, mut most_waiting) = (0, 0);
        for round in 0..3 {
            let mut clients: Vec<Client> = ASKED.iter().map(|topics| bench.come(topics)).collect();
            let mut counts = vec![None; clients.len()];
            while counts.contains(&None) {
                bench.turn().await;
                looks += 1;
                most_waiting = most_waiting.max(bench.shard.borrow().table.cohorts.count());
                for (client, count) in clients.iter_mut().zip(&mut counts) {
                    *count = count.or(client.read().iter().find_map(|frame| subscribed(frame)));
                }
            }
            let all = Some(TOPICS);
            assert_eq!(counts, [all, all, all, all, all], "round {round}");
            drop(clients);
            while !bench.shard.borrow().connections.is_empty() || bench.shard.borrow().has_work() {
                bench.turn().await;
            }
            assert_eq!(bench.shard.borrow().table.cohorts.count(), 0, "nothing is kept for nobody");
        }
        let most = bench.shard.borrow().turns.most;
        let named = ASKED.iter().map(|topics| topics.len()).max().unwrap();
        assert!(most <= STEPS_PER_LOOK + named, "{most} steps between two looks");
        assert!(looks > 30 && most > STEPS_PER_LOOK / 2, "it took turns: {looks}, the longest of {most}");
    });
}

/// The number of topics that the first pattern of `subscribed` matches.
fn subscribed(frame: &str) -> Option<usize> {
    let told: serde_json::Value = serde_json::from_str(frame).ok()?;
    let count = (told["event"] == "subscribed").then(|| told["data"]["patterns"][0]["count"].as_u64())?;
    Some(count? as usize)
}

/// Goal: what a client missed and what is live meet without a gap, also where its patterns take turns and others are before it.
/// Method: a topic speaks at every turn.
#[test]
fn who_comes_back_with_patterns_misses_nothing_between_the_answer_and_its_subscription() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        bench.push(1).await;
        bench.topics.truncate(1);
        let mut client = bench.client(&[]).await;
        let subscribe = r#"{"event":"subscribe","data":{"id":1,"topics":["f.0","**","*.*","f.*"],
            "since":{"epoch":"e","seq":{"f.0":1}}}}"#;
        client.say(1, &[subscribe]);
        let others: Vec<Client> = ASKED.iter().map(|topics| bench.come(topics)).collect();
        let mut turns = 0;
        while bench.questions.is_empty() {
            bench.turn().await;
            bench.push(1).await;
            turns += 1;
        }
        let more: Vec<Client> = ASKED.iter().map(|topics| bench.come(&topics[1..])).collect();
        bench.push(1).await;
        recovery::answer(&mut bench).await;
        for _ in 0..20 {
            bench.turn().await;
            bench.push(1).await;
        }
        let frames = recovery::settle(&bench, &mut client).await;
        let told: Vec<u64> =
            seqs(&frames).into_iter().filter_map(|(topic, seq)| (topic == "f.0").then_some(seq)).collect();
        assert!(turns > 1, "it takes turns");
        assert_eq!(told, (2..=turns + 22).collect::<Vec<u64>>());
        assert!(frames.iter().any(|frame| frame.contains(r#""recovered":true"#)));
        drop((client, others, more));
        while !bench.shard.borrow().connections.is_empty() || bench.shard.borrow().has_work() {
            bench.turn().await;
        }
        assert_eq!(bench.shard.borrow().table.cohorts.count(), 0, "nothing is kept for nobody");
    });
}

/// A client that leaves while the pulse looks for what it missed leaves nothing behind.
#[test]
fn what_was_built_for_an_answer_goes_with_its_client() {
    run(async {
        let mut bench = Bench::new(10);
        bench.push(1).await;
        for closes in [false, true] {
            let mut client = bench.client(&[]).await;
            client.say(1, &[&recovery::SINCE_1.replace(r#"["f.0"]"#, r#"["f.0","f.*"]"#)]);
            while bench.questions.is_empty() {
                bench.turn().await;
            }
            assert_eq!(bench.shard.borrow().table.cohorts.count(), 1);
            let id = bench.shard.borrow().connections.keys().next().unwrap();
            match closes {
                true => bench.shard.borrow_mut().close(id, CloseCode::ServiceRestart),
                false => bench.shard.borrow_mut().drop_connection(id, 1006),
            }
            drop((client, bench.questions.recv().await.unwrap()));
            bench.turn().await;
            assert_eq!(bench.shard.borrow().table.cohorts.count(), 0, "{closes}");
            bench.shard.borrow_mut().drop_connection(id, 1006);
        }
    });
}

/// The same of names that it asked for, where no cohort was built.
#[test]
fn what_was_named_for_an_answer_goes_with_its_client() {
    run(async {
        let mut bench = Bench::new(2);
        bench.push(1).await;
        let mut client = bench.client(&["f.1"]).await;
        client.say(1, &[&recovery::SINCE_1.replace(r#"["f.0"]"#, r#"["f.0","f.nobody"]"#)]);
        while bench.questions.is_empty() {
            bench.turn().await;
        }
        bench.shard.borrow_mut().drop_connection(0, 1006);
        assert!(bench.shard.borrow().table.topics.find("f.nobody").is_none());
        assert!(bench.shard.borrow().table.topics.find("f.0").is_some(), "it is there by itself");
    });
}

/// Goal: a command that needs a whole turn has one, though others come all the time. Method: one more comes with each turn.
#[test]
fn what_needs_a_whole_turn_is_not_passed_over_for_ever() {
    const LIST: &str = r#"{"event":"topics","data":{"match":"f.**"}}"#;
    const SMALL: &str = r#"{"event":"topics","data":{"match":"f.0.*"}}"#;
    run(async {
        let mut bench = Bench::new(STEPS_PER_LOOK + 1);
        bench.push(1).await;
        let mut clients = Vec::new();
        for said in [LIST, LIST, SMALL, LIST, SMALL] {
            let mut client = bench.client(&[]).await;
            client.read();
            client.say(1, &[said]);
            tokio::task::yield_now().await;
            clients.push(client);
        }
        let is_told =
            |client: &mut Client| client.read().iter().any(|frame| frame.contains(r#""event":"topics""#));
        let mut turns = 0;
        while !is_told(&mut clients[3]) {
            bench.turn().await;
            let mut client = bench.client(&[]).await;
            client.say(1, &[SMALL]);
            clients.push(client);
            turns += 1;
            assert!(turns < 20, "it waits for ever");
        }
        assert!(turns > 1, "others were before it");
    });
}

/// Goal: what nobody is in is cleared away though commands wait all the time. Method: two of them do not fit into one turn.
#[test]
fn what_is_no_longer_needed_is_cleared_away_however_many_wait() {
    const LIST: &str = r#"{"event":"topics","data":{"match":"f.**"}}"#;
    run(async {
        let mut bench = Bench::new(STEPS_PER_LOOK / 5 * 3);
        bench.push(1).await;
        let mut all = bench.come(&["**"]);
        while !all.read().iter().any(|frame| subscribed(frame).is_some()) {
            bench.turn().await;
        }
        let mut lists = Vec::new();
        let mut turns = 0;
        while bench.shard.borrow().table.cohorts.has_dead() || turns < 3 {
            let mut client = bench.client(&[]).await;
            client.say(1, &[LIST]);
            let mut other = bench.client(&[]).await;
            other.say(1, &[LIST]);
            lists.extend([client, other]);
            if turns == 2 {
                bench.shard.borrow_mut().drop_connection(0, 1006);
                assert!(bench.shard.borrow().table.cohorts.has_dead());
            }
            bench.turn().await;
            turns += 1;
            assert!(turns < 20, "nothing is cleared away");
        }
        drop((all, lists));
    });
}

/// Goal: a `get` with patterns takes turns as well, and tells each topic once. Method: five patterns that match all topics.
#[test]
fn values_of_many_patterns_are_looked_for_in_turns() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        let get = r#"{"event":"get","data":{"id":1,"topics":["**","*.*","f.*","f.**","*.**","f.7","f.no"]}}"#;
        client.say(0x1, &[get]);
        let mut others = [bench.client(&[]).await, bench.client(&[]).await];
        others.iter_mut().for_each(|other| other.say(0x1, &[get]));
        let (mut told, mut worked) = (None, 0);
        while told.is_none() {
            worked += usize::from(bench.shard.borrow().has_work());
            bench.turn().await;
            let begun = bench.shard.borrow().turns.begun();
            assert!(begun <= 1, "{begun} keep what they found");
            let frames: Vec<serde_json::Value> =
                client.read().iter().filter_map(|frame| serde_json::from_str(frame).ok()).collect();
            told = frames.into_iter().find(|frame| frame["event"] == "values");
        }
        let told = told.unwrap();
        let values = told["data"]["values"].as_array().unwrap();
        let names: BTreeSet<&str> =
            values.iter().filter_map(|value| value["data"]["topic"].as_str()).collect();
        assert_eq!((values.len(), names.len()), (TOPICS, TOPICS));
        assert_eq!(values[0]["data"]["topic"], "f.7", "what is named goes first");
        assert_eq!(told["data"]["failed"].as_array().map(Vec::len), Some(1));
        let most = bench.shard.borrow().turns.most;
        assert!(worked > 1 && most <= STEPS_PER_LOOK + 7, "{most} steps between two looks, {worked} turns");
    });
}
