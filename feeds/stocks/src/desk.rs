//! What the feed's two threads share: the market, the state of each thread, and the end of both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickerd_feed_provider::{Fault, Secret, redact};
use tickerd_sdk::{Health, Host, Level};

use crate::market::Market;

/// Longest sleep between two looks at whether the other thread has ended.
const SLICE: Duration = Duration::from_millis(250);

/// One of the two threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The thread that asks for quotes.
    Polls,
    /// The thread that listens to trades.
    Stream,
}

/// What the feed's two threads share.
#[derive(Debug)]
pub(crate) struct Desk {
    market: Mutex<Market>,
    fares: Mutex<Fares>,
    over: AtomicBool,
    secrets: Vec<Secret>,
}

/// Ends both threads when the one that holds it panics, so that the other does not go on alone.
pub(crate) struct Fuse<'a>(pub(crate) &'a Desk);

impl Drop for Fuse<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// The health of each thread, as it told last.
#[derive(Debug, Default)]
struct Fares {
    polls: Option<(Health, String)>,
    stream: Option<(Health, String)>,
    told: Option<(Health, String)>,
    /// Whether a refusal has ended the feed, so that nothing more is told.
    is_refused: bool,
}

impl Desk {
    pub(crate) fn new(market: Market, secrets: Vec<Secret>) -> Desk {
        Desk { market: Mutex::new(market), fares: Mutex::default(), over: AtomicBool::new(false), secrets }
    }

    /// The market. The lock is held only while something is read or told, never while waiting.
    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends both threads.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether one thread has ended, so that the other has to return.
    pub(crate) fn has_ended(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Resets the state, since an instance may be run again.
    pub(crate) fn begin(&self) {
        self.over.store(false, Ordering::Relaxed);
        *self.fares() = Fares::default();
    }

    fn fares(&self) -> MutexGuard<'_, Fares> {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps on the host.
    ///
    /// # Errors
    /// [`Fault::Stopping`]: the feed or the other thread has ended.
    pub(crate) fn wait(&self, host: &Host, time: Duration) -> Result<(), Fault> {
        let mut left = time;
        while !left.is_zero() {
            if self.has_ended() || host.should_stop() {
                return Err(Fault::Stopping);
            }
            let slice = left.min(SLICE);
            host.sleep(slice).map_err(|_| Fault::Stopping)?;
            left -= slice;
        }
        if self.has_ended() || host.should_stop() { Err(Fault::Stopping) } else { Ok(()) }
    }

    /// `text` without the keys.
    pub(crate) fn clean(&self, text: &str) -> String {
        redact(text, &self.secrets.iter().collect::<Vec<_>>())
    }

    /// Writes to tickerd's log, without the keys.
    pub(crate) fn log(&self, host: &Host, level: Level, text: &str) {
        host.log(level, self.clean(text));
    }

    /// Ends both threads for a reason that time does not change. The feed ends with it, which tells operators.
    /// Clients hear of it without details, so it is not told as health.
    pub(crate) fn refuse(&self) {
        self.fares().is_refused = true;
        self.end();
    }

    /// Notes the health of one thread, and tells the host the health of the whole if that is new.
    pub(crate) fn tell(&self, host: &Host, part: Part, health: Health, reason: &str) {
        let is_closed = self.market().is_closed();
        let mut fares = self.fares();
        if fares.is_refused {
            return;
        }
        let word = Some((health, self.clean(reason)));
        match part {
            Part::Polls => fares.polls = word,
            Part::Stream => fares.stream = word,
        }
        let Some((health, reason)) = together(fares.polls.as_ref(), fares.stream.as_ref(), is_closed) else {
            return;
        };
        if fares.told.as_ref().is_none_or(|told| told.0 != health || told.1 != reason) {
            host.health(health, &reason);
            fares.told = Some((health, reason));
        }
    }
}

/// The health of the whole feed. Each thread alone still moves prices, so the feed is down only if both are.
fn together(
    polls: Option<&(Health, String)>,
    stream: Option<&(Health, String)>,
    is_closed: bool,
) -> Option<(Health, String)> {
    let is_up = |part: &&(Health, String)| part.0 == Health::Up;
    let closed = || (Health::Closed, "the US market is closed".to_owned());
    Some(match (polls, stream) {
        (None, None) => return None,
        // Quotes will come soon, or the reason why not.
        (None, Some(stream)) if !is_up(&stream) => return None,
        (Some(polls), None) if is_closed && is_up(&polls) => closed(),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (Some(polls), Some(stream)) => match (is_up(&polls), is_up(&stream)) {
            (true, true) if is_closed => closed(),
            (true, true) => stream.clone(),
            (true, false) => {
                (Health::Degraded, format!("no trades, though quotes are asked for: {}", stream.1))
            }
            (false, true) => (Health::Degraded, format!("trades come, but: {}", polls.1)),
            (false, false) => {
                let health = if polls.0 == Health::Degraded { Health::Degraded } else { stream.0 };
                (health, format!("{}; and no trades: {}", polls.1, stream.1))
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(health: Health, reason: &str) -> (Health, String) {
        (health, reason.to_owned())
    }

    #[test]
    fn each_part_alone_keeps_the_feed_alive() {
        let (up, lost) = (word(Health::Up, ""), word(Health::Stale, "hung up"));
        let (down, some) = (word(Health::Down, "not reached"), word(Health::Degraded, "no NOPE"));
        let health = |polls: Option<&_>, stream: Option<&_>| together(polls, stream, false).map(|(h, _)| h);
        assert_eq!(health(None, None), None);
        assert_eq!(health(None, Some(&lost)), None, "not before quotes were asked for");
        assert_eq!(health(None, Some(&up)), Some(Health::Up));
        assert_eq!(health(Some(&up), None), Some(Health::Up));
        assert_eq!(health(Some(&up), Some(&up)), Some(Health::Up));
        assert_eq!(health(Some(&up), Some(&lost)), Some(Health::Degraded));
        assert_eq!(health(Some(&down), Some(&up)), Some(Health::Degraded));
        assert_eq!(health(Some(&down), Some(&lost)), Some(Health::Stale));
        assert_eq!(health(Some(&some), Some(&down)), Some(Health::Degraded));
        assert_eq!(health(Some(&down), None), Some(Health::Down));
        let (_, reason) = together(Some(&down), Some(&lost), false).unwrap();
        assert_eq!(reason, "not reached; and no trades: hung up");
    }

    #[test]
    fn a_part_that_panics_ends_the_other() {
        let desk = Desk::new(Market::new(Vec::new(), "mock", None), Vec::new());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _fuse = Fuse(&desk);
            panic!("as a test wants it");
        }));
        assert!(panicked.is_err() && desk.has_ended());
        desk.begin();
        drop(Fuse(&desk));
        assert!(!desk.has_ended(), "without a panic the other goes on");
    }

    #[test]
    fn a_closed_market_is_closed_unless_something_is_wrong() {
        let (up, down) = (word(Health::Up, ""), word(Health::Down, "not reached"));
        assert_eq!(together(Some(&up), None, true).unwrap().0, Health::Closed);
        assert_eq!(together(Some(&up), Some(&up), true).unwrap().0, Health::Closed);
        assert_eq!(together(Some(&down), None, true).unwrap().0, Health::Down);
    }
}
