//! The polls of one life: when the next is due, how long one may take, and how failures slow them down. Pure: it is given the
//! time of both clocks.

use std::time::{Duration, Instant};

use crate::feed::policy::Policy;
use crate::log::figures::seconds;
use crate::report::Failure;
use crate::supervise::pacer::Pacer;

/// What is due of a feed that is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The poll of this number begins.
    Poll(u64),
    /// The poll that runs is at its deadline, and is to be interrupted.
    Interrupt,
    /// The poll that runs has taken twice its deadline. This is due at each look from then on.
    GivingUp,
}

/// The polls of one life.
#[derive(Debug)]
pub struct Polling {
    pacer: Pacer,
    period: Duration,
    deadline: Duration,
    /// Longest time between two polls, however many have failed.
    rest_max: Duration,
    next: Instant,
    count: u64,
    current: Option<Current>,
    failures: u32,
    last_failure: Option<Failure>,
    /// A hint, for people, at why the poll that runs does not return.
    hint: String,
}

/// The poll that runs.
#[derive(Debug, Clone, Copy)]
struct Current {
    since: Instant,
    /// True once it was interrupted, for taking too long.
    interrupted: bool,
}

impl Polling {
    /// Polls every `period` of a feed that is pushed every `interval`, the first now.
    pub fn new(period: Duration, interval: Duration, policy: &Policy, now: Instant) -> Polling {
        let deadline_max = policy.poll_deadline_max.max(policy.poll_deadline_min);
        Polling {
            pacer: Pacer::new(period, interval),
            period,
            deadline: period.clamp(policy.poll_deadline_min, deadline_max),
            rest_max: policy.restart_max.max(period),
            next: now,
            count: 0,
            current: None,
            failures: 0,
            last_failure: None,
            hint: String::new(),
        }
    }

    /// Takes over from the polls of a life that has ended: the next one comes no sooner than theirs would have.
    pub fn follow(&mut self, before: &Polling) {
        self.next = self.next.max(before.next.min(self.next + self.period));
    }

    /// What is due at `now`. It then counts as done.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        if now < self.next() {
            return None;
        }
        match &mut self.current {
            None => {
                self.count += 1;
                self.hint.clear();
                self.current = Some(Current { since: now, interrupted: false });
                self.pacer.start(now);
                Some(Due::Poll(self.count))
            }
            Some(current) if !current.interrupted => {
                current.interrupted = true;
                Some(Due::Interrupt)
            }
            Some(_) => Some(Due::GivingUp),
        }
    }

    /// When something is due next.
    pub fn next(&self) -> Instant {
        match self.current {
            None => self.next,
            Some(Current { since, interrupted: false }) => since + self.deadline,
            Some(Current { since, interrupted: true }) => since + self.deadline * 2,
        }
    }

    /// The poll of this number has returned. Answers when it began, if it is the one that ran.
    pub fn returned(&mut self, poll: u64) -> Option<Instant> {
        self.current.take_if(|_| poll == self.count).map(|current| current.since)
    }

    /// Plans the next one, after one that began at `began` has returned. `wall` is the time since the Unix epoch at `now`.
    pub fn plan(&mut self, began: Instant, result: Result<(), Failure>, now: Instant, wall: Duration) {
        match result {
            Ok(()) => {
                self.failures = 0;
                self.pacer.took(now.duration_since(began));
                self.next = self.pacer.next(now, wall);
            }
            Err(why) => {
                // The instance is kept, and polled less often with each failure: after 1, 2, 4 … periods, at most `rest_max`.
                self.failures = (self.failures + 1).min(16);
                self.last_failure = Some(why);
                let rest =
                    self.period.saturating_mul(1 << (self.failures - 1)).min(self.rest_max) - self.period;
                self.next = self.pacer.next(now, wall).max(began + rest);
            }
        }
    }

    /// Makes the next poll due now.
    pub fn hurry(&mut self, now: Instant) {
        self.next = now;
    }

    /// A program has not ended the poll that runs. The hint for its author depends on whether it wrote anything (`has_spoken`).
    pub fn doubt(&mut self, has_spoken: bool) {
        self.hint = match has_spoken {
            true => format!("; did it say {{\"done\":{}}}?", self.count),
            false => format!("; nothing came: did it flush its output, and say {{\"done\":{}}}?", self.count),
        };
    }

    /// What to tell people of a poll that has taken `deadlines` times its deadline.
    pub fn overdue(&self, deadlines: u32) -> String {
        format!("poll has not returned for {}{}", seconds(self.deadline * deadlines), self.hint)
    }

    /// Whether no poll runs.
    pub fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    /// Whether a poll runs that is past its deadline.
    pub fn is_overdue(&self) -> bool {
        self.current.is_some_and(|current| current.interrupted)
    }

    /// Why the last poll failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref().filter(|_| self.failures > 0)
    }

    /// Time between two polls that go well.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// How long a poll may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn every_second() -> (Polling, Instant) {
        let now = Instant::now();
        let policy = Policy {
            poll_deadline_min: SECOND * 5,
            poll_deadline_max: SECOND * 10,
            restart_max: SECOND * 6,
            ..Policy::default()
        };
        (Polling::new(SECOND, SECOND, &policy, now), now)
    }

    #[test]
    fn a_poll_that_takes_too_long_is_interrupted_and_then_given_up() {
        let (mut polling, now) = every_second();
        assert_eq!(polling.due(now), Some(Due::Poll(1)));
        assert_eq!((polling.due(now + SECOND * 4), polling.is_overdue()), (None, false));
        assert_eq!(polling.next(), now + SECOND * 5);
        assert_eq!(polling.due(now + SECOND * 5), Some(Due::Interrupt));
        assert_eq!((polling.due(now + SECOND * 9), polling.is_overdue()), (None, true));
        assert_eq!(polling.due(now + SECOND * 10), Some(Due::GivingUp));
        assert_eq!(polling.returned(2), None, "that one never began");
        assert_eq!(polling.returned(1), Some(now));
        assert_eq!(polling.returned(1), None, "it has returned already");
        assert!(polling.is_idle() && !polling.is_overdue());
    }

    #[test]
    fn failures_slow_polls_down_until_one_goes_well() {
        let (mut polling, now) = every_second();
        // A whole second, so that the phase of the wall clock adds nothing.
        let (mut at, mut wall) = (now, SECOND * 1000);
        let mut rests = Vec::new();
        for poll in 1..=5 {
            assert_eq!(polling.due(at), Some(Due::Poll(poll)));
            let began = polling.returned(poll).unwrap();
            polling.plan(began, Err(Failure::transient("no route")), at, wall);
            assert_eq!(polling.failure(), Some(&Failure::transient("no route")));
            rests.push((polling.next() - at).as_secs());
            wall += polling.next() - at;
            at = polling.next();
        }
        assert_eq!(rests, [1, 1, 3, 5, 5], "a minute is six seconds here");
        assert_eq!(polling.due(at), Some(Due::Poll(6)));
        let began = polling.returned(6).unwrap();
        polling.plan(began, Ok(()), at, wall);
        assert_eq!((polling.failure(), polling.next()), (None, at + SECOND));
    }

    #[test]
    fn one_that_takes_over_keeps_the_pace() {
        let ((mut old, now), (mut new, _)) = (every_second(), every_second());
        assert_eq!(old.due(now), Some(Due::Poll(1)));
        let began = old.returned(1).unwrap();
        old.plan(began, Ok(()), now, SECOND * 1000);
        new.hurry(now);
        new.follow(&old);
        assert_eq!((new.due(now), new.next()), (None, now + SECOND));
    }
}
