//! `cpu`, `cpu.0` …: how processors spend their time, from /proc/stat.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::round::percent;
use crate::source::{Source, Trouble, malformed};

/// How a processor, or all of them, spent the time since the last value, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cpu {
    /// Everything but idling and waiting for disks.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "%",
        "x-tickerd-decimals" = 1
    ))]
    pub busy_pct: f64,
    /// Programs, guests and niced ones included.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 1))]
    pub user_pct: f64,
    /// The kernel, interrupts included.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 1))]
    pub system_pct: f64,
    /// Idle with a disk request under way.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 1))]
    pub iowait_pct: f64,
    /// Taken by the hypervisor for others.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 1))]
    pub steal_pct: f64,
}

/// Time spent since boot, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    user: u64,
    system: u64,
    idle: u64,
    iowait: u64,
    steal: u64,
}

/// Times by topic: `cpu` and `cpu.N`.
fn parse(text: &str) -> Result<BTreeMap<String, Times>, Trouble> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("cpu")) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = name.strip_prefix("cpu").unwrap_or_default();
        let ticks: Vec<u64> = rest.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
        // user nice system idle iowait irq softirq [steal [guest [guest_nice]]]; guests count as user already
        let (&[user, nice, system, idle, iowait, irq, softirq], more) =
            ticks.split_first_chunk::<7>().ok_or_else(|| malformed("`cpuN` and seven numbers", line))?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed("`cpu` and a number", line));
        }
        let topic = if number.is_empty() { "cpu".to_owned() } else { format!("cpu.{number}") };
        let times = Times {
            user: user.saturating_add(nice),
            system: system.saturating_add(irq).saturating_add(softirq),
            idle,
            iowait,
            steal: more.first().copied().unwrap_or(0),
        };
        all.insert(topic, times);
    }
    if all.contains_key("cpu") { Ok(all) } else { Err(malformed("a line `cpu …`", text)) }
}

/// How the time between two readings was spent. `None` if no time passed or a counter was reset.
fn between(before: Times, now: Times) -> Option<Cpu> {
    let user = now.user.checked_sub(before.user)? as f64;
    let system = now.system.checked_sub(before.system)? as f64;
    let steal = now.steal.checked_sub(before.steal)? as f64;
    // proc(5): iowait may decrease, and idle does on processors that come and go. That is not a reset.
    let idle = now.idle.saturating_sub(before.idle) as f64;
    let iowait = now.iowait.saturating_sub(before.iowait) as f64;
    let busy = user + system + steal;
    let all = busy + idle + iowait;
    (all > 0.0).then(|| Cpu {
        busy_pct: percent(busy, all),
        user_pct: percent(user, all),
        system_pct: percent(system, all),
        iowait_pct: percent(iowait, all),
        steal_pct: percent(steal, all),
    })
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    last: BTreeMap<String, Times>,
}

impl Source for Meter {
    fn file(&self) -> &'static str {
        "stat"
    }

    fn step(&mut self, text: &str, _: Duration, host: &Host) -> Result<(), Trouble> {
        let all = parse(text)?;
        for topic in self.last.keys().filter(|topic| !all.contains_key(*topic)) {
            host.retire(topic)?;
        }
        let last = std::mem::replace(&mut self.last, all);
        for (topic, now) in &self.last {
            if let Some(cpu) = last.get(topic).and_then(|before| between(*before, *now)) {
                host.emit(Sample::new(topic, "cpu", &cpu))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    const FIRST: &str = include_str!("../fixtures/stat.1");
    const SECOND: &str = include_str!("../fixtures/stat.2");

    #[test]
    fn times_become_percent() {
        let test = TestHost::new();
        let mut meter = Meter::default();
        meter.step(FIRST, Duration::ZERO, &test.host()).unwrap();
        meter.step(SECOND, Duration::ZERO, &test.host()).unwrap();
        let samples = test.samples();
        assert_eq!(samples.iter().map(|s| s.topic.as_str()).collect::<Vec<_>>(), ["cpu", "cpu.0", "cpu.1"]);
        assert_eq!(
            samples[0].json,
            r#"{"busy_pct":45.0,"user_pct":30.0,"system_pct":10.0,"iowait_pct":5.0,"steal_pct":5.0}"#
        );
        assert_eq!(samples[2].value["busy_pct"], 0.0);
    }

    #[test]
    fn a_processor_that_is_gone_ends_its_topic() {
        let test = TestHost::new();
        let mut meter = Meter::default();
        meter.step(FIRST, Duration::ZERO, &test.host()).unwrap();
        let without = SECOND.lines().filter(|line| !line.starts_with("cpu1")).collect::<Vec<_>>().join("\n");
        meter.step(&without, Duration::ZERO, &test.host()).unwrap();
        assert_eq!(test.retired(), ["cpu.1"]);
        assert_eq!(test.samples().len(), 2);
    }

    #[test]
    fn resets_are_skipped_and_iowait_may_fall() {
        let times = |user, idle, iowait| Times { user, system: 0, idle, iowait, steal: 0 };
        assert_eq!(between(times(10, 0, 0), times(5, 100, 0)), None, "reset");
        assert_eq!(between(times(10, 10, 0), times(10, 10, 0)), None, "no time passed");
        assert_eq!(between(times(0, 0, 9), times(1, 1, 7)).unwrap().busy_pct, 50.0);
    }

    #[test]
    fn old_kernels_and_malformed_files() {
        let old = parse("cpu  1 2 3 4 5 6 7\n").unwrap();
        assert_eq!(old["cpu"], Times { user: 3, system: 16, idle: 4, iowait: 5, steal: 0 });
        for bad in [
            "",
            "cpu\n",
            "cpu  1 2 3\n",
            "cpu0 1 2 3 4 5 6 7\n",
            "cpu  1 2 x 4 5 6 7\n",
            "cpux 1 2 3 4 5 6 7",
        ] {
            assert!(matches!(parse(bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
    }
}
