//! One short life of a feed, started as a daemon would start it. It ends soon after the first sample, or when it is clear that
//! none will come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::observer::Observer;
use crate::plugin::log_listener::FeedEvent;
use crate::solo::Solo;
use tickerd_config::Feed;
use tickerd_host::{Failure, Mode, Spec, Warden, printable};
use tickerd_model::health::FeedState;
use tickerd_model::lane::Entry;

/// How long a feed that is ready may take until its first sample.
const FIRST_SAMPLE: Duration = Duration::from_secs(10);
/// Number of polls that a feed is watched for, because it may break after its first sample.
const POLLS: u32 = 2;
/// How long these may take.
const POLLS_WAIT: Duration = Duration::from_secs(3);
/// How long a feed that is not polled is watched after its first sample.
const STEADY: Duration = Duration::from_secs(1);
/// How long all may take: a plugin has 10 s to get ready, and its first poll as long again.
const WHOLE: Duration = Duration::from_secs(25);
/// Time between two looks, when the bell does not ring.
const LOOK: Duration = Duration::from_millis(50);

/// Most last lines of its log that are shown with a failure.
const LOG_LINES_MAX: usize = 8;

/// What ended the wait.
pub enum Sign {
    /// It gave samples, and went on.
    Steady,
    /// It ended, or does not work.
    Failure(Failure),
    /// A sample was refused.
    Refused(String),
    /// It ended of itself, without an error.
    Over,
    /// No sample came in this time.
    Silence(Duration),
    /// A program has written nothing at all in this time.
    Mute(Duration),
    /// Someone asked to end.
    Interrupted,
}

/// What was seen in this life.
pub struct First {
    /// When it was ready, after its start.
    pub hello: Option<Duration>,
    /// When its first sample came, and what it was.
    pub sample: Option<(Duration, String)>,
    /// What ended the wait.
    pub sign: Sign,
    /// What it said about its own state, if that is not up.
    pub degraded: Option<String>,
    /// The last lines of its log.
    pub log: Vec<String>,
}

/// Starts the feed, waits for its first sample, and ends it in order.
pub fn first_sign(feed: &Feed, is_program: bool, observer: &Observer) -> io::Result<First> {
    let program = std::env::current_exe()?;
    let spec = Spec::new(feed, &program, &Arc::new(Warden::new(program.clone())));
    let mut seen = Seen::new(is_program);
    let solo = Solo::start(spec, &observer.bell);
    // What is left of an earlier feed.
    observer.log.take();
    let sign = loop {
        observer.bell.wait(LOOK);
        if let Some(sign) = seen.look(&solo, observer) {
            break sign;
        }
    };
    let health = solo.health();
    let degraded = matches!(health.state, FeedState::Degraded | FeedState::Stale | FeedState::Closed)
        .then(|| solo.reason())
        .filter(|_| matches!(sign, Sign::Steady | Sign::Silence(_)));
    drop(solo.end());
    let Seen { started, hello, sample, log, .. } = seen;
    let sample = sample.map(|(at, what)| (at - started, what));
    Ok(First { hello: hello.map(|hello| hello - started), sample, sign, degraded, log })
}

/// What was seen of a life so far.
struct Seen {
    is_program: bool,
    started: Instant,
    hello: Option<Instant>,
    /// When the first sample came, and what it was.
    sample: Option<(Instant, String)>,
    /// The last lines of its log.
    log: Vec<String>,
    /// Why a sample was refused, the first time.
    refused: Option<String>,
    /// Number of polls that have returned.
    polls: u32,
}

impl Seen {
    fn new(is_program: bool) -> Seen {
        let started = Instant::now();
        Seen { is_program, started, hello: None, sample: None, log: Vec::new(), refused: None, polls: 0 }
    }

    /// Takes what has come. `Some`: that is enough to end the life.
    fn look(&mut self, solo: &Solo, observer: &Observer) -> Option<Sign> {
        // Asked before the lane is drained, so that nothing that was said before the end is left in it.
        let (now, failure, is_over) = (Instant::now(), solo.failure(), solo.is_over());
        self.take(solo, observer, now);
        if let Some(failure) = failure {
            return Some(Sign::Failure(failure));
        }
        let health = solo.health();
        // A poll failed. The instance is kept, and will be polled again.
        if health.state == FeedState::Degraded && solo.is_failing() {
            return Some(Sign::Failure(Failure::transient(health.reason)));
        }
        // Its thread hangs, and cannot be killed.
        if health.state == FeedState::Down && health.reason.starts_with("wedged") {
            return Some(Sign::Failure(Failure::fatal(health.reason)));
        }
        if let Some(why) = self.refused.take() {
            return Some(Sign::Refused(why));
        }
        if is_over {
            return Some(Sign::Over);
        }
        let is_polled = solo.hello().is_some_and(|hello| hello.mode == Mode::Poll);
        if let Some((at, _)) = self.sample
            && (self.polls >= POLLS || now - at >= if is_polled { POLLS_WAIT } else { STEADY })
        {
            return Some(Sign::Steady);
        }
        if observer.asked.load(Ordering::Acquire) {
            return Some(Sign::Interrupted);
        }
        let silence = self.silence(now)?;
        match self.is_program && !solo.has_come() {
            true => Some(Sign::Mute(silence)),
            false => Some(Sign::Silence(silence)),
        }
    }

    fn take(&mut self, solo: &Solo, observer: &Observer, now: Instant) {
        self.hello = self.hello.or_else(|| solo.hello().map(|_| now));
        for entry in solo.drain().entries {
            if let (Entry::Tick(tick), None) = (entry, &self.sample) {
                self.sample = Some((now, format!("{} of {}", tick.topic.kind(), tick.topic.name())));
            }
        }
        for (_, event) in observer.log.take().0 {
            match event {
                FeedEvent::Refused { code, why, .. } => {
                    self.refused.get_or_insert(format!("{code}: {why}"));
                }
                FeedEvent::Log { text, .. } => {
                    self.log.extend(text.lines().map(printable));
                    self.log.drain(..self.log.len().saturating_sub(LOG_LINES_MAX));
                }
                FeedEvent::Poll { .. } => self.polls += 1,
                FeedEvent::State { .. } => {}
            }
        }
    }

    /// How long there was no first sample, if that is too long.
    fn silence(&self, now: Instant) -> Option<Duration> {
        if self.sample.is_some() {
            return None;
        }
        let silence = now - self.hello.unwrap_or(self.started);
        // A program need not say hello.
        let is_ready = self.hello.is_some() || self.is_program;
        ((is_ready && silence >= FIRST_SAMPLE) || now - self.started >= WHOLE).then_some(silence)
    }
}
