//! The other direction of the line protocol: what tickerd writes to a feed's process.

use serde::{Deserialize, Serialize};

use crate::protocol::lines::TFP;

/// The first line: everything a feed needs to know, so that its configuration lives in one file and in no argument.
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
    /// It is to say that it is ready, and to wait with its work for [`Order::Go`]: another one still does it. Of libraries
    /// alone; a program knows nothing of this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// It is to say whether its configuration is right, and to end. Of tickerd's own programs; see [`crate::feed::dry_run`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

impl Setup {
    /// As this tickerd says it.
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

    /// Reads the first line. Errors when it is not one.
    pub fn parse(line: &[u8]) -> Result<Setup, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// Every later line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Poll now.
    Poll { poll: u64, deadline_ms: u64 },
    /// Let the poll that runs return.
    Interrupt,
    /// Begin the work that was held back.
    Go,
    /// Stop; standard input closes behind it.
    Stop,
    /// Nothing this version knows.
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

    /// Reads one line. What is not understood is [`Order::Unknown`]: a newer tickerd may say more.
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
