//! The simulated feed: a seed is a sequence.

use std::collections::BTreeMap;

use tickerd_tests::{Value, daemon, json, sim};

/// Numbers compared.
const TICKS: u64 = 40;

/// What a daemon with this seed says on some topics, by topic and number.
async fn sequence(seed: u64) -> BTreeMap<(String, u64), Value> {
    let feed = sim(seed).set("interval = \"20ms\"").set("poll = \"20ms\"").set("emit = \"always\"");
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["sim.AAPL", "sim.sine", "sim.weather.oslo"]})).await;
    let mut said = BTreeMap::new();
    loop {
        let tick = client.tick().await;
        let number = (tick.topic().to_owned(), tick.seq());
        let is_over = number.0 == "sim.AAPL" && number.1 > TICKS;
        if let Some(earlier) = said.insert(number, tick.value().clone()) {
            assert_eq!(earlier, *tick.value(), "a number has one value");
        }
        if is_over {
            return said;
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_values() {
    let (one, two, other) = tokio::join!(sequence(7), sequence(7), sequence(8));
    // Each is a part of the sequence: who comes later, or is busy, has not all of it.
    let same = |a: &BTreeMap<(String, u64), Value>, b: &BTreeMap<(String, u64), Value>| {
        let both: Vec<bool> = a.iter().filter_map(|(at, value)| Some(b.get(at)? == value)).collect();
        (both.iter().filter(|same| **same).count(), both.len())
    };
    let (equal, both) = same(&one, &two);
    assert!(both >= TICKS as usize / 2, "only {both} numbers in common");
    assert_eq!(equal, both);
    let (equal, both) = same(&one, &other);
    assert!(equal * 2 < both, "{equal} of {both} values of another seed are the same");
}
