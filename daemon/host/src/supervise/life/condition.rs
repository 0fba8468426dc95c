//! How a life is, and why, in words for people.

use std::time::{Duration, Instant};

use super::{Life, StopStep};
use crate::report::{Failure, Fault};
use crate::supervise::watchdog::Watchdog;
use tickerd_config::Source;
use tickerd_model::health::{FeedState, STARTING};

/// What to ask the author of a program that has written nothing for so long. Most often its lines wait in a buffer.
pub fn nothing_came(silence: Duration) -> String {
    format!("nothing came for {} s: does it flush after each line?", silence.as_secs())
}

impl Life {
    /// How the feed is, and why. None while it ends: the end is told once, with its reason, unless it takes long.
    pub fn view(&self, now: Instant) -> Option<(FeedState, String)> {
        if self.retiring {
            return None;
        }
        let Some(closing) = &self.closing else { return Some(self.condition(now)) };
        if closing.step != StopStep::Terminated {
            return None;
        }
        let why = closing.why.as_ref().map_or("stopping", |failure| failure.message.as_str());
        Some((FeedState::Down, format!("{why}; it does not end when asked")))
    }

    fn condition(&self, now: Instant) -> (FeedState, String) {
        if let Some(wedged) = &self.wedged {
            return (FeedState::Down, wedged.clone());
        }
        if let Some(polling) = self.polling.as_ref().filter(|polling| polling.is_overdue()) {
            let text = polling.overdue(1);
            return (FeedState::Stale, text);
        }
        if let Some(text) = self.watchdog.as_ref().and_then(Watchdog::told_silence) {
            return (FeedState::Stale, text);
        }
        if self.is_starting() {
            let silence = self.policy().silence;
            let reason = match self.is_mute() && now.duration_since(self.began) >= silence {
                true => format!("{STARTING}; {}", nothing_came(silence)),
                false => STARTING.to_owned(),
            };
            return (FeedState::Down, reason);
        }
        match self.failed_poll() {
            Some(failure) => (FeedState::Degraded, failure.message.clone()),
            None => self.activity.reported().unwrap_or((FeedState::Up, String::new())),
        }
    }

    /// Whether it has not said yet what it is.
    pub fn is_starting(&self) -> bool {
        self.hello_by.is_some() || !self.activity.is_heard()
    }

    /// Whether it is a program that has written nothing at all.
    fn is_mute(&self) -> bool {
        matches!(self.spec.source, Source::Exec(_)) && !self.activity.has_come()
    }

    /// When a program that stays mute is to be asked why, if that is to come.
    pub(super) fn hint_at(&self, now: Instant) -> Option<Instant> {
        let at = self.began + self.policy().silence;
        (at > now && self.is_mute()).then_some(at)
    }

    /// Whether tickerd has sent it SIGTERM because it did not end when asked, so that dying of that is no news.
    pub fn is_terminated(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.step == StopStep::Terminated)
    }

    /// Whether a call failed and none has succeeded since.
    pub fn is_failing(&self) -> bool {
        self.wedged.is_some() || self.failed_poll().is_some()
    }

    /// Whether its configuration is what is wrong.
    pub fn blames_the_configuration(&self) -> bool {
        let failure = match &self.closing {
            Some(closing) => closing.why.as_ref(),
            None => self.failed_poll(),
        };
        failure.is_some_and(|failure| failure.fault == Fault::Config)
    }

    fn failed_poll(&self) -> Option<&Failure> {
        self.polling.as_ref()?.failure()
    }
}
