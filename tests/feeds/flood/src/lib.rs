//! A push feed for tickerd's bench: quotes at a given rate, or as fast as it can.
//!
//! Its values are made before it starts, so what a sample costs here is the call that hands it over.

use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, PushFeed, Sample};

/// Different values of a topic, one after the other: neighbours always differ.
const VALUES: u64 = 256;
/// How often a given rate is caught up with.
const TURN: Duration = Duration::from_millis(1);
/// Samples between two looks at whether to stop.
const LOOK_EVERY: u64 = 1_024;

/// How much to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Topics, `F0` and so on, in turn.
    pub topics: u64,
    /// Samples per second over all topics; 0: as many as it can.
    pub per_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { topics: 100, per_s: 0 }
    }
}

/// The feed.
pub struct Flood {
    per_s: u64,
    topics: Vec<String>,
    values: Vec<String>,
}

impl Feed for Flood {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.test.flood", "Flood")
        .description("Quotes at a given rate, or as fast as it can.")
        .events(&[EventInfo::state("quote", "A price.")]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        if config.topics == 0 {
            return Err(Error::config("topics: use 1 or more"));
        }
        let values = (0..VALUES).map(|n| {
            format!(r#"{{"price":"{n}.17","bid":"{n}.00","ask":"{n}.99","volume":1000000,"change":"-0.42"}}"#)
        });
        Ok(Flood {
            per_s: config.per_s,
            topics: (0..config.topics).map(|n| format!("F{n}")).collect(),
            values: values.collect(),
        })
    }
}

impl PushFeed for Flood {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        let started = Instant::now();
        // Every topic has a value before the next round brings its next one.
        let rounds = self.values.iter().cycle();
        let samples = rounds.flat_map(|value| self.topics.iter().map(move |topic| (topic, value)));
        for (said, (topic, value)) in (0u64..).zip(samples) {
            if said.is_multiple_of(LOOK_EVERY) && host.should_stop() {
                return Err(Error::Stopping);
            }
            while self.per_s > 0 && said >= due(started.elapsed(), self.per_s) {
                thread::sleep(TURN);
            }
            host.emit(Sample::json(topic, "quote", value))?;
        }
        Ok(())
    }
}

/// Samples that this rate asks for in that time.
fn due(elapsed: Duration, per_s: u64) -> u64 {
    (elapsed.as_secs_f64() * per_s as f64) as u64
}

tickerd_sdk::export!(push: [Flood]);

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    #[test]
    fn a_topics_neighbouring_values_differ() {
        let test = TestHost::of::<Flood>();
        test.stop_after(2_000);
        let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.test.flood", r#"{"topics":3}"#).unwrap();
        assert!(feed.run().is_err(), "it ends when it is told to, and only then");
        let samples = test.samples();
        assert!(samples.len() >= 2_000);
        for pair in samples.windows(4) {
            assert_eq!(pair[0].topic, pair[3].topic);
            assert_ne!(pair[0].value, pair[3].value);
        }
    }

    #[test]
    fn a_rate_is_kept() {
        assert_eq!(due(Duration::from_millis(1_500), 1_000), 1_500);
        assert_eq!(due(Duration::ZERO, 1_000_000), 0);
    }
}
