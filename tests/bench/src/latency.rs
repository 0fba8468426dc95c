//! How long after its beat, or its sample, a tick is received.

use std::time::Duration;

use crate::wall;

/// From when a tick's age counts.
#[derive(Debug, Clone, Copy)]
enum From {
    /// Beats fall on multiples of the interval and the feed prints in the middle between two, so a tick's `ts` names
    /// its beat: the next multiple.
    Beat,
    /// The feed prints in the middle between two multiples of the interval: the last one before `ts`.
    Sample,
    /// The floor sends at multiples of the interval, and says no `ts`: the last one before the tick was read.
    Send,
}

/// The time from there until the tick was read.
#[derive(Debug)]
pub struct Latency {
    from: From,
    interval: Duration,
    micros: Vec<u32>,
}

impl Latency {
    /// After the beat that pushed the tick.
    pub fn of_beats(interval: Duration) -> Self {
        Self { from: From::Beat, interval, micros: Vec::new() }
    }

    /// After the feed said the sample.
    pub fn of_samples(interval: Duration) -> Self {
        Self { from: From::Sample, ..Self::of_beats(interval) }
    }

    /// After the floor began to send.
    pub fn of_sends(interval: Duration) -> Self {
        Self { from: From::Send, ..Self::of_beats(interval) }
    }

    /// Takes note of a tick that was just read.
    pub fn note(&mut self, head: &[u8]) {
        let (now, interval) = (wall::now().as_micros() as u64, self.interval.as_micros().max(1) as u64);
        let began = match self.from {
            From::Send => now / interval * interval,
            From::Beat | From::Sample => {
                let Some(ts) = ts(head).map(|ms| ms * 1_000) else { return };
                match self.from {
                    From::Sample => (ts + interval / 2) / interval * interval - interval / 2,
                    _ => (ts / interval + 1) * interval,
                }
            }
        };
        self.micros.push(u32::try_from(now.saturating_sub(began)).unwrap_or(u32::MAX));
    }

    /// The values that these shares of the ticks did not exceed, in milliseconds.
    pub fn quantiles_ms<const N: usize>(mut self, shares: [f64; N]) -> Option<[f64; N]> {
        let last = self.micros.len().checked_sub(1)?;
        Some(shares.map(|share| {
            let (_, &mut micros, _) = self.micros.select_nth_unstable((last as f64 * share).round() as usize);
            f64::from(micros) / 1_000.0
        }))
    }
}

/// `ts` of an envelope, Unix ms.
fn ts(head: &[u8]) -> Option<u64> {
    let key = br#""ts":"#;
    let at = head.windows(key.len()).position(|window| window == key)?;
    let digits = head.get(at + key.len()..)?;
    let digits = digits.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_was_said_in_the_middle_before_its_ts() {
        let mut latency = Latency::of_samples(Duration::from_millis(100));
        let ts = (wall::now().as_millis() as u64 / 100 - 1) * 100 + 57;
        latency.note(format!(r#"{{"event":"quote","data":{{"topic":"t","seq":1,"ts":{ts},"val"#).as_bytes());
        let [ms] = latency.quantiles_ms([0.5]).unwrap();
        assert!((50.0..1_000.0).contains(&ms), "{ms}");
    }

    #[test]
    fn quantile_counts_from_the_beat_after_ts() {
        let mut latency = Latency::of_beats(Duration::from_millis(100));
        let ts = wall::now().as_millis() as u64 - 150;
        latency.note(format!(r#"{{"event":"quote","data":{{"topic":"t","seq":1,"ts":{ts},"val"#).as_bytes());
        latency.note(b"{}");
        let ms = latency.quantiles_ms([0.5, 0.99]).unwrap();
        assert!(ms.iter().all(|ms| (50.0..1_000.0).contains(ms)), "{ms:?}");
    }
}
