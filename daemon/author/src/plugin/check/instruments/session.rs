//! One life of a library's feed on a host of the test's choice: create, polls or run, stop, destroy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::plugin::check::instruments::recorder::Recorder;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::verdict::{Verdict, failed, skipped};
use tickerd_host::{Failure, Fault, Hello, HostProfile, Job, Mode, Report, Runner, TableTail, VirtualClock};

/// Longest time from the start of a feed until it is ready, as in the daemon.
pub const READY: Duration = Duration::from_secs(10);
/// How long one poll may take, however short its interval, as in the daemon.
pub const POLL: Duration = Duration::from_secs(5);
/// Longest time from the order to stop until the instance is destroyed, as in the daemon.
pub const STOP: Duration = Duration::from_secs(2);
/// Longest time between two polls. A check does not wait for intervals that are meant for real sources.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// How long a push feed is listened to, at least.
const LISTEN: Duration = Duration::from_millis(200);
/// The configured name of a checked feed.
pub const NAME: &str = "check";

/// Part of the text that the daemon gives to a failure without one.
const NO_REASON: &str = "gave no reason";

/// A feed of a library, under way.
pub struct Session {
    runner: Runner,
    reports: Receiver<Report>,
    sink: Arc<Recorder>,
    broken_texts: Arc<AtomicU64>,
    polls: u64,
    ended: Option<Result<(), Failure>>,
    /// Failures that came without a text.
    mute: Vec<String>,
}

/// An ordinary host, on which sleeping takes next to no time.
pub fn hurried() -> HostProfile {
    HostProfile { clock: Some(Arc::new(VirtualClock::default())), ..HostProfile::default() }
}

/// The host of ABI 1.0 and nothing more.
pub fn minimal() -> HostProfile {
    HostProfile { tail: TableTail::Poison, ..HostProfile::default() }
}

/// The host of a later tickerd.
pub fn future() -> HostProfile {
    HostProfile { tail: TableTail::Tomorrow, minors_ahead: 41, ..HostProfile::default() }
}

impl Session {
    /// Starts the feed, with the subject's configuration.
    pub fn start(subject: &Subject, profile: HostProfile) -> Result<Session, Verdict> {
        Session::start_as(NAME, subject, profile)
    }

    /// Starts it under another name.
    pub fn start_as(name: &str, subject: &Subject, profile: HostProfile) -> Result<Session, Verdict> {
        let sink = Arc::new(Recorder::new(name));
        let broken_texts = profile.broken_texts.clone();
        let (told, reports) = mpsc::channel();
        let job = Job { profile, ..Job::new(&subject.path, name, subject.config.to_string()) };
        let report = Arc::new(move |report| drop(told.send(report)));
        let runner = Runner::start(job, sink.clone(), report)
            .map_err(|e| skipped(format!("no thread can be started for it: {e}")))?;
        Ok(Session { runner, reports, sink, broken_texts, polls: 0, ended: None, mute: Vec::new() })
    }

    /// What the feed says.
    pub fn sink(&self) -> &Recorder {
        &self.sink
    }

    /// Number of texts that were not UTF-8.
    pub fn broken_texts(&self) -> u64 {
        self.broken_texts.load(Ordering::Relaxed)
    }

    /// Failures without a text, so far.
    pub fn mute(&self) -> &[String] {
        &self.mute
    }

    /// Waits until `create` has returned. `Ok(Err(…))`: it failed.
    pub fn created(&mut self) -> Result<Result<Hello, Failure>, Verdict> {
        let until = Instant::now() + READY;
        loop {
            match self.next(until) {
                Some(Report::Hello(hello)) => return Ok(Ok(hello)),
                Some(Report::Ended(Err(failure))) => return Ok(Err(failure)),
                Some(Report::Ended(Ok(()))) => {
                    return Err(failed("it ended before it was ready", "let create make an instance"));
                }
                Some(_) => {}
                None => {
                    return Err(failed(
                        format!("create did not return within {} s", READY.as_secs()),
                        "do slow work, such as connecting, in poll or run, and give it a timeout",
                    ));
                }
            }
        }
    }

    /// Waits until it is ready.
    pub fn ready(&mut self) -> Result<Hello, Verdict> {
        self.created()?.map_err(|failure| {
            failed(format!("create refused its configuration: {}", failure.message), "see the test `create`")
        })
    }

    /// Orders a poll, and waits for it.
    pub fn poll(&mut self) -> Result<Result<(), Failure>, Verdict> {
        self.polls += 1;
        self.runner.poll(self.polls);
        self.polled(POLL)
    }

    /// Orders a poll, and does not wait for it.
    pub fn order_poll(&mut self) {
        self.polls += 1;
        self.runner.poll(self.polls);
    }

    /// Waits for the poll that was ordered last.
    pub fn polled(&mut self, at_most: Duration) -> Result<Result<(), Failure>, Verdict> {
        let until = Instant::now() + at_most;
        loop {
            match self.next(until) {
                Some(Report::Done { poll, result }) if poll == self.polls => return Ok(result),
                // After this comes the end.
                Some(Report::Fail(failure)) => return Ok(Err(failure)),
                Some(Report::Ended(end)) => return Ok(end),
                Some(_) => {}
                None => {
                    return Err(failed(
                        format!("poll did not return within {} s", at_most.as_secs_f64()),
                        "give every wait in poll a timeout shorter than the poll interval, and let interrupt end it",
                    ));
                }
            }
        }
    }

    /// Has the feed work for a little while: `polls` polls, or until a push feed has given so many signs of life. A failure
    /// that a feed may have, such as a source that cannot be reached, ends this early and is the answer.
    pub fn live(&mut self, hello: &Hello, polls: u64) -> Result<Option<Failure>, Verdict> {
        if hello.mode == Mode::Push {
            self.sink.wait(LISTEN, |kept| kept.signs >= polls);
            return Ok(self.peek_end().and_then(Result::err));
        }
        let pause = Duration::from_millis(hello.min_poll_ms.into()).min(PAUSE_MAX);
        for n in 0..polls {
            if n > 0 {
                std::thread::sleep(pause);
            }
            if let Err(failure) = self.poll()? {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// How it has ended by itself, if it has.
    pub fn peek_end(&mut self) -> Option<Result<(), Failure>> {
        while self.ended.is_none() && self.next(Instant::now()).is_some() {}
        self.ended.clone()
    }

    /// Waits until it has ended by itself. None: it has not in time.
    pub fn await_end(&mut self, at_most: Duration) -> Option<Result<(), Failure>> {
        let until = Instant::now() + at_most;
        while self.ended.is_none() && self.next(until).is_some() {}
        self.ended.clone()
    }

    /// Calls `interrupt`, on a thread of its own.
    pub fn interrupt(&self) {
        self.runner.interrupt();
    }

    /// Whether the `interrupt` that was called last is still under way.
    pub fn is_interrupting(&self) -> bool {
        self.runner.is_interrupting()
    }

    /// Stops it, and waits until the instance is destroyed.
    pub fn stop(&mut self) -> Result<(), Verdict> {
        self.runner.stop();
        if self.await_end(STOP).is_some() {
            return Ok(());
        }
        Err(failed(
            format!("it had not stopped, and was not destroyed, {} s after it was told to", STOP.as_secs()),
            "let poll or run return as soon as should_stop answers 1 or interrupt is called, and let destroy join threads \
             that end as quickly",
        ))
    }

    fn next(&mut self, until: Instant) -> Option<Report> {
        if self.ended.is_some() {
            return None;
        }
        let report = self.reports.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
        let failure = match &report {
            Report::Done { result: Err(failure), .. } | Report::Fail(failure) => Some(failure),
            Report::Ended(end) => {
                self.ended = Some(end.clone());
                end.as_ref().err()
            }
            _ => None,
        };
        if let Some(failure) = failure
            && failure.message.contains(NO_REASON)
            && !self.mute.contains(&failure.message)
        {
            self.mute.push(failure.message.clone());
        }
        Some(report)
    }
}

/// A failure in words, with its kind.
pub fn told(failure: &Failure) -> String {
    let fault = match failure.fault {
        Fault::Config => "a configuration error",
        Fault::Transient => "a passing failure",
        Fault::Fatal => "a failure of the instance",
    };
    format!("{fault}: {}", failure.message)
}
