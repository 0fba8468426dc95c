//! How long is waited before a client connects again.

use std::time::Duration;

use crate::failure::Then;

const FIRST: Duration = Duration::from_millis(500);
/// Longest wait before another try.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest that is waited where a server says not to come before.
const SAID_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest window of a server's that is kept.
const WINDOW_MAX: Duration = Duration::from_secs(60);
/// How long at most where the server says that one may come at once.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The longest of the next wait.
#[derive(Debug)]
pub struct Pause(Duration);

impl Default for Pause {
    fn default() -> Pause {
        Pause(FIRST)
    }
}

impl Pause {
    /// A server said not to come before that.
    pub fn at_least(&mut self, wait: Duration) {
        self.0 = self.0.max(wait.min(SAID_MAX));
    }

    /// From when to when one comes again; none: never. `window` is what the server told, in milliseconds.
    pub fn next(&mut self, then: Then, window: Option<(u64, u64)>) -> Option<(Duration, Duration)> {
        match (then, window) {
            (Then::Stop, _) => None,
            (Then::AtOnce, Some((from, to))) => {
                let [from, to] = [from, to].map(|ms| Duration::from_millis(ms).min(WINDOW_MAX));
                Some((from, to.max(from)))
            }
            (Then::AtOnce, None) => Some((Duration::ZERO, AT_ONCE)),
            (Then::BackOff, _) => {
                let longest = self.0;
                self.0 = (longest * 2).min(LONGEST);
                Some((longest / 2, longest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_half_a_minute() {
        let mut pause = Pause::default();
        let longest: Vec<u128> =
            (0..9).map(|_| pause.next(Then::BackOff, None).unwrap().1.as_millis()).collect();
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        // As long as the server says, up to a day.
        let hour = Duration::from_secs(3_600);
        pause.at_least(hour);
        assert_eq!(pause.next(Then::BackOff, None), Some((hour / 2, hour)));
        pause.at_least(Duration::MAX);
        assert_eq!(pause.next(Then::BackOff, None), Some((12 * hour, 24 * hour)));
    }

    #[test]
    fn a_servers_window_is_kept_to_within_a_minute() {
        let ms = |from, to| Some((Duration::from_millis(from), Duration::from_millis(to)));
        let mut pause = Pause::default();
        assert_eq!(pause.next(Then::AtOnce, None), ms(0, 500));
        assert_eq!(pause.next(Then::AtOnce, Some((500, 20_500))), ms(500, 20_500));
        assert_eq!(pause.next(Then::AtOnce, Some((9, 5))), ms(9, 9));
        assert_eq!(pause.next(Then::AtOnce, Some((u64::MAX, u64::MAX))), ms(60_000, 60_000));
        assert_eq!(pause.next(Then::Stop, Some((0, 1))), None);
    }
}
