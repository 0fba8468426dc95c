//! `memory`: memory and swap, from /proc/meminfo.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::round::percent;
use crate::source::{Source, Trouble, malformed};

/// Memory and swap.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Memory {
    /// All memory.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By", "x-tickerd-decimals" = 0))]
    pub total_bytes: u64,
    /// What programs could still get without swapping.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By", "x-tickerd-decimals" = 0))]
    pub available_bytes: u64,
    /// The rest.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By", "x-tickerd-decimals" = 0))]
    pub used_bytes: u64,
    /// The rest in percent of all.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "%",
        "x-tickerd-decimals" = 1
    ))]
    pub used_pct: f64,
    /// All swap.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By", "x-tickerd-decimals" = 0))]
    pub swap_total_bytes: u64,
    /// Swap in use.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By", "x-tickerd-decimals" = 0))]
    pub swap_used_bytes: u64,
}

fn parse(text: &str) -> Result<Memory, Trouble> {
    let bytes = |key: &str| -> Result<u64, Trouble> {
        let line = text.lines().find(|line| line.split(':').next() == Some(key));
        let kib = line
            .and_then(|line| line.split_once(':'))
            .and_then(|(_, rest)| rest.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse::<u64>().ok())
            .ok_or_else(|| malformed(&format!("`{key}: … kB`"), line.unwrap_or_default()))?;
        Ok(kib.saturating_mul(1024))
    };
    let total = bytes("MemTotal")?;
    // Kernels before 3.14 have no MemAvailable. The sum of what is free or cached comes near it.
    let available = bytes("MemAvailable").or_else(|_| -> Result<u64, Trouble> {
        Ok(bytes("MemFree")?.saturating_add(bytes("Buffers")?).saturating_add(bytes("Cached")?))
    })?;
    let used = total.saturating_sub(available);
    let swap_total = bytes("SwapTotal").unwrap_or(0);
    Ok(Memory {
        total_bytes: total,
        available_bytes: available.min(total),
        used_bytes: used,
        used_pct: percent(used as f64, total as f64),
        swap_total_bytes: swap_total,
        swap_used_bytes: swap_total.saturating_sub(bytes("SwapFree").unwrap_or(swap_total)),
    })
}

#[derive(Debug)]
pub(crate) struct Meter;

impl Source for Meter {
    fn file(&self) -> &'static str {
        "meminfo"
    }

    fn step(&mut self, text: &str, _: Duration, host: &Host) -> Result<(), Trouble> {
        host.emit(Sample::new("memory", "memory", &parse(text)?))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_become_bytes() {
        let memory = parse(include_str!("../fixtures/meminfo")).unwrap();
        let expected = Memory {
            total_bytes: 8_000_000 * 1024,
            available_bytes: 6_000_000 * 1024,
            used_bytes: 2_000_000 * 1024,
            used_pct: 25.0,
            swap_total_bytes: 2_000_000 * 1024,
            swap_used_bytes: 500_000 * 1024,
        };
        assert_eq!(memory, expected);
    }

    #[test]
    fn old_kernels_have_no_available() {
        let text = "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 25 kB\n";
        let memory = parse(text).unwrap();
        assert_eq!((memory.available_bytes, memory.used_pct), (40 * 1024, 60.0));
        assert_eq!((memory.swap_total_bytes, memory.swap_used_bytes), (0, 0));
    }

    #[test]
    fn malformed_files_are_told() {
        for bad in
            ["", "MemTotal: many kB", "MemTotal: 5", "MemTotal: -5 kB", "MemTotal: 5 kB\nMemFree: 1 kB"]
        {
            assert!(matches!(parse(bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
        let Err(Trouble::Malformed(reason)) = parse("MemTotal: many kB") else { panic!("told") };
        assert_eq!(reason, "expected `MemTotal: … kB`, found `MemTotal: many kB`");
    }
}
