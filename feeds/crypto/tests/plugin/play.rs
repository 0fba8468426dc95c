//! Runs the feed on a thread while a test plays the provider.

use std::time::{Duration, Instant};

use serde_json::Value;
use tickerd_feed_crypto::Crypto;
use tickerd_sdk::testing::{Captured, START_MS, TestHost};
use tickerd_sdk::{Error, Feed, Health, PushFeed};
use tickerd_test_providers::{CRYPTO_START_MS, GUARD, SOON};

/// The times for which the feed waits.
pub struct Times {
    pub silence: Duration,
    pub quiet: Duration,
    pub life: Duration,
    /// How old a quote may be.
    pub old: Duration,
}

/// Times so long that no outcome depends on them.
pub const PATIENT: Times = Times { silence: GUARD, quiet: GUARD, life: GUARD, old: Duration::MAX };

/// A short time for something that must end; long enough for a machine that is busy with other tests.
pub const SHORT: Duration = Duration::from_secs(2);

/// How far a test's clock is ahead of the provider's first values, which are so some minutes old.
pub const AGE_MS: u64 = 10 * 60 * 1000;

/// A host whose clock shows [`AGE_MS`] after the providers' begin.
pub fn test_host() -> TestHost {
    let test = TestHost::of::<Crypto>();
    test.advance_ms(CRYPTO_START_MS + AGE_MS - START_MS);
    test
}

/// Runs the feed while `script` plays the provider, then stops it.
pub fn outcome(
    config: Value,
    times: &Times,
    script: impl FnOnce(&TestHost),
) -> (Result<(), Error>, TestHost) {
    let test = test_host();
    let host = test.host();
    let config = serde_json::from_value(config).expect("the configuration fits its type");
    let mut feed = Crypto::create(config, host.clone()).expect("the configuration is right").hurried(
        times.silence,
        times.quiet,
        times.life,
        times.old,
    );
    let running = std::thread::spawn(move || feed.run(&host));
    script(&test);
    test.stop();
    let stopped = Instant::now();
    let result = running.join().expect("the feed does not panic");
    assert!(stopped.elapsed() < SOON, "stopping took {:?}", stopped.elapsed());
    assert_eq!(test.rejects(), Vec::<String>::new());
    (result, test)
}

/// Runs the feed while `script` plays the provider, for a feed that runs until it is stopped.
pub fn play(config: Value, times: &Times, script: impl FnOnce(&TestHost)) -> TestHost {
    let (result, test) = outcome(config, times, script);
    assert_eq!(result, Ok(()));
    test
}

/// Topic and price of everything emitted.
pub fn prices(test: &TestHost) -> Vec<(String, String)> {
    test.samples()
        .into_iter()
        .map(|s| (s.topic, s.value["price"].as_str().unwrap_or("?").to_owned()))
        .collect()
}

/// The trades' numbers on `topic`.
pub fn ids(test: &TestHost, topic: &str) -> Vec<String> {
    let on_topic = |s: &Captured| s.topic == topic;
    test.samples()
        .into_iter()
        .filter(on_topic)
        .map(|s| s.value["id"].as_str().unwrap_or("?").to_owned())
        .collect()
}

pub fn assert_up(test: &TestHost) {
    assert_eq!(test.health().map(|(health, _)| health), Some(Health::Up), "{:?}", test.health());
}

pub fn assert_health(test: &TestHost, expected: Health, says: &str) {
    let (health, reason) = test.health().expect("health was told");
    assert!(health == expected && reason.contains(says), "{health:?}: {reason}");
}

pub fn assert_logged(test: &TestHost, says: &str) {
    assert!(test.logs().iter().any(|(_, text)| text.contains(says)), "no `{says}` in {:#?}", test.logs());
}
