//! `net.<interface>`: traffic of network interfaces, from /proc/net/dev.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Host, Sample};

use crate::counters::Counters;
use crate::names::Names;
use crate::round::tenth;
use crate::source::{Source, Trouble, malformed, segment};

/// An interface's traffic since the last value, per second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Net {
    /// Bytes received.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "By/s",
        "x-tickerd-decimals" = 1
    ))]
    pub rx_bytes_per_s: f64,
    /// Bytes sent.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "By/s", "x-tickerd-decimals" = 1))]
    pub tx_bytes_per_s: f64,
    /// Packets received.
    #[schemars(extend(
        "x-tickerd-role" = "gauge", "x-tickerd-unit" = "{packets}/s", "x-tickerd-decimals" = 1
    ))]
    pub rx_packets_per_s: f64,
    /// Packets sent.
    #[schemars(extend(
        "x-tickerd-role" = "gauge", "x-tickerd-unit" = "{packets}/s", "x-tickerd-decimals" = 1
    ))]
    pub tx_packets_per_s: f64,
    /// Packets that arrived damaged.
    #[schemars(extend(
        "x-tickerd-role" = "gauge", "x-tickerd-unit" = "{packets}/s", "x-tickerd-decimals" = 1
    ))]
    pub rx_errors_per_s: f64,
    /// Packets that could not be sent.
    #[schemars(extend(
        "x-tickerd-role" = "gauge", "x-tickerd-unit" = "{packets}/s", "x-tickerd-decimals" = 1
    ))]
    pub tx_errors_per_s: f64,
}

/// Received bytes, packets, errors; sent bytes, packets, errors.
type Counts = [u64; 6];

fn parse(text: &str) -> Result<Vec<(&str, Counts)>, Trouble> {
    let mut all = Vec::new();
    if !text.starts_with("Inter-|") {
        return Err(malformed("the heading `Inter-| …`", text.lines().next().unwrap_or_default()));
    }
    for line in text.lines().skip(2).filter(|line| !line.trim().is_empty()) {
        // An alias has a colon of its own (`eth0:1`), so the name ends at the last colon.
        let (name, rest) = line.rsplit_once(':').ok_or_else(|| malformed("`name: counters`", line))?;
        let counts: Vec<u64> = rest.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
        // received: bytes packets errs drop fifo frame compressed multicast; sent: the same eight, nearly
        let &[rx_bytes, rx_packets, rx_errors, _, _, _, _, _, tx_bytes, tx_packets, tx_errors, ..] =
            counts.as_slice()
        else {
            return Err(malformed("sixteen counters", line));
        };
        all.push((name.trim(), [rx_bytes, rx_packets, rx_errors, tx_bytes, tx_packets, tx_errors]));
    }
    Ok(all)
}

#[derive(Debug)]
pub(crate) struct Meter {
    names: Names,
    counters: Counters<6>,
}

impl Meter {
    pub(crate) fn new(names: Names) -> Self {
        Meter { names, counters: Counters::default() }
    }
}

impl Source for Meter {
    fn file(&self) -> &'static str {
        "net/dev"
    }

    fn step(&mut self, text: &str, at: Duration, host: &Host) -> Result<(), Trouble> {
        let mut all = parse(text)?;
        all.retain(|(name, _)| self.names.take(name));
        all.sort_unstable(); // the kernel's order is that of creation
        for gone in self.counters.forget(|name| all.iter().any(|(there, _)| *there == name)) {
            host.retire(&format!("net.{}", segment(&gone)))?;
        }
        for (name, counts) in all {
            let Some(rates) = self.counters.rates(name, counts, at) else { continue };
            let [rx_bytes, rx_packets, rx_errors, tx_bytes, tx_packets, tx_errors] = rates.map(tenth);
            let net = Net {
                rx_bytes_per_s: rx_bytes,
                tx_bytes_per_s: tx_bytes,
                rx_packets_per_s: rx_packets,
                tx_packets_per_s: tx_packets,
                rx_errors_per_s: rx_errors,
                tx_errors_per_s: tx_errors,
            };
            host.emit(Sample::new(&format!("net.{}", segment(name)), "net", &net))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    const FIRST: &str = include_str!("../fixtures/net_dev.1");
    const SECOND: &str = include_str!("../fixtures/net_dev.2");

    #[test]
    fn counters_become_rates() {
        let test = TestHost::new();
        let mut meter = Meter::new(Names(vec!["eth0".to_owned()]));
        meter.step(FIRST, Duration::from_secs(1), &test.host()).unwrap();
        meter.step(SECOND, Duration::from_secs(3), &test.host()).unwrap();
        let samples = test.samples();
        assert_eq!((samples.len(), samples[0].topic.as_str()), (1, "net.eth0"));
        assert_eq!(
            samples[0].value,
            serde_json::json!({"rx_bytes_per_s": 1000.0, "tx_bytes_per_s": 250.0, "rx_packets_per_s": 10.0,
                "tx_packets_per_s": 2.5, "rx_errors_per_s": 0.5, "tx_errors_per_s": 0.0})
        );
    }

    #[test]
    fn an_interface_that_is_gone_or_reset() {
        let test = TestHost::new();
        let mut meter = Meter::new(Names::default());
        meter.step(SECOND, Duration::from_secs(1), &test.host()).unwrap();
        meter.step(FIRST, Duration::from_secs(2), &test.host()).unwrap();
        assert!(
            test.samples().iter().all(|s| s.topic == "net.lo"),
            "counters went backwards: {:?}",
            test.samples()
        );
        let heading: Vec<_> = FIRST.lines().take(2).collect();
        meter.step(&heading.join("\n"), Duration::from_secs(3), &test.host()).unwrap();
        assert_eq!(test.retired(), ["net.eth0", "net.eth0_100", "net.lo"]);
    }

    #[test]
    fn malformed_files_are_told() {
        let under = |line: &str| format!("Inter-|\n face |\n{line}\n");
        assert_eq!(parse(&under("a:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")).unwrap()[0].0, "a:1");
        assert_eq!(parse(&under("eth0:1 2 3 4 5 6 7 8 9 10 11")).unwrap()[0].1, [1, 2, 3, 9, 10, 11]);
        for bad in
            [String::new(), "eth0: 1".to_owned(), under("eth0 1 2 3"), under("eth0: 1 2 x"), under(":")]
        {
            assert!(matches!(parse(&bad), Err(Trouble::Malformed(_))), "{bad:?}");
        }
    }
}
