//! A push feed for tickerd's tests: counts on topic `counter`, and ends as it is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, Interrupter, PushFeed, Sample};

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How often to emit, and how to end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Time between two samples.
    pub every_ms: u64,
    /// Samples before the end; none for no end.
    pub samples: Option<u64>,
    /// What to do at the end.
    pub end: End,
}

impl Default for Config {
    fn default() -> Self {
        Config { every_ms: 10, samples: None, end: End::Return }
    }
}

/// How `run` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The source has ended.
    Return,
    /// Fails for good.
    Fatal,
    /// Fails for now.
    Transient,
    /// Panics.
    Panic,
    /// Blocks until it is interrupted.
    Block,
    /// Blocks whatever it is told.
    Hang,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Count {
    n: u64,
}

/// The feed.
pub struct Pusher {
    config: Config,
    interrupt: mpsc::SyncSender<()>,
    interrupted: mpsc::Receiver<()>,
}

impl Feed for Pusher {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.test.pusher", "Pusher")
        .description("Counts until its end.")
        .events(&[EventInfo::event("count", "Counts, and each one matters.").value::<Count>()]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        let (interrupt, interrupted) = mpsc::sync_channel(1);
        Ok(Pusher { config, interrupt, interrupted })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        let interrupt = self.interrupt.clone();
        Some(Box::new(move || {
            // Full means it is told already.
            let _ = interrupt.try_send(());
        }))
    }
}

impl PushFeed for Pusher {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        for n in 1..=self.config.samples.unwrap_or(u64::MAX) {
            host.emit(Sample::new("counter", "count", &Count { n }))?;
            host.sleep(Duration::from_millis(self.config.every_ms))?;
        }
        match self.config.end {
            End::Return => Ok(()),
            End::Fatal => Err(Error::fatal("run was asked to fail for good")),
            End::Transient => Err(Error::transient("run was asked to fail for now")),
            End::Panic => panic!("run was asked to panic"),
            End::Block => self.interrupted.recv().map_err(Error::fatal),
            End::Hang => loop {
                thread::park();
            },
        }
    }
}

tickerd_sdk::export!(push: [Pusher]);

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::abi::*;
    use tickerd_sdk::testing::TestHost;

    #[test]
    fn runs_end_as_asked() {
        for (end, status) in [
            ("return", TKR_OK),
            ("fatal", TKR_ERR_FATAL),
            ("transient", TKR_ERR_TRANSIENT),
            ("panic", TKR_ERR_PANIC),
        ] {
            let test = TestHost::of::<Pusher>();
            let config = format!(r#"{{"samples":3,"end":"{end}"}}"#);
            let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.test.pusher", &config).unwrap();
            assert_eq!(feed.run().map_or_else(|(status, _)| status, |()| TKR_OK), status, "{end}");
            assert_eq!(test.samples().len(), 3);
        }
    }

    #[test]
    fn run_ends_when_the_host_says_so() {
        let test = TestHost::of::<Pusher>();
        test.stop_after(5);
        let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.test.pusher", "{}").unwrap();
        assert_eq!(feed.run().unwrap_err().0, TKR_ERR_STOPPING);
        assert_eq!(test.samples().len(), 5);
    }
}
