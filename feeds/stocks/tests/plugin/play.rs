//! Runs the feed on a thread while a test plays its provider.

use std::cell::Cell;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tickerd_feed_stocks::StocksFeed;
use tickerd_sdk::testing::{Captured, TestHost};
use tickerd_sdk::{Error, Feed, Health, PushFeed};
use tickerd_test_providers::{GUARD, SOON, alpaca, finnhub};

/// The keys, which must not appear in any text.
const SECRETS: [&str; 3] = [finnhub::KEY, alpaca::KEY, alpaca::SECRET];

/// A configuration, and the folder of its keys.
pub struct Setup {
    pub config: Value,
    keys: TempDir,
}

/// A configuration with keys in files, limits that do not slow a test down, and no stream.
pub fn setup(provider: &str, base_url: &str, symbols: &[&str]) -> Setup {
    let keys = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = keys.path().join(name);
        std::fs::write(&path, format!("{text}\n")).expect("the folder can be written to");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the file is ours");
        json!({ "file": path })
    };
    let mut config = json!({
        "provider": provider, "base_url": base_url, "symbols": symbols, "requests_per_minute": 100_000, "every": "1s",
    });
    match provider {
        "finnhub" => config["key"] = file("key", finnhub::KEY),
        "alpaca" => {
            config["key"] = file("key", alpaca::KEY);
            config["secret"] = file("secret", alpaca::SECRET);
        }
        _ => {}
    }
    if provider != "yahoo" {
        config["stream"] = json!(false);
    }
    Setup { config, keys }
}

impl Setup {
    /// The configuration with another setting.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Setup {
        self.config[key] = value.into();
        self
    }

    /// The configuration with another key.
    pub fn keyed(self, key: &str) -> Setup {
        std::fs::write(self.keys.path().join("key"), key).expect("the folder can be written to");
        self
    }

    /// The configuration with a stream.
    pub fn streaming(self, url: String) -> Setup {
        self.with("stream", true).with("stream_url", url)
    }

    /// Runs the feed while `script` plays; then stops it, or waits until it `ends` by itself. No key may be found in
    /// anything that was said.
    fn outcome(self, script: impl FnOnce(&TestHost), ends: bool) -> (Result<(), Error>, TestHost) {
        let test = TestHost::of::<StocksFeed>();
        let config = serde_json::from_value(self.config.clone()).expect("the configuration is read");
        let mut feed = StocksFeed::create(config, test.host()).expect("the configuration is right");
        let interrupt = feed.interrupter().expect("there is a way to interrupt it");
        let host = test.host();
        let thread = std::thread::spawn(move || feed.run(&host));
        script(&test);
        if ends {
            until("the feed ends", || thread.is_finished());
        }
        test.stop();
        interrupt();
        let stopped = Instant::now();
        let result = thread.join().expect("the feed does not panic");
        assert!(stopped.elapsed() < SOON, "stopping took {:?}", stopped.elapsed());
        assert_eq!(test.rejects(), Vec::<String>::new());
        let said = format!("{result:?} {:?} {:?} {:?}", test.logs(), test.health(), test.samples());
        for secret in SECRETS {
            assert!(!said.contains(secret), "a key was told: {said}");
        }
        (result, test)
    }

    /// Runs the feed while `script` plays, then stops it.
    pub fn play(self, script: impl FnOnce(&TestHost)) -> TestHost {
        let (result, test) = self.outcome(script, false);
        assert_eq!(result, Ok(()));
        test
    }

    /// Runs a feed that ends because its configuration must change. Returns the reason.
    pub fn refusal(self, script: impl FnOnce(&TestHost)) -> (String, TestHost) {
        match self.outcome(script, true) {
            (Err(Error::Config(text)), test) => (text, test),
            (other, test) => panic!("{other:?}, {:?}", test.logs()),
        }
    }
}

/// Waits until `is_so` returns true.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let guard = Instant::now() + GUARD;
    while !is_so() {
        assert!(Instant::now() < guard, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// The health last told, and its reason.
pub fn health(test: &TestHost) -> (Option<Health>, String) {
    test.health().map_or((None, String::new()), |(health, reason)| (Some(health), reason))
}

thread_local! {
    /// The host whose health was waited for last, and the number of that health among those it told.
    static WAITED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Waits until the feed has told this health, starting with the one that was waited for last. Returns its reason.
pub fn until_health(test: &TestHost, wanted: Health) -> String {
    let host = test.table() as usize;
    let (known, at) = WAITED.get();
    let from = if known == host { at } else { 0 };
    let find = || {
        let told = test.healths().into_iter().enumerate().skip(from);
        told.into_iter().find(|(_, (health, _))| *health == wanted)
    };
    until(&format!("health is {wanted:?}"), || find().is_some());
    let (at, (_, reason)) = find().expect("it was told");
    WAITED.set((host, at));
    reason
}

/// Waits until there is a value for `topic`. Returns the newest.
pub fn newest(test: &TestHost, topic: &str) -> Captured {
    let find = || test.samples().into_iter().rev().find(|sample| sample.topic == topic);
    until(&format!("there is a value for {topic}"), || find().is_some());
    find().expect("it was there")
}

/// The samples of one topic.
pub fn of(test: &TestHost, topic: &str) -> Vec<Captured> {
    test.samples().into_iter().filter(|sample| sample.topic == topic).collect()
}

/// Whether a log line holds `part`.
pub fn logged(test: &TestHost, part: &str) -> bool {
    test.logs().iter().any(|(_, text)| text.contains(part))
}
