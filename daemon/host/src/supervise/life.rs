//! One life of a feed, from its start to its end: what it was asked, what it owes, and what happens when it does not
//! answer. It is given the time, and its owner waits for it.

mod condition;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Level;

use crate::feed::policy::Policy;
use crate::feed::running::Running;
use crate::feed::spec::Spec;
use crate::intake::activity::Activity;
use crate::intake::metrics::Polls;
use crate::log::feed_log::FeedLog;
use crate::log::figures::seconds;
use crate::report::{Failure, Hello, Mode, Report};
use crate::supervise::memory_watch::MemoryWatch;
use crate::supervise::polling::{Due, Polling};
use crate::supervise::watchdog::{Alarm, Watchdog};
use tickerd_config::Source;
use tickerd_process::clock;

pub use condition::nothing_came;

/// How a life ended: `Ok` when it ended of itself.
pub type End = Result<(), Failure>;

/// A life under way.
pub struct Life {
    spec: Arc<Spec>,
    activity: Arc<Activity>,
    feed_log: Arc<FeedLog>,
    running: Running,
    began: Instant,
    /// By when it must say hello; none: it need not, or it has.
    hello_by: Option<Instant>,
    polling: Option<Polling>,
    polls: Polls,
    watchdog: Option<Watchdog>,
    /// By when its process should have ended, since its standard output has.
    mute_until: Option<Instant>,
    memory: MemoryWatch,
    /// Its thread was given up, and hangs in this process.
    left_behind: bool,
    /// Why its thread hangs, which cannot be killed.
    wedged: Option<String>,
    closing: Option<Closing>,
    /// True once another is to take its place: it ends as soon as no poll runs.
    retiring: bool,
}

/// Its end, under way.
struct Closing {
    step: StopStep,
    /// When the next step is due.
    until: Instant,
    /// Why it is ended; none: someone asked for it.
    why: Option<Failure>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StopStep {
    Asked,
    Terminated,
    Killed,
}

impl Life {
    /// A life that just began.
    pub fn new(
        spec: Arc<Spec>,
        activity: Arc<Activity>,
        feed_log: Arc<FeedLog>,
        polls: Polls,
        running: Running,
        now: Instant,
    ) -> Life {
        // A script need not say hello, and may be silent for as long as it likes.
        let hello_by = match spec.source {
            Source::Plugin { .. } => Some(now + spec.policy.hello),
            Source::Exec(_) => None,
        };
        Life {
            spec,
            activity,
            feed_log,
            running,
            began: now,
            hello_by,
            polling: None,
            polls,
            watchdog: None,
            mute_until: None,
            memory: MemoryWatch::new(now),
            left_behind: false,
            wedged: None,
            closing: None,
            retiring: false,
        }
    }

    /// Begins its end, because another takes its place. The poll that runs is waited for, and no other begins.
    pub fn retire(&mut self, now: Instant) {
        self.retiring = true;
        if self.polling.as_ref().is_none_or(Polling::is_idle) {
            self.close(now, None);
        }
    }

    /// Takes over from a life that has ended. Its process begins its work, and it is not polled sooner than the other would
    /// have been.
    pub fn take_over(&mut self, before: &Life) {
        self.activity.note_heard();
        self.running.take_over();
        if let (Some(mine), Some(theirs)) = (&mut self.polling, &before.polling) {
            mine.follow(theirs);
        }
    }

    /// Begins the ordered stop: ask, SIGTERM, SIGKILL. `why` is none when someone asked for it.
    pub fn close(&mut self, now: Instant, why: Option<Failure>) {
        if self.closing.is_none() {
            self.running.stop();
            self.closing =
                Some(Closing { step: StopStep::Asked, until: now + self.policy().stop_grace, why });
        }
    }

    /// Ends it at once, without asking. A process is gone a moment later, and reports that; for a thread, the answer is the
    /// end.
    pub fn kill(&mut self, now: Instant, why: Option<Failure>) -> Option<End> {
        let why = self.closing.take().and_then(|closing| closing.why).or(why);
        match &self.running {
            Running::Process(process) => {
                process.kill();
                self.closing =
                    Some(Closing { step: StopStep::Killed, until: now + self.policy().term_grace, why });
                None
            }
            // A thread cannot be ended from outside. It is left behind, and holds no lock of the daemon.
            Running::Thread(_) => {
                self.left_behind = true;
                let failure = why.unwrap_or_else(|| Failure::fatal("it ended, but does not return"));
                Some(Err(Failure {
                    message: format!("{}; its thread does not end", failure.message),
                    ..failure
                }))
            }
        }
    }

    /// Does what is due at `now`.
    pub fn act(&mut self, now: Instant) -> Option<End> {
        if let Some(closing) = &mut self.closing {
            if now < closing.until {
                return None;
            }
            return match (closing.step, &self.running) {
                (StopStep::Asked, Running::Process(process)) => {
                    process.terminate();
                    closing.step = StopStep::Terminated;
                    closing.until = now + self.spec.policy.term_grace;
                    None
                }
                (StopStep::Killed, _) => {
                    let why = closing.why.take();
                    Some(Err(
                        why.unwrap_or_else(|| Failure::fatal("its process does not end, even when killed"))
                    ))
                }
                _ => self.kill(now, None),
            };
        }
        if self.hello_by.is_some_and(|by| now >= by) {
            self.hello_by = None;
            let limit = seconds(self.policy().hello);
            return self.hang(now, format!("it was not ready within {limit} of its start"));
        }
        if self.mute_until.take_if(|until| now >= *until).is_some() {
            let text = "it closed its standard output and went on running; ended";
            self.close(now, Some(Failure::transient(text)));
            return None;
        }
        if let Some(text) = self.memory.look(now, || self.running.resident(), self.spec.policy.memory) {
            return self.kill(now, Some(Failure::transient(format!("{text}; killed"))));
        }
        self.check_signs_of_life(now).or_else(|| self.poll(now))
    }

    /// Looks for signs of life of a push feed that promised some.
    fn check_signs_of_life(&mut self, now: Instant) -> Option<End> {
        let watchdog = self.watchdog.as_mut()?;
        let alive = self.activity.take_alive();
        if alive {
            self.wedged = None;
        }
        match watchdog.look(alive, now)? {
            Alarm::First => {
                self.running.interrupt();
                None
            }
            Alarm::Second => {
                let text = format!("{}, twice its `heartbeat`", watchdog.told_silence()?);
                self.hang(now, text)
            }
        }
    }

    fn poll(&mut self, now: Instant) -> Option<End> {
        let polling = self.polling.as_mut()?;
        if self.retiring && polling.is_idle() {
            self.close(now, None);
            return None;
        }
        match polling.due(now)? {
            Due::Poll(count) => {
                self.activity.take_alive();
                self.running.poll(count, polling.deadline());
            }
            Due::Interrupt => {
                if let Source::Exec(_) = self.spec.source {
                    polling.doubt(self.activity.take_alive());
                }
                self.running.interrupt();
            }
            Due::GivingUp if self.wedged.is_some() => {}
            Due::GivingUp => {
                let text = polling.overdue(2);
                return self.hang(now, text);
            }
        }
        None
    }

    /// It does not answer. A process is killed; a thread cannot be, so that is reported, and the thread left alone.
    fn hang(&mut self, now: Instant, text: String) -> Option<End> {
        if let Running::Process(_) = self.running {
            return self.kill(now, Some(Failure::transient(format!("{text}; killed"))));
        }
        self.wedged =
            Some(format!("wedged: {text}; use isolation = \"process\", where it would be started anew"));
        None
    }

    /// Takes a report. `Some`: the life is over.
    pub fn take_report(&mut self, report: Report, now: Instant) -> Option<End> {
        match report {
            Report::Hello(hello) => self.take_hello(&hello, now),
            Report::Done { poll, result } => self.done(poll, result, now),
            Report::Fail(failure) => self.close(now, Some(failure)),
            Report::Leaving => self.close(now, None),
            Report::Mute if self.closing.is_none() => {
                self.mute_until = Some(now + self.policy().stop_grace);
            }
            Report::Spoke | Report::Mute => {}
            Report::Ended(result) => {
                let why = self.closing.as_mut().and_then(|closing| closing.why.take());
                return Some(why.map_or(result, Err));
            }
        }
        None
    }

    fn take_hello(&mut self, hello: &Hello, now: Instant) {
        self.hello_by = None;
        self.wedged = None;
        self.activity.note_hello(hello);
        self.activity.note_heard();
        if self.polling.is_some() {
            return;
        }
        if hello.mode != Mode::Poll {
            let limit = self.policy().heartbeat.filter(|_| hello.beats);
            self.watchdog = limit.map(|limit| Watchdog::new(limit, now));
            return;
        }
        self.watchdog = None;
        let wish = match hello.default_poll_ms {
            0 => self.spec.interval,
            ms => Duration::from_millis(ms.into()),
        };
        let min = Duration::from_millis(hello.min_poll_ms.into());
        if self.spec.poll.is_some_and(|poll| poll < min) {
            let text = format!("poll is raised to {}, the shortest this plugin allows", seconds(min));
            self.feed_log.tell(Level::WARN, None, &text);
        }
        let period = self.spec.poll.unwrap_or(wish).max(min);
        self.polling = Some(Polling::new(period, self.spec.interval, self.policy(), now));
    }

    fn done(&mut self, poll: u64, result: Result<(), Failure>, now: Instant) {
        let Some(polling) = &mut self.polling else { return };
        let Some(began) = polling.returned(poll) else { return };
        self.wedged = None;
        self.activity.note_heard();
        self.polls.count(poll, now.duration_since(began), &result);
        polling.plan(began, result, now, clock::since_1970());
    }

    /// Polls now, if the next poll waits because the last one failed.
    pub fn retry(&mut self, now: Instant) {
        if let Some(polling) = self.polling.as_mut().filter(|polling| polling.failure().is_some()) {
            polling.hurry(now);
        }
    }

    /// How long nothing is due; none: until something is reported.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let until = |at: Instant| at.saturating_duration_since(now);
        let next = self.next().map(until);
        if self.closing.is_some() {
            return next;
        }
        let memory = self.memory.next_look().map(until);
        let watchdog = self.watchdog.as_ref().map(Watchdog::wait);
        let hint = self.hint_at(now).map(until);
        [next, self.mute_until.map(until), memory, watchdog, hint].into_iter().flatten().min()
    }

    fn next(&self) -> Option<Instant> {
        match (&self.closing, &self.polling) {
            (Some(closing), _) => Some(closing.until),
            (None, Some(polling)) if self.retiring && polling.is_idle() => None,
            (None, Some(polling)) if self.wedged.is_some() && polling.is_overdue() => None,
            (None, Some(polling)) => Some(polling.next()),
            (None, None) => self.hello_by,
        }
    }

    /// Resident memory of its process at the last look, in bytes.
    pub fn resident(&self) -> Option<u64> {
        self.memory.resident()
    }

    /// Whether its thread was given up, and hangs in this process.
    pub fn is_left_behind(&self) -> bool {
        self.left_behind
    }

    /// How often there should be news at least; none for a feed that is not polled.
    pub fn pace(&self) -> Option<Duration> {
        self.polling.as_ref().map(|polling| polling.period().max(self.spec.interval))
    }

    fn policy(&self) -> &Policy {
        &self.spec.policy
    }
}
