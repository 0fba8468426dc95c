//! `uptime`: time since boot, from /proc/uptime.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::source::{Source, Trouble, malformed};

/// Time since boot.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Uptime {
    /// Seconds since boot, sleep included.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "counter", "x-tickerd-unit" = "s",
        "x-tickerd-decimals" = 2
    ))]
    pub uptime_s: f64,
}

fn parse(text: &str) -> Result<Uptime, Trouble> {
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    match first.parse::<f64>() {
        Ok(uptime_s) if uptime_s.is_finite() && uptime_s >= 0.0 => Ok(Uptime { uptime_s }),
        _ => Err(malformed("`12345.67 …`", text.trim_end())),
    }
}

#[derive(Debug)]
pub(crate) struct Meter;

impl Source for Meter {
    fn file(&self) -> &'static str {
        "uptime"
    }

    fn step(&mut self, text: &str, _: Duration, host: &Host) -> Result<(), Trouble> {
        host.emit(Sample::new("uptime", "uptime", &parse(text)?))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_since_boot() {
        assert_eq!(parse(include_str!("../fixtures/uptime")).unwrap(), Uptime { uptime_s: 12_345.67 });
        for bad in ["", "soon", "-1 2", "inf 2"] {
            assert!(matches!(parse(bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
    }
}
