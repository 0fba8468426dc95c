//! The wall clock, on whose multiples beats fall.

use std::time::{Duration, SystemTime};

/// Time since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// How long from `now` until the next instant that lies `share` of an interval behind a multiple of it.
pub fn until(now: Duration, interval: Duration, share: f64) -> Duration {
    let offset = interval.mul_f64(share);
    let into = (now + interval).saturating_sub(offset).as_nanos() % interval.as_nanos().max(1);
    // An interval is far below the 584 years that fit.
    interval - Duration::from_nanos(into as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_instant_lies_at_its_share_of_the_interval() {
        let ms = Duration::from_millis;
        assert_eq!(until(ms(1_030), ms(100), 0.5), ms(20));
        assert_eq!(until(ms(1_060), ms(100), 0.5), ms(90));
        assert_eq!(until(ms(1_000), ms(100), 0.0), ms(100));
    }
}
