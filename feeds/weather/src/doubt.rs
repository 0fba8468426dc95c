//! Why an observation is not known to be current.

use std::fmt;
use std::time::Duration;

/// How far ahead of this machine's clock an observation may be dated: airports write the time of the full or half hour
/// some minutes early, and neither clock is exact.
pub(crate) const AHEAD_MAX: Duration = Duration::from_secs(10 * 60);
/// Seconds in an hour.
const HOUR_S: u64 = 3600;

/// Why an observation is not known to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is this old, which is more than its kind allows.
    Old(Duration),
    /// It is dated this far ahead of this machine's clock. The time is wrong, but the values may be right.
    Ahead(Duration),
    /// It does not say when it was made.
    Undated,
}

impl Doubt {
    /// The doubt about an observation made at `at_ms`, if `oldest` is the greatest age allowed.
    pub fn of(at_ms: Option<u64>, now_ms: u64, oldest: Duration) -> Option<Doubt> {
        let Some(at_ms) = at_ms else { return Some(Doubt::Undated) };
        let age = Duration::from_millis(now_ms.saturating_sub(at_ms));
        let ahead = Duration::from_millis(at_ms.saturating_sub(now_ms));
        if ahead > AHEAD_MAX {
            Some(Doubt::Ahead(ahead))
        } else if age > oldest {
            Some(Doubt::Old(age))
        } else {
            None
        }
    }
}

/// Displayed as the rest of a sentence that begins with “its observation …”.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Old(age) => write!(f, "is {} old", Coarse(*age)),
            Doubt::Ahead(ahead) => write!(f, "is dated {} ahead of this machine's clock", Coarse(*ahead)),
            Doubt::Undated => f.write_str("does not say when it was made"),
        }
    }
}

/// A length of time in one unit, rounded down. So the text of an age changes once an hour and not at each poll.
struct Coarse(Duration);

impl fmt::Display for Coarse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s if s < HOUR_S => write!(f, "{} min", s / 60),
            s if s < 72 * HOUR_S => write!(f, "{} h", s / HOUR_S),
            s => write!(f, "{} days", s / (24 * HOUR_S)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_475_400_000;
    const OLDEST: Duration = Duration::from_secs(2 * HOUR_S);

    fn doubt(age_s: i64) -> Option<Doubt> {
        Doubt::of(NOW_MS.checked_add_signed(-age_s * 1000), NOW_MS, OLDEST)
    }

    #[test]
    fn an_observation_is_current_up_to_the_age_allowed() {
        for age_s in [0, 600, 7200, -600] {
            assert_eq!(doubt(age_s), None, "{age_s} s");
        }
        assert_eq!(doubt(7201), Some(Doubt::Old(Duration::from_secs(7201))));
        assert_eq!(doubt(-601), Some(Doubt::Ahead(Duration::from_secs(601))));
        assert_eq!(Doubt::of(None, NOW_MS, OLDEST), Some(Doubt::Undated));
    }

    #[test]
    fn a_doubt_tells_the_age_in_one_unit() {
        for (age_s, says) in [
            (7_259, "is 2 h old"),
            (71 * 3600, "is 71 h old"),
            (72 * 3600, "is 3 days old"),
            (-1_259, "is dated 20 min ahead of this machine's clock"),
        ] {
            assert_eq!(doubt(age_s).map(|doubt| doubt.to_string()).as_deref(), Some(says));
        }
    }
}
