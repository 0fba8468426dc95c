//! A minimal protocol, and the functions that run it against a provider.

use std::time::{Duration, Instant};

use tickerd_feed_provider::socket::Settings;
use tickerd_feed_provider::stream::{self, Heard, Stream};
use tickerd_feed_provider::{Fault, Tally};
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Host, Sample};
use tickerd_test_providers::{GUARD, SOON, Sockets};

/// It emits numbers, obeys `ask` and `bye`, and refuses everything else.
pub struct Echo {
    pub silence: Duration,
    pub patience: Option<Duration>,
    pub life: Option<Duration>,
    pub trouble: Option<String>,
    pub pings: bool,
    pub tally: Tally,
}

impl Default for Echo {
    fn default() -> Self {
        Echo {
            silence: GUARD,
            patience: None,
            life: None,
            trouble: None,
            pings: false,
            tally: Tally::default(),
        }
    }
}

impl Stream for Echo {
    fn hello(&mut self) -> Vec<String> {
        vec!["\"hello\"".into()]
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        match text {
            "beat" => Ok(Heard::Talk),
            "ask" => Ok(Heard::Answer(vec!["\"answer\"".into()])),
            "bye" => Ok(Heard::Leaving("the server shuts down".into())),
            "forbidden" => Err(Fault::Refused { status: 0, message: "no such account".into() }),
            "lame" => {
                self.trouble = Some("X is not known".into());
                Ok(Heard::Talk)
            }
            number if number.parse::<u64>().is_ok() => match host.emit(Sample::json("n", "quote", number)) {
                Ok(_) => Ok(Heard::Values),
                Err(_) => Err(Fault::Stopping),
            },
            other => Err(Fault::Nonsense { message: format!("`{other}` is no number") }),
        }
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn life(&self) -> Option<Duration> {
        self.life
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn pings(&self) -> bool {
        self.pings
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        Some("numbers")
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs `echo` against `server` on a thread while `script` plays the provider; then stops it.
pub fn outcome(echo: Echo, script: impl FnOnce(&Sockets, &TestHost)) -> (Result<(), Error>, TestHost) {
    let server = Sockets::start();
    outcome_at(echo, &server.url(), |test| script(&server, test))
}

pub fn outcome_at(
    mut echo: Echo,
    url: &str,
    script: impl FnOnce(&TestHost),
) -> (Result<(), Error>, TestHost) {
    let test = TestHost::new();
    let (host, settings) = (test.host(), Settings::new("echo", url));
    let feed = std::thread::spawn(move || stream::run(&host, &settings, &mut echo));
    script(&test);
    test.stop();
    let stopped = Instant::now();
    let result = feed.join().expect("the feed does not panic");
    assert!(stopped.elapsed() < SOON, "stopping took {:?}", stopped.elapsed());
    (result, test)
}

/// Runs `echo` while `script` plays the provider, for a feed that runs until it is stopped.
pub fn play(echo: Echo, script: impl FnOnce(&Sockets, &TestHost)) -> TestHost {
    let (result, test) = outcome(echo, script);
    assert_eq!(result, Ok(()));
    test
}

pub fn numbers(test: &TestHost) -> Vec<String> {
    test.samples().into_iter().map(|s| s.json).collect()
}

pub fn logged(test: &TestHost, part: &str) -> bool {
    test.logs().iter().any(|(_, text)| text.contains(part))
}
