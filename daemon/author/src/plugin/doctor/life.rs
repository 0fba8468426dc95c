//! One short life of a feed, as a daemon would start it: until its first sample, or until it is clear that there is none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::observer::Observer;
use crate::plugin::log_listener::FeedEvent;
use crate::solo::Solo;
use tickerd_config::Feed;
use tickerd_host::{Failure, Mode, Spec, Warden, printable};
use tickerd_model::lane::{Entry, FeedState};

/// How long a feed that is ready may take to its first sample.
const FIRST_SAMPLE: Duration = Duration::from_secs(10);
/// Polls that a feed is watched for, so that one which falls over after its first sample is seen.
const POLLS: u32 = 2;
/// How long these may take.
const POLLS_WAIT: Duration = Duration::from_secs(3);
/// How long another feed is watched after its first sample.
const STEADY: Duration = Duration::from_secs(1);
/// How long the whole may take: a plugin has 10 s to get ready, and a poll that hangs as long again.
const WHOLE: Duration = Duration::from_secs(25);
/// Time between two looks, when nothing rings.
const LOOK: Duration = Duration::from_millis(50);

/// Lines of its log that are shown with a failure.
const LOG_LINES_MAX: usize = 8;

/// What ended the wait.
pub enum Sign {
    /// It spoke, and went on.
    Steady,
    /// It ended, or does not work.
    Failure(Failure),
    /// What it said was refused.
    Refused(String),
    /// It ended of itself, without an error.
    Over,
    /// Nothing came.
    Silence(Duration),
    /// Someone had enough.
    Interrupted,
}

/// What was seen of a life.
pub struct First {
    /// When it said that it is ready, after its start.
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
    let started = Instant::now();
    let solo = Solo::start(spec, &observer.bell);
    let mut hello: Option<Instant> = None;
    let mut sample: Option<(Instant, String)> = None;
    let (mut log, mut refused, mut polls) = (Vec::new(), None, 0);
    // What an earlier feed left.
    observer.log.take();
    let sign = loop {
        observer.bell.wait(LOOK);
        let (now, failure, is_over) = (Instant::now(), solo.failure(), solo.is_over());
        hello = hello.or_else(|| solo.hello().map(|_| now));
        for entry in solo.drain().entries {
            if let (Entry::Tick(tick), None) = (entry, &sample) {
                sample = Some((now, format!("{} of {}", tick.topic.kind(), tick.topic.name())));
            }
        }
        for (_, heard) in observer.log.take().0 {
            match heard {
                FeedEvent::Refused { code, why, .. } => drop(refused.get_or_insert(format!("{code}: {why}"))),
                FeedEvent::Log { text, .. } => {
                    log.extend(text.lines().map(printable));
                    log.drain(..log.len().saturating_sub(LOG_LINES_MAX));
                }
                FeedEvent::Poll { .. } => polls += 1,
                FeedEvent::State { .. } => {}
            }
        }
        if let Some(failure) = failure {
            break Sign::Failure(failure);
        }
        let health = solo.health();
        // A poll that failed: the instance is kept, and asked again.
        if health.state == FeedState::Degraded && solo.is_failing() {
            break Sign::Failure(Failure::transient(health.reason));
        }
        // It waits for something that its thread cannot be freed from.
        if health.state == FeedState::Down && health.reason.starts_with("wedged") {
            break Sign::Failure(Failure::fatal(health.reason));
        }
        if let Some(why) = refused {
            break Sign::Refused(why);
        }
        if is_over {
            break Sign::Over;
        }
        let is_polled = solo.hello().is_some_and(|hello| hello.mode == Mode::Poll);
        if let Some((at, _)) = sample
            && (polls >= POLLS || now - at >= if is_polled { POLLS_WAIT } else { STEADY })
        {
            break Sign::Steady;
        }
        if observer.asked.load(Ordering::Acquire) {
            break Sign::Interrupted;
        }
        if sample.is_some() {
            continue;
        }
        let waits_since = hello.map_or(now - started, |hello| now - hello);
        if (hello.is_some() && waits_since >= FIRST_SAMPLE) || now - started >= WHOLE {
            break Sign::Silence(waits_since);
        }
        // A program says hello only if it likes.
        if hello.is_none() && is_program && waits_since >= FIRST_SAMPLE {
            break Sign::Silence(waits_since);
        }
    };
    let health = solo.health();
    let degraded = matches!(health.state, FeedState::Degraded | FeedState::Stale | FeedState::Closed)
        .then(|| solo.reason())
        .filter(|_| matches!(sign, Sign::Steady | Sign::Silence(_)));
    drop(solo.end());
    let sample = sample.map(|(at, what)| (at - started, what));
    Ok(First { hello: hello.map(|hello| hello - started), sample, sign, degraded, log })
}
