//! Reads and writes the rates of clients, and grants the nearest tier.
//!
//! A rate is the shortest time between two pushes of a topic: a whole number with its unit, such as `250ms` or `1s`.

use std::time::Duration;

/// Slowest rate that can be written.
const RATE_MAX: Duration = Duration::from_secs(3600);

/// Reads `250ms`, `1s`, `2m` or `1h`. `None` for anything else, below a millisecond or above an hour.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let ms = number.parse::<u64>().ok()?.checked_mul(scale)?;
    Some(Duration::from_millis(ms)).filter(|rate| !rate.is_zero() && *rate <= RATE_MAX)
}

/// Writes a rate in its largest whole unit: `1s`, not `1000ms`.
pub fn format(rate: Duration) -> String {
    match rate.as_millis() {
        ms if ms % 1_000 != 0 => format!("{ms}ms"),
        ms if ms % 60_000 != 0 => format!("{}s", ms / 1_000),
        ms => format!("{}m", ms / 60_000),
    }
}

/// Writes the period of bars in its largest whole unit, which is its name on the wire: `10s`, `1m`, `24h`.
pub fn period_name(period: Duration) -> String {
    match period.as_millis() {
        ms if ms > 0 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        _ => format(period),
    }
}

/// The rates at which one feed's topics can be subscribed: its own interval first, then the configured tiers that are
/// slower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers(Vec<Duration>);

impl Tiers {
    /// The tiers of a feed with this interval. `configured` must be ascending.
    pub fn new(interval: Duration, configured: &[Duration]) -> Tiers {
        let slower = configured.iter().copied().filter(|tier| *tier > interval);
        Tiers(std::iter::once(interval).chain(slower).collect())
    }

    /// The tier granted for `rate`: the next slower one, or the slowest if none is that slow. `None` gets the own
    /// interval.
    pub fn grant(&self, rate: Option<Duration>) -> u8 {
        let rate = rate.unwrap_or_default();
        let at = self.0.iter().position(|tier| *tier >= rate).unwrap_or(self.0.len().saturating_sub(1));
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// The interval of the slowest tier.
    pub fn slowest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// The interval of a tier.
    pub fn rate(&self, tier: u8) -> Duration {
        self.0.get(usize::from(tier)).copied().unwrap_or_default()
    }

    /// All intervals, the own one first.
    pub fn all(&self) -> &[Duration] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_carry_their_unit() {
        for (text, ms) in [("1ms", 1), ("250ms", 250), ("1s", 1_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "1", "s", "0s", "1.5s", "-1s", "2h", "1 s", "99999999999999999999s", "1sec"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for (ms, text) in [(250, "250ms"), (1_000, "1s"), (1_500, "1500ms"), (120_000, "2m")] {
            assert_eq!(format(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_period_has_the_shortest_name() {
        for (s, name) in
            [(1, "1s"), (60, "1m"), (90, "90s"), (900, "15m"), (3_600, "1h"), (5_400, "90m"), (86_400, "24h")]
        {
            assert_eq!(period_name(Duration::from_secs(s)), name);
        }
    }

    #[test]
    fn a_rate_is_rounded_to_the_next_slower_tier() {
        let ms = Duration::from_millis;
        let tiers = Tiers::new(ms(250), &[ms(100), ms(250), ms(1000), ms(5000)]);
        assert_eq!(tiers.all(), [ms(250), ms(1000), ms(5000)]);
        for (rate, tier) in
            [(None, 0), (Some(10), 0), (Some(251), 1), (Some(5000), 2), (Some(5001), 2), (Some(3_600_000), 2)]
        {
            assert_eq!(tiers.grant(rate.map(ms)), tier, "{rate:?}");
        }
    }
}
