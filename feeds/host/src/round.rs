//! Rounds figures to one decimal; more would only be noise on the wire.

/// Rounds to one decimal, and never gives `-0.0`.
pub(crate) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}

/// `part` of `whole` in percent, within 0 and 100; 0 of nothing.
pub(crate) fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { tenth((part / whole * 100.0).clamp(0.0, 100.0)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_stay_within_bounds() {
        assert_eq!(percent(1.0, 3.0), 33.3);
        assert_eq!(percent(4.0, 3.0), 100.0);
        assert_eq!(percent(-1.0, 3.0), 0.0);
        assert_eq!(percent(1.0, 0.0), 0.0);
    }
}
