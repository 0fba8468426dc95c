//! What the service manager is told: ready, alive, stopping. Without one (no `NOTIFY_SOCKET`) nothing is said.
//!
//! Telling never fails the daemon: a manager that went away is logged at debug level, and serving goes on.

use std::time::Duration;

use sd_notify::NotifyState;

/// What the manager adds to `drain` before it kills: time to close what is left.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Listeners are bound and feeds are started; `status` is the line `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Replaces the line `systemctl status` shows.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// The daemon is about to end, within `drain`; the unit's `TimeoutStopSec` is stretched to that if it is shorter.
pub fn stopping(drain: Duration) {
    let micros = u32::try_from(drain.saturating_add(STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// One sign of life. Send it only when a beat has gone from the pulse through a shard since the last one.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is due: half of the unit's `WatchdogSec` (sd_watchdog_enabled(3)); `None` without a watchdog,
/// or when it is meant for another process.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|timeout| timeout / 2).filter(|interval| !interval.is_zero())
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// A line break would begin another assignment in the protocol of sd_notify(3).
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_manager_nothing_happens() {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            ready("3 feeds");
            status("3 feeds\nREADY=0");
            alive();
            stopping(Duration::from_secs(4_000_000));
            assert_eq!(watchdog_interval(), None);
        }
        assert_eq!(one_line("a\nREADY=1"), "a READY=1");
    }
}
