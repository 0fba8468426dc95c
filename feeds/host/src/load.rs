//! `load`: load averages and tasks, from /proc/loadavg.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::source::{Source, Trouble, malformed};

/// Tasks that run or wait for a disk, averaged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Load {
    /// Over one minute.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "{tasks}",
        "x-tickerd-decimals" = 2
    ))]
    pub load_1m: f64,
    /// Over five minutes.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{tasks}", "x-tickerd-decimals" = 2))]
    pub load_5m: f64,
    /// Over fifteen minutes.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{tasks}", "x-tickerd-decimals" = 2))]
    pub load_15m: f64,
    /// Tasks that can run now.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{tasks}", "x-tickerd-decimals" = 0))]
    pub runnable: u64,
    /// All tasks, threads included.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "{tasks}", "x-tickerd-decimals" = 0))]
    pub tasks: u64,
}

fn parse(text: &str) -> Result<Load, Trouble> {
    let read = || {
        let mut words = text.split_ascii_whitespace();
        let mut average =
            || words.next()?.parse::<f64>().ok().filter(|load| load.is_finite() && *load >= 0.0);
        let (load_1m, load_5m, load_15m) = (average()?, average()?, average()?);
        let (runnable, tasks) = words.next()?.split_once('/')?;
        Some(Load {
            load_1m,
            load_5m,
            load_15m,
            runnable: runnable.parse().ok()?,
            tasks: tasks.parse().ok()?,
        })
    };
    read().ok_or_else(|| malformed("`0.20 0.18 0.12 1/80 11206`", text.trim_end()))
}

#[derive(Debug)]
pub(crate) struct Meter;

impl Source for Meter {
    fn file(&self) -> &'static str {
        "loadavg"
    }

    fn step(&mut self, text: &str, _: Duration, host: &Host) -> Result<(), Trouble> {
        host.emit(Sample::new("load", "load", &parse(text)?))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_and_tasks() {
        let load = parse(include_str!("../fixtures/loadavg")).unwrap();
        assert_eq!(load, Load { load_1m: 0.66, load_5m: 0.16, load_15m: 0.05, runnable: 2, tasks: 91 });
    }

    #[test]
    fn malformed_files_are_told() {
        for bad in ["", "0.1 0.2", "a b c 1/2 3", "0.1 0.2 0.3 12 3", "0.1 0.2 0.3 1/x 3", "NaN 0 0 1/2 3"] {
            assert!(matches!(parse(bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
    }
}
