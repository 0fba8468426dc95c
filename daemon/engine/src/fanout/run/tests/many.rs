//! A client with more topics than one look at them finds.

use super::*;

const TOPICS: usize = 3_000;

/// Goal: each topic's newest comes once, first pushed first, whatever the socket takes at a time. Method: the client is cut off,
/// then every topic moves, from the middle on first; then it reads.
#[test]
fn who_was_behind_gets_each_topic_once_and_in_order() {
    run(async {
        let mut bench = Bench::new(TOPICS);
        let mut client = bench.client(&["f.**"]).await;
        bench.push(0).await;
        while !bench.has_outbox(0) {
            bench.push(200).await;
        }
        bench.topics.rotate_left(TOPICS / 2);
        let last = bench.beat(200);
        deliver(&bench.shard, &last).await;
        let mut frames = Vec::new();
        while bench.has_outbox(0) {
            frames.extend(client.read());
            tokio::task::yield_now().await;
        }
        frames.extend(client.read());
        let said = seqs(&frames);
        let newest = last.due.iter().map(|due| due.frame.tick());
        let newest: Vec<_> = newest.map(|tick| (tick.topic.name().to_owned(), tick.seq)).collect();
        let caught_up: Vec<_> = said.iter().filter(|tick| newest[0].1 == tick.1).cloned().collect();
        assert!(caught_up == newest, "{} of {TOPICS} came, in another order or not once", caught_up.len());
        let mut before = BTreeMap::new();
        for (topic, seq) in said {
            assert!(before.insert(topic.clone(), seq) < Some(seq), "{topic} {seq} came twice");
        }
    });
}
