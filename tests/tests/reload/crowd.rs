//! A thousand clients through a hundred reloads: nobody is dropped, and nobody misses a tick of a feed that was not touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Bench;
use tickerd_tests::{exec, json, within};
use tokio::sync::watch;

const CLIENTS: usize = 1_000;
const RELOADS: usize = 100;

#[tokio::test]
async fn a_thousand_clients_stay_through_a_hundred_reloads() {
    // Seldom enough for a thousand readers on a busy machine.
    let count = r#"n=0; while :; do n=$((n+1)); echo "{\"topic\":\"n\",\"event\":\"count\",\"data\":$n}"; sleep 0.5; done"#;
    // It ends as soon as it is asked to.
    let say = r#"echo '{"topic":"n","event":"count","data":1}'; exec cat"#;
    let other = || exec("b", ["/bin/sh", "-c", say]);
    let steady = || exec("a", ["/bin/sh", "-c", count]);
    let bench = Bench::start(|base| base.feed(steady())).await;
    let (stop, stopped) = watch::channel(false);
    let there = Arc::new(AtomicUsize::new(0));
    let mut crowd = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = bench.daemon.connected().await;
        client.subscribe(json!({"topics": ["a.n"], "mode": "all"})).await;
        let (mut stopped, there) = (stopped.clone(), there.clone());
        crowd.push(tokio::spawn(async move {
            let mut seqs: Vec<u64> = Vec::new();
            loop {
                let event = tokio::select! {
                    event = client.next() => event,
                    _ = stopped.wait_for(|stop| *stop) => return seqs,
                };
                if event.is_tick() {
                    there.fetch_add(usize::from(seqs.is_empty()), Ordering::Relaxed);
                    seqs.push(event.seq());
                }
            }
        }));
    }
    within("all to have a tick", async {
        while there.load(Ordering::Relaxed) < CLIENTS {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    for round in 0..RELOADS {
        bench.write(|base| {
            let base = base.feed(steady()).limits(&format!("topics = {}", 500 + round));
            if round % 2 == 0 { base.feed(other()) } else { base }
        });
        let answer = bench.ask().await;
        assert_eq!(answer["reload"]["outcome"], "done", "{round}: {answer}");
    }
    assert_eq!(bench.daemon.metric("tickerd_connections").await, Some(CLIENTS as f64));
    let reloads = bench.daemon.metric("tickerd_config_reloads_total{outcome=\"done\"}").await;
    assert_eq!(reloads, Some(RELOADS as f64));
    stop.send_replace(true);
    for (at, client) in crowd.into_iter().enumerate() {
        let seqs = client.await.unwrap();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{at}: {seqs:?}");
    }
}
