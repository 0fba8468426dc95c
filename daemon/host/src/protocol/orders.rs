//! What tickerd writes to a feed's process: a setup, and then orders.

use serde::{Deserialize, Serialize};

use crate::protocol::lines::TFP;

/// The first line: everything a feed needs to know. The configuration is in it, so that it is in no argument, which everyone
/// on the machine could read.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Setup {
    /// Protocol version.
    pub tfp: u32,
    /// tickerd's version.
    pub host: String,
    /// The feed's configured name.
    pub instance: String,
    /// Time between two pushes, in milliseconds.
    pub interval_ms: u64,
    /// Most topics it may have.
    pub topics_max: usize,
    /// Its own configuration.
    pub config: serde_json::Value,
    /// The feed says hello, and waits with its work for [`Order::Go`]. Only `feed-host` knows this; programs ignore it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// The feed only says whether its configuration is right, and ends. Only programs of tickerd itself know this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

impl Setup {
    /// A setup as this tickerd writes it, with neither `hold` nor `check`.
    pub fn new(
        instance: &str,
        interval: std::time::Duration,
        topics_max: usize,
        config: serde_json::Value,
    ) -> Setup {
        Setup {
            tfp: TFP,
            host: env!("CARGO_PKG_VERSION").into(),
            instance: instance.into(),
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            topics_max,
            config,
            hold: false,
            check: false,
        }
    }

    /// One line with its newline.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }

    /// Reads the first line.
    ///
    /// # Errors
    /// It is no setup.
    pub fn parse(line: &[u8]) -> Result<Setup, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// A later line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Do the poll of this number, and return within the deadline.
    Poll { poll: u64, deadline_ms: u64 },
    /// Make the poll that runs return.
    Interrupt,
    /// Begin the work that `hold` kept back.
    Go,
    /// Stop. Standard input is closed after this line.
    Stop,
    /// A line that this version does not know.
    Unknown,
}

#[derive(Default, Deserialize, Serialize)]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interrupt: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    go: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop: Option<bool>,
}

impl Order {
    /// One line with its newline.
    pub fn line(self) -> Vec<u8> {
        line(&match self {
            Order::Poll { poll, deadline_ms } => {
                Wire { poll: Some(poll), deadline_ms: Some(deadline_ms), ..Wire::default() }
            }
            Order::Interrupt => Wire { interrupt: Some(true), ..Wire::default() },
            Order::Go => Wire { go: Some(true), ..Wire::default() },
            Order::Stop => Wire { stop: Some(true), ..Wire::default() },
            Order::Unknown => Wire::default(),
        })
    }

    /// Reads one line. A line that is not understood is [`Order::Unknown`]: a newer tickerd may write more.
    pub fn parse(line: &[u8]) -> Order {
        match serde_json::from_slice::<Wire>(line) {
            Ok(Wire { stop: Some(true), .. }) => Order::Stop,
            Ok(Wire { poll: Some(poll), deadline_ms, .. }) => {
                Order::Poll { poll, deadline_ms: deadline_ms.unwrap_or(0) }
            }
            Ok(Wire { interrupt: Some(true), .. }) => Order::Interrupt,
            Ok(Wire { go: Some(true), .. }) => Order::Go,
            _ => Order::Unknown,
        }
    }
}

fn line(what: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(what).expect("strings, numbers and JSON values always serialise");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn orders_read_back_as_written() {
        let poll = Order::Poll { poll: 17, deadline_ms: 900 };
        for order in [poll, Order::Interrupt, Order::Go, Order::Stop, Order::Unknown] {
            assert_eq!(Order::parse(&order.line()), order);
        }
        assert_eq!(Order::Stop.line(), b"{\"stop\":true}\n");
        let setup = Setup::new("nyse", Duration::from_secs(1), 10, serde_json::json!({"symbols": ["A\nB"]}));
        assert_eq!(setup.line().iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(Setup::parse(&setup.line()).unwrap(), setup);
    }
}
