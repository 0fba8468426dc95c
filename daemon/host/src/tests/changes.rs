//! A feed that is configured otherwise while it runs: another process takes over, or it goes on as before.

use std::time::Duration;

use super::plugin::{in_child, in_process};
use super::replaceable::{POLLING, Replaceable, version};
use super::{Bench, SOON, shell, spec};
use crate::{Reloaded, Source, Spec};
use tickerd_model::health::FeedState;

/// Counts, as fast as a shell can.
fn counter(version: &str) -> Spec {
    shell(&format!(
        r#"n=0; while :; do n=$((n+1)); echo "{{\"event\":\"trade\",\"class\":\"event\",\"data\":\"{version} $n\"}}"; sleep 0.01; done"#
    ))
}

impl Bench {
    /// Drains until the answer is there, and answers it.
    fn changed(&mut self, spec: Spec) -> Reloaded {
        let (tell, told) = std::sync::mpsc::channel();
        self.supervisor().change(spec, Box::new(move |reloaded| tell.send(reloaded).unwrap()));
        let answer = std::cell::OnceCell::new();
        self.until("an answer to the change", |_| match told.try_recv() {
            Ok(reloaded) => answer.set(reloaded).is_ok(),
            Err(_) => false,
        });
        answer.into_inner().unwrap()
    }
}

#[test]
fn what_is_configured_takes_over_without_a_loss_and_stays() {
    let mut bench = Bench::start(counter("one"));
    bench.until_values(5);
    assert!(matches!(bench.changed(counter("two")), Reloaded::Swapped { .. }));
    bench.until("the new one", |bench| bench.values().last().unwrap().contains("two"));
    // What runs now is what a later reload reads again.
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged);
    let seen = bench.seen.len();
    bench.until_values(seen + 5);
    assert_eq!(bench.versions(), ["one", "two"]);
    bench.stayed_up();
    assert!(bench.stop() < SOON);
}

#[test]
fn what_cannot_be_started_leaves_the_old_one_at_work() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(Spec { interval: Duration::from_millis(5), ..in_child(file.path.clone()) });
    bench.until_values(3);
    let missing = spec(Source::Exec(vec!["/no/such/program".into()]));
    assert!(matches!(bench.changed(missing), Reloaded::Failed(_)));
    assert!(matches!(bench.changed(shell("exit 3")), Reloaded::Failed(_)));
    let seen = bench.seen.len();
    bench.until_values(seen + 3);
    assert_eq!(bench.reloaded(false), Reloaded::Unchanged, "the old file is what runs");
    assert_eq!(bench.versions(), ["one"]);
    bench.stayed_up();
}

#[test]
fn code_inside_tickerd_is_ended_and_started_again() {
    let (one, two) = (Replaceable::new(&version(POLLING, "one")), Replaceable::new(&version(POLLING, "two")));
    let mut bench = Bench::start(in_process(one.path.clone()));
    bench.until_values(3);
    assert_eq!(bench.changed(in_process(two.path.clone())), Reloaded::Restarted);
    bench.until("the new one", |bench| bench.values().last().unwrap().contains("two"));
    assert_eq!(bench.changed(counter("three")), Reloaded::Restarted);
    bench.until("the program", |bench| bench.values().last().unwrap().contains("three"));
    assert_eq!(bench.versions(), ["one", "two", "three"]);
    assert!(!bench.states.iter().any(|(_, reason)| reason.contains("ended of itself")), "{:?}", bench.states);
}

#[test]
fn one_that_is_down_is_started_as_it_is_configured_now() {
    let mut bench = Bench::start(shell("exit 3"));
    bench.until_state(FeedState::Down, "status 3");
    assert_eq!(bench.changed(counter("mended")), Reloaded::Started);
    bench.until_values(3);
    assert_eq!(bench.versions(), ["mended"]);
}

/// Goal: a feed may have as many topics as it is configured to have now.
#[test]
fn the_limit_of_topics_is_that_of_what_runs() {
    let script =
        r#"for t in a b c; do echo "{\"topic\":\"$t\",\"event\":\"quote\",\"data\":1}"; done; exec cat"#;
    let with = |topics_max| Spec { topics_max, ..shell(&format!("{script} # {topics_max}")) };
    let mut bench = Bench::start(with(1));
    bench.until("two refusals", |bench| bench.rejects("too_many_topics") == 2);
    assert!(matches!(bench.changed(with(3)), Reloaded::Swapped { .. }));
    bench.until("all topics", |bench| bench.seen.iter().any(|seen| seen.topic == "f.c"));
}

/// Goal: a feed that was polled and pushes now has no greatest age: it has news when there are any.
#[test]
fn one_that_is_polled_no_more_is_not_late() {
    let file = Replaceable::new(&version(POLLING, "one"));
    let mut bench = Bench::start(in_child(file.path.clone()));
    bench.until("a pace", |bench| bench.lane.freshness().max_age().is_some());
    assert!(matches!(bench.changed(counter("two")), Reloaded::Swapped { .. }));
    bench.until("no pace", |bench| bench.lane.freshness().max_age().is_none());
}
