//! The life of a feed that asks its provider again and again.

use std::time::{Duration, Instant};

use tickerd_sdk::{Error, Health, Host};

use crate::{Fault, Retry};

/// Longest the host is slept on at once: each sleep is a sign of life.
const SLICE: Duration = Duration::from_secs(5);
/// Wait after a first failure, at most.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between tries, unless the interval is longer: then it, up to the second.
const RETRY_MAX: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5 * 60));

/// Who asks.
pub trait Ask {
    /// Asks once and emits what came. Answers how long that holds, if the provider says so: the next time comes no
    /// sooner.
    ///
    /// # Errors
    /// What [`run`] tells the host, and waits accordingly.
    fn ask(&mut self, host: &Host) -> Result<Option<Duration>, Fault>;
}

/// Asks every `every`, or less often when an answer holds longer, until the feed is stopped.
///
/// A fault is told as health once, waited for as [`Retry`] says, and told to be over after the next answer.
///
/// # Errors
/// [`Error::Stopping`] when the feed should end, [`Error::Config`] when the provider refuses.
pub fn run(host: &Host, every: Duration, ask: &mut impl Ask) -> Result<(), Error> {
    let mut retry = Retry::new(RETRY_FIRST, every.clamp(RETRY_MAX.0, RETRY_MAX.1));
    let mut told: Option<Fault> = None;
    loop {
        let started = Instant::now();
        let wait = match ask.ask(host) {
            Ok(holds) => {
                retry.success();
                if told.take().is_some() {
                    host.health(Health::Up, "");
                }
                every.max(holds.unwrap_or_default()).saturating_sub(started.elapsed())
            }
            Err(fault) => {
                // Waiting for our own limiter changes nothing about the values.
                if !matches!(fault, Fault::Held { .. } | Fault::Stopping)
                    && told.as_ref().is_none_or(|t| !same(t, &fault))
                {
                    host.health(fault.health(), &fault);
                    told = Some(fault.clone());
                }
                retry.next(&fault, rand::random()).ok_or(fault)?
            }
        };
        sleep(host, wait)?;
    }
}

/// Sleeps on the host, in slices so that it sees the feed is alive.
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

/// Whether both say the same but for how long to wait.
fn same(one: &Fault, other: &Fault) -> bool {
    match (one, other) {
        (Fault::Limited { message: one, .. }, Fault::Limited { message: other, .. }) => one == other,
        _ => one == other,
    }
}
