//! Figures as people read them.

use std::time::Duration;

/// A size in MiB or GiB: `16 MiB`, `1.5 GiB`.
pub fn bytes(n: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    const GIB: u64 = 1024 * MIB;
    if n >= GIB { format!("{:.1} GiB", n as f64 / GIB as f64) } else { format!("{} MiB", n / MIB) }
}

/// A duration in whole minutes, seconds or milliseconds: `10 min`, `2.5 s`, `20 ms`.
pub fn seconds(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    if minutes > 1 && duration == Duration::from_secs(minutes * 60) {
        format!("{minutes} min")
    } else if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let ms = Duration::from_millis;
        assert_eq!(
            [ms(20), ms(2_000), ms(90_000), ms(600_000)].map(seconds),
            ["20 ms", "2.0 s", "90.0 s", "10 min"]
        );
        assert_eq!([70 << 20, 3 << 29].map(bytes), ["70 MiB", "1.5 GiB"]);
    }
}
