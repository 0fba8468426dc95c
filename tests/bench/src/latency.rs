//! How long after its beat a tick is received.

use std::time::Duration;

use crate::wall;

/// Beats fall on multiples of the interval and the feed prints in the middle between two, so a tick's `ts` names
/// its beat: the next multiple. What is kept is the time from there until the tick was read.
#[derive(Debug)]
pub struct Latency {
    interval_ms: u64,
    micros: Vec<u32>,
}

impl Latency {
    pub fn of_beats(interval: Duration) -> Self {
        Self { interval_ms: interval.as_millis().max(1) as u64, micros: Vec::new() }
    }

    /// Takes note of a tick that was just read.
    pub fn note(&mut self, head: &[u8]) {
        let Some(ts) = ts(head) else { return };
        let beat = Duration::from_millis((ts / self.interval_ms + 1) * self.interval_ms);
        let late = wall::now().saturating_sub(beat).as_micros();
        self.micros.push(u32::try_from(late).unwrap_or(u32::MAX));
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
    fn quantile_counts_from_the_beat_after_ts() {
        let mut latency = Latency::of_beats(Duration::from_millis(100));
        let ts = wall::now().as_millis() as u64 - 150;
        latency.note(format!(r#"{{"event":"quote","data":{{"topic":"t","seq":1,"ts":{ts},"val"#).as_bytes());
        latency.note(b"{}");
        let ms = latency.quantiles_ms([0.5, 0.99]).unwrap();
        assert!(ms.iter().all(|ms| (50.0..1_000.0).contains(ms)), "{ms:?}");
    }
}
