//! The life of a feed that asks its provider again and again.

use std::time::{Duration, Instant};

use tickerd_sdk::{Error, Health, Host};

use crate::{Fault, Retry};

/// Longest single sleep on the host. Each sleep is a sign of life.
const SLICE: Duration = Duration::from_secs(5);
/// Wait after a first failure, at most.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between tries. If the interval is longer than the first value, the interval counts, up to the second
/// value.
const RETRY_MAX: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5 * 60));

/// A feed that asks its provider.
pub trait Ask {
    /// Asks once and emits what came. Returns how long the answer holds, if the provider says so: [`run`] asks again
    /// no sooner.
    ///
    /// # Errors
    /// What went wrong. [`run`] tells it to the host and waits accordingly.
    fn ask(&mut self, host: &Host) -> Result<Option<Duration>, Fault>;

    /// Tells the health of the values after the first answer that follows a fault.
    fn recovered(&mut self, host: &Host) {
        host.health(Health::Up, "");
    }
}

/// Asks every `every`, or less often when an answer holds longer, until the feed is stopped.
///
/// A fault is told as health once, waited for as [`Retry`] says, and told to be over after the next answer. A refusal
/// is not told as health: it ends the feed. tickerd then tells operators the reason, and clients that the
/// configuration is wrong.
///
/// # Errors
/// [`Error::Stopping`] when the feed should end, [`Error::Config`] when the provider refuses.
pub fn run(host: &Host, every: Duration, ask: &mut impl Ask) -> Result<(), Error> {
    let mut retry = Retry::new(RETRY_FIRST, every.clamp(RETRY_MAX.0, RETRY_MAX.1));
    let mut told = Told::default();
    loop {
        let started = Instant::now();
        let answer = ask.ask(host);
        // Ending the run tells a refusal to operators; clients hear of it without details.
        if let Err(refused @ Fault::Refused { .. }) = answer {
            return Err(refused.into());
        }
        match told.change(answer.as_ref().err()) {
            Some((Health::Up, _)) => ask.recovered(host),
            Some((health, reason)) => host.health(health, reason),
            None => {}
        }
        let wait = match answer {
            Ok(holds) => {
                retry.success();
                every.max(holds.unwrap_or_default()).saturating_sub(started.elapsed())
            }
            Err(fault) => retry.next(&fault, rand::random()).ok_or(fault)?,
        };
        sleep(host, wait)?;
    }
}

/// What the host was told last, so that only changes are told. Pure.
#[derive(Debug, Default)]
struct Told(Option<(Health, String)>);

impl Told {
    /// What to tell after an answer (`None`) or a fault.
    fn change(&mut self, fault: Option<&Fault>) -> Option<(Health, String)> {
        let now = match fault {
            None => None,
            // The end of the run tells a refusal as a matter of configuration, whose details only the operator sees.
            Some(Fault::Stopping | Fault::Refused { .. }) => return None,
            // A wait is told unless something worse was told before.
            Some(Fault::Held { .. }) if self.0.is_some() => return None,
            Some(fault @ Fault::Held { .. }) if !fault.is_long_wait() => return None,
            // The time to wait is left out, since it differs each time.
            Some(Fault::Limited { message, .. }) => Some((Health::Degraded, message.clone())),
            Some(fault) => Some((fault.health(), fault.to_string())),
        };
        if now == self.0 {
            return None;
        }
        self.0.clone_from(&now);
        Some(now.unwrap_or((Health::Up, String::new())))
    }
}

/// Sleeps on the host, in slices, so that the host sees that the feed is alive.
///
/// # Errors
/// [`Error::Stopping`] when the feed should end.
pub fn sleep(host: &Host, time: Duration) -> Result<(), Error> {
    let mut left = time;
    loop {
        let slice = left.min(SLICE);
        host.sleep(slice)?;
        left -= slice;
        if left.is_zero() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use tickerd_sdk::testing::{START_MS, TestHost};

    /// Answers as planned, notes when it was asked, and stops the feed after the last answer.
    struct Plan<'a> {
        answers: VecDeque<Result<Option<Duration>, Fault>>,
        asked_s: Vec<u64>,
        test: &'a TestHost,
    }

    impl Ask for Plan<'_> {
        fn ask(&mut self, host: &Host) -> Result<Option<Duration>, Fault> {
            self.asked_s.push((host.now_ms() - START_MS) / 1000);
            let answer = self.answers.pop_front().expect("it is stopped after the last");
            if self.answers.is_empty() {
                self.test.stop();
            }
            answer
        }
    }

    fn run_plan(
        test: &TestHost,
        every_s: u64,
        answers: Vec<Result<Option<Duration>, Fault>>,
    ) -> (Result<(), Error>, Vec<u64>) {
        let mut plan = Plan { answers: answers.into(), asked_s: Vec::new(), test };
        (run(&test.host(), Duration::from_secs(every_s), &mut plan), plan.asked_s)
    }

    fn unavailable(text: &str) -> Fault {
        Fault::Unavailable { message: text.to_owned() }
    }

    #[test]
    fn it_asks_at_the_interval_or_as_late_as_the_answer_holds() {
        let test = TestHost::new();
        let holds = |s| Ok(Some(Duration::from_secs(s)));
        let (end, asked) = run_plan(&test, 10, vec![Ok(None), holds(3), holds(60), Ok(None)]);
        assert_eq!((end, test.health()), (Err(Error::Stopping), None));
        // Asking takes some real time, and each wait is shorter by it.
        for (asked, planned) in asked.iter().zip([0, 10, 20, 80]) {
            assert!(asked.abs_diff(planned) <= 1, "{asked} s, planned {planned} s");
        }
    }

    #[test]
    fn a_refusal_ends_it_at_the_first_answer() {
        let test = TestHost::new();
        let refused = Fault::Refused { status: 401, message: "mock answered 401; check the key".into() };
        let (end, asked) = run_plan(&test, 10, vec![Err(refused), Ok(None)]);
        assert_eq!(end, Err(Error::config("mock answered 401; check the key")));
        assert_eq!(asked, [0]);
        assert_eq!(test.health(), None, "tickerd says it, and to clients without detail");
    }

    #[test]
    fn a_long_wait_shows_signs_of_life_and_a_stop_ends_it() {
        let test = TestHost::new();
        run_plan(&test, 3600, vec![Ok(None), Ok(None)]).0.unwrap_err();
        assert!(test.heartbeats() >= 3600 / 5, "{}", test.heartbeats());
        assert_eq!(sleep(&test.host(), Duration::from_secs(3600)), Err(Error::Stopping));
    }

    #[test]
    fn an_explained_wait_is_kept_and_nonsense_rests_for_a_minute() {
        let test = TestHost::new();
        let limited = Fault::Limited { wait: Some(Duration::from_secs(30)), message: "too much".into() };
        let nonsense = Fault::Nonsense { message: "a web page".into() };
        let (_, asked) = run_plan(&test, 1, vec![Err(limited), Err(nonsense), Ok(None)]);
        assert!(asked[1] >= 30, "{asked:?}");
        assert!(asked[2] - asked[1] >= 60, "{asked:?}");
        assert_eq!(test.health(), Some((Health::Up, String::new())), "and it is told to be over");
    }

    #[test]
    fn the_host_is_told_changes_alone() {
        let limited = |s| Fault::Limited { wait: Some(Duration::from_secs(s)), message: "too much".into() };
        let held = |s| Fault::Held { wait: Duration::from_secs(s) };
        let mut told = Told::default();
        for (fault, change) in [
            (None, None),
            (Some(held(5)), None),
            (Some(unavailable("gone")), Some((Health::Down, "gone"))),
            (Some(unavailable("gone")), None),
            (Some(held(600)), None),
            (Some(limited(30)), Some((Health::Degraded, "too much"))),
            (Some(limited(60)), None),
            (None, Some((Health::Up, ""))),
            (None, None),
            (Some(held(600)), Some((Health::Degraded, "waiting 600.0 s so as not to ask too much"))),
            (Some(held(300)), None),
            (Some(Fault::Stopping), None),
        ] {
            let said = told.change(fault.as_ref());
            assert_eq!(said.as_ref().map(|(h, text)| (*h, text.as_str())), change, "{fault:?}");
        }
    }
}
