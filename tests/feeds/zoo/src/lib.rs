//! A poll feed for tickerd's tests that misbehaves on request.
//!
//! `{"behave": "…", "after": N}` counts on topic `counter` for `N` polls as it should, then does what it was asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Health, Host, Interrupter, PollFeed, Sample};

use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that `leak` takes at each poll.
const LEAK_BYTES: usize = 8 << 20;
/// Bytes of what `huge` emits.
const HUGE_BYTES: usize = 100 << 20;
/// The longest value tickerd takes, in bytes.
const VALUE_BYTES_MAX: usize = 48 * 1024;
/// The deepest value tickerd takes.
const DEPTH_MAX: usize = 64;

/// What to do, and from when on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What to do.
    pub behave: Behave,
    /// Polls that go well before.
    pub after: u64,
    /// Topics of `flood`, `flood_events` and `many_topics`.
    pub topics: u64,
    /// Samples at each poll of `flood` and `flood_events`.
    pub burst: u64,
    /// Real time a poll of `slow_poll` takes.
    pub slow_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { behave: Behave::Ok, after: 0, topics: 10, burst: 10_000, slow_ms: 500 }
    }
}

/// A behaviour. Those that end the process want a process of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Behave {
    /// Counts on `counter`.
    Ok,
    /// Emits nothing.
    Silent,
    /// `create` refuses the configuration.
    BadConfig,
    /// `create` panics.
    PanicCreate,
    /// `create` never returns.
    HangCreate,
    /// `poll` panics.
    PanicPoll,
    /// `poll` never returns, whatever it is told.
    HangPoll,
    /// `poll` returns once it is interrupted.
    HangUntilInterrupted,
    /// `poll` takes `slow_ms`.
    SlowPoll,
    /// `poll` waits for an interrupt that never returns.
    HangInterrupt,
    /// `destroy` never returns.
    HangDestroy,
    /// `poll` fails for good, and `destroy` never returns.
    FatalAndHang,
    /// Ends the process by a stack without end.
    StackOverflow,
    /// Takes 8 MiB at each poll and gives nothing back.
    Leak,
    /// Starts 10 processes at each of 5 polls and waits for none.
    Fork,
    /// Emits a value of 100 MiB.
    Huge,
    /// Ends the process by SIGABRT.
    Abort,
    /// Ends the process by SIGSEGV.
    Segfault,
    /// Ends the process with status 3.
    Exit,
    /// Emits `burst` states over `topics` topics, as fast as it can.
    Flood,
    /// The same with events, of which each one matters.
    FloodEvents,
    /// Emits one value on each of `topics` topics.
    ManyTopics,
    /// Emits a value that is not JSON.
    InvalidJson,
    /// Emits a value that is not UTF-8.
    InvalidUtf8,
    /// Emits on topics that are none.
    BadTopic,
    /// Emits an event it has not declared.
    UndeclaredEvent,
    /// Emits an event that is tickerd's own.
    ReservedEvent,
    /// Emits another event on `counter`.
    KindChanged,
    /// Emits a value one byte too long.
    TooLarge,
    /// Emits a value one level too deep.
    TooDeep,
    /// Writes to stdout, where the lines of a child process go.
    Printf,
    /// `poll` fails for good.
    Fatal,
    /// `poll` fails for now.
    Transient,
    /// Says it is closed.
    Closed,
    /// Emits on `brief` and retires it at the next poll.
    Retire,
    /// Leaves a thread behind that emits on `stray` after `destroy`.
    StrayThread,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Count {
    n: u64,
}

/// Set by `interrupt`, awaited by `poll`.
#[derive(Default)]
struct Wake {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake {
    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}

/// The feed.
pub struct Zoo {
    config: Config,
    polls: u64,
    wake: Arc<Wake>,
    leaked: Vec<Vec<u8>>,
}

impl Feed for Zoo {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.test.zoo", "Zoo")
        .description("Misbehaves on request.")
        .events(&[
            EventInfo::state("count", "Counts.").value::<Count>(),
            EventInfo::event("tick", "Counts, and each one matters.").value::<Count>(),
        ])
        .poll_ms(100, 1);
    type Config = Config;

    fn create(config: Config, host: Host) -> Result<Self, Error> {
        match config.behave {
            Behave::BadConfig => {
                return Err(Error::config("behave: `bad_config` was asked for; choose another"));
            }
            Behave::PanicCreate => panic!("create was asked to panic"),
            Behave::HangCreate => hang(),
            Behave::StrayThread => stray(host),
            _ => {}
        }
        Ok(Zoo { config, polls: 0, wake: Arc::default(), leaked: Vec::new() })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        if self.config.behave == Behave::HangInterrupt {
            return Some(Box::new(|| hang()));
        }
        let wake = self.wake.clone();
        Some(Box::new(move || wake.wake()))
    }
}

impl PollFeed for Zoo {
    fn poll(&mut self, host: &Host) -> Result<(), Error> {
        self.polls += 1;
        if self.config.behave == Behave::Silent && self.polls > self.config.after {
            return Ok(());
        }
        host.emit(Sample::new("counter", "count", &Count { n: self.polls }))?;
        if self.polls <= self.config.after { Ok(()) } else { self.misbehave(host) }
    }
}

impl Zoo {
    fn misbehave(&mut self, host: &Host) -> Result<(), Error> {
        // What is refused stays the host's to count; the feed goes on.
        let refused =
            |topic: &str, event: &str, json: &[u8]| match host.emit(Sample::json(topic, event, json)) {
                Err(Error::Stopping) => Err(Error::Stopping),
                _ => Ok(()),
            };
        match self.config.behave {
            Behave::PanicPoll => panic!("poll {} was asked to panic", self.polls),
            Behave::HangPoll => hang(),
            Behave::HangUntilInterrupted | Behave::HangInterrupt => self.wake.wait(),
            Behave::SlowPoll => thread::sleep(Duration::from_millis(self.config.slow_ms)),
            Behave::Abort => std::process::abort(),
            Behave::Segfault => segfault(),
            Behave::StackOverflow => drop(std::hint::black_box(deeper(1))),
            Behave::Leak => self.leaked.push(vec![1; LEAK_BYTES]),
            Behave::Fork => {
                for _ in 0..if self.polls <= 5 + self.config.after { 10 } else { 0 } {
                    Command::new("sleep").arg("600").spawn().map(drop).map_err(Error::fatal)?;
                }
            }
            Behave::Huge => refused("wrong", "count", &vec![b'1'; HUGE_BYTES])?,
            Behave::Exit => std::process::exit(3),
            Behave::Flood => self.flood(host, "count")?,
            Behave::FloodEvents => self.flood(host, "tick")?,
            Behave::ManyTopics => {
                for n in 0..self.config.topics {
                    refused(&format!("many.{n}"), "count", format!("{{\"n\":{n}}}").as_bytes())?;
                }
            }
            Behave::InvalidJson => refused("wrong", "count", b"{\"n\":}")?,
            Behave::InvalidUtf8 => refused("wrong", "count", b"\"\xff\"")?,
            Behave::BadTopic => {
                for topic in ["a..b", ".a", "a b", "\u{fc}ber", "a.*", "1.2.3.4.5.6.7.8.9", &"x".repeat(65)] {
                    refused(topic, "count", b"1")?;
                }
            }
            Behave::UndeclaredEvent => refused("wrong", "surprise", b"1")?,
            Behave::ReservedEvent => refused("wrong", "heartbeat", b"1")?,
            Behave::KindChanged => refused("counter", "tick", b"1")?,
            Behave::TooLarge => {
                refused("wrong", "count", format!("\"{}\"", "x".repeat(VALUE_BYTES_MAX - 1)).as_bytes())?;
            }
            Behave::TooDeep => {
                let deep = ["[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1)].concat();
                refused("wrong", "count", deep.as_bytes())?;
            }
            Behave::Printf => {
                println!("noise {} on stdout", self.polls);
                print!("{{\"topic\":\"forged\",\"event\":\"count\",\"data\":1}}\nnoise without an end");
            }
            Behave::Fatal | Behave::FatalAndHang => {
                return Err(Error::fatal("poll was asked to fail for good"));
            }
            Behave::Transient => return Err(Error::transient("poll was asked to fail for now")),
            Behave::Closed => host.health(Health::Closed, "the zoo is closed"),
            Behave::Retire if self.polls % 2 == 1 => refused("brief", "count", b"{\"n\":1}")?,
            Behave::Retire => host.retire("brief")?,
            Behave::Ok
            | Behave::Silent
            | Behave::BadConfig
            | Behave::PanicCreate
            | Behave::HangCreate
            | Behave::HangDestroy
            | Behave::StrayThread => {}
        }
        Ok(())
    }

    fn flood(&self, host: &Host, event: &str) -> Result<(), Error> {
        let topics: Vec<String> = (0..self.config.topics.max(1)).map(|n| format!("flood.{n}")).collect();
        for (n, topic) in (0..self.config.burst).zip(topics.iter().cycle()) {
            host.emit(Sample::new(topic, event, &Count { n }))?;
        }
        Ok(())
    }
}

impl Drop for Zoo {
    fn drop(&mut self) {
        if matches!(self.config.behave, Behave::HangDestroy | Behave::FatalAndHang) {
            hang();
        }
    }
}

/// Never ends, which the compiler must not see.
fn deeper(n: u64) -> u64 {
    if std::hint::black_box(n) == 0 { 0 } else { deeper(std::hint::black_box(n + 1)) + 1 }
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// Emits until told to stop, which is what a host answers once the instance is gone.
fn stray(host: Host) {
    thread::spawn(move || {
        while host.emit(Sample::json("stray", "count", "{\"n\":0}")).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

#[expect(unsafe_code, reason = "to crash, it must do what is not allowed")]
fn segfault() {
    // SAFETY: none. Nothing is mapped at 8, so this ends the process with SIGSEGV, as asked.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
}

tickerd_sdk::export!(poll: [Zoo]);
