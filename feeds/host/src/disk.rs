//! `disk.<name>`: traffic of whole disks, from /proc/diskstats.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::counters::Counters;
use crate::names::Names;
use crate::round::{percent, tenth};
use crate::source::{Source, Trouble, malformed, segment};

/// The kernel counts in sectors of this size, whatever the disk's own sector size is.
const SECTOR_BYTES: u64 = 512;

/// A disk's traffic since the last value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Disk {
    /// Bytes read per second.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By/s", "x-tickerd-decimals" = 1))]
    pub read_bytes_per_s: f64,
    /// Bytes written per second.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By/s", "x-tickerd-decimals" = 1))]
    pub write_bytes_per_s: f64,
    /// Reads finished per second.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{reads}/s", "x-tickerd-decimals" = 1))]
    pub reads_per_s: f64,
    /// Writes finished per second.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{writes}/s", "x-tickerd-decimals" = 1))]
    pub writes_per_s: f64,
    /// Share of the time in which a request was under way.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "%",
        "x-tickerd-decimals" = 1
    ))]
    pub busy_pct: f64,
}

/// Reads, sectors read, writes, sectors written, milliseconds busy.
type Counts = [u64; 5];

/// Counters by name of the disk. A line without all of them (a partition on old kernels) is left out.
fn parse(text: &str) -> Result<Vec<(&str, Counts)>, Trouble> {
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_major, _minor, name, counts @ ..] = words.as_slice() else {
            return Err(malformed("major, minor, name and counters", line));
        };
        // reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms busy, ms weighted; more since 4.18
        let [reads, _, sectors_read, _, writes, _, sectors_written, _, _, ms_busy, ..] = counts else {
            continue;
        };
        let mut parsed = [0; 5];
        for (parsed, word) in parsed.iter_mut().zip([reads, sectors_read, writes, sectors_written, ms_busy]) {
            *parsed = word.parse().map_err(|_| malformed("a counter", line))?;
        }
        all.push((*name, parsed));
    }
    Ok(all)
}

/// Whether `name` is a partition of one of `names`: `sda1` of `sda`, `nvme0n1p2` of `nvme0n1`.
fn is_partition<'a>(name: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|disk| {
        name.strip_prefix(disk).is_some_and(|rest| {
            let ends_in_digit = disk.ends_with(|c: char| c.is_ascii_digit());
            let number = if ends_in_digit { rest.strip_prefix('p').unwrap_or_default() } else { rest };
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        })
    })
}

#[derive(Debug)]
pub(crate) struct Meter {
    names: Names,
    counters: Counters<5>,
}

impl Meter {
    pub(crate) fn new(names: Names) -> Self {
        Meter { names, counters: Counters::default() }
    }
}

impl Source for Meter {
    fn file(&self) -> &'static str {
        "diskstats"
    }

    fn step(&mut self, text: &str, at: Duration, host: &Host) -> Result<(), Trouble> {
        let mut all = parse(text)?;
        let every: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        all.retain(|(name, _)| {
            self.names.take(name) && (self.names.names(name) || !is_partition(name, every.iter().copied()))
        });
        for gone in self.counters.forget(|name| all.iter().any(|(there, _)| *there == name)) {
            host.retire(&format!("disk.{}", segment(&gone)))?;
        }
        for (name, counts) in all {
            let Some(rates) = self.counters.rates(name, counts, at) else { continue };
            let [reads, sectors_read, writes, sectors_written, ms_busy] = rates;
            let disk = Disk {
                read_bytes_per_s: tenth(sectors_read * SECTOR_BYTES as f64),
                write_bytes_per_s: tenth(sectors_written * SECTOR_BYTES as f64),
                reads_per_s: tenth(reads),
                writes_per_s: tenth(writes),
                busy_pct: percent(ms_busy, 1_000.0),
            };
            host.emit(Sample::new(&format!("disk.{}", segment(name)), "disk", &disk))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    const FIRST: &str = include_str!("../fixtures/diskstats.1");
    const SECOND: &str = include_str!("../fixtures/diskstats.2");

    fn meter(patterns: &[&str]) -> Meter {
        Meter::new(Names(patterns.iter().map(|p| (*p).to_owned()).collect()))
    }

    #[test]
    fn counters_become_rates_of_whole_disks() {
        let test = TestHost::new();
        let mut meter = meter(&["!loop*", "!ram*"]);
        meter.step(FIRST, Duration::from_secs(10), &test.host()).unwrap();
        meter.step(SECOND, Duration::from_secs(12), &test.host()).unwrap();
        let samples = test.samples();
        let topics: Vec<_> = samples.iter().map(|s| s.topic.as_str()).collect();
        assert_eq!(topics, ["disk.nvme0n1", "disk.sda"]);
        let expected = r#"{"read_bytes_per_s":51200.0,"write_bytes_per_s":102400.0,"reads_per_s":5.0,"writes_per_s":10.0,"busy_pct":25.0}"#;
        assert_eq!(samples[0].json, expected);
        assert_eq!(samples[1].value["busy_pct"], 0.0);
    }

    #[test]
    fn partitions_come_when_named_and_disks_may_go() {
        let test = TestHost::new();
        let mut meter = meter(&["nvme0n1p1", "sda"]);
        meter.step(FIRST, Duration::ZERO, &test.host()).unwrap();
        let without = SECOND.lines().filter(|line| !line.contains("sda")).collect::<Vec<_>>().join("\n");
        meter.step(&without, Duration::from_secs(1), &test.host()).unwrap();
        assert_eq!(test.samples()[0].topic, "disk.nvme0n1p1");
        assert_eq!(test.retired(), ["disk.sda"]);
    }

    #[test]
    fn a_busy_counter_that_wraps_is_skipped() {
        let test = TestHost::new();
        let mut meter = meter(&[]);
        let line = |ms: u64| format!("8 0 sda 1 0 8 0 1 0 8 0 0 {ms} 0\n");
        for (second, ms) in [u64::from(u32::MAX), 10, 510].into_iter().enumerate() {
            meter.step(&line(ms), Duration::from_secs(second as u64), &test.host()).unwrap();
        }
        let samples = test.samples();
        assert_eq!((samples.len(), &samples[0].value["busy_pct"]), (1, &serde_json::json!(50.0)));
    }

    #[test]
    fn partitions_are_told_from_disks() {
        let is = |name, disk: &'static str| is_partition(name, [disk].into_iter());
        assert!(is("sda1", "sda") && is("nvme0n1p2", "nvme0n1") && is("mmcblk0p1", "mmcblk0"));
        assert!(
            !is("sda", "sda") && !is("sdaa", "sda") && !is("nvme0n10", "nvme0n1") && !is("dm-10", "dm-1")
        );
    }

    #[test]
    fn malformed_files_are_told() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("8 1 sda1 1 2 3 4\n").unwrap(), [], "old kernels' partitions");
        for bad in ["8 0\n", "8 0 sda x 0 8 0 1 0 8 0 0 5 0\n", "8 0 sda 1 0 -8 0 1 0 8 0 0 5 0\n"] {
            assert!(matches!(parse(bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
    }
}
