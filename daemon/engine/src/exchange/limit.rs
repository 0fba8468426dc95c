//! The limits of `[server.limits]` as they are counted, and who is given leave to go over them (`dry_run`).

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// What an address is told that has fetched too much of the past.
pub const PAST_SPENT: &str =
    "your address has fetched as much of the past as it may for now; wait, or ask for fewer ticks or bars";

/// A limit that someone can meet. `tickerd_limit_total` has a series of each from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Connections,
    ConnectionsPerAddress,
    ConnectionsPerUser,
    ConnectionsUnidentified,
    HandshakesPerS,
    CommandsPerS,
    HistoryBytesPerS,
    Memory,
    /// The descriptors that the system gives this process.
    Descriptors,
    /// The size of a client's message.
    Message,
    /// What waits for a client that does not read.
    Pending,
}

impl Limit {
    const ALL: [Limit; 11] = [
        Limit::Connections,
        Limit::ConnectionsPerAddress,
        Limit::ConnectionsPerUser,
        Limit::ConnectionsUnidentified,
        Limit::HandshakesPerS,
        Limit::CommandsPerS,
        Limit::HistoryBytesPerS,
        Limit::Memory,
        Limit::Descriptors,
        Limit::Message,
        Limit::Pending,
    ];

    /// As the configuration and the metric call it.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::ConnectionsPerAddress => "connections_per_address",
            Limit::ConnectionsPerUser => "connections_per_user",
            Limit::ConnectionsUnidentified => "connections_unidentified",
            Limit::HandshakesPerS => "handshakes_per_s",
            Limit::CommandsPerS => "commands_per_s",
            Limit::HistoryBytesPerS => "history_bytes_per_s",
            Limit::Memory => "memory",
            Limit::Descriptors => "descriptors",
            Limit::Message => "message",
            Limit::Pending => "pending",
        }
    }
}

/// Counts how often each limit was met, and knows which are enforced.
#[derive(Debug)]
pub struct Tally {
    /// By the place of the limit.
    rows: [Row; Limit::ALL.len()],
}

#[derive(Debug)]
struct Row {
    enforced: IntCounter,
    dry: IntCounter,
    is_dry: AtomicBool,
}

impl Tally {
    /// Registers `tickerd_limit_total{limit,action}`. The limits of these names are not enforced.
    pub fn new(registry: &Registry, dry_run: &[&str]) -> Result<Tally, prometheus::Error> {
        let opts = Opts::new(
            "tickerd_limit_total",
            "Times that a limit was met: enforced, or only counted because it stands in dry_run.",
        );
        let counters = IntCounterVec::new(opts, &["limit", "action"])?;
        registry.register(Box::new(counters.clone()))?;
        let rows = Limit::ALL.map(|limit| Row {
            enforced: counters.with_label_values(&[limit.name(), "enforced"]),
            dry: counters.with_label_values(&[limit.name(), "dry_run"]),
            is_dry: AtomicBool::new(dry_run.contains(&limit.name())),
        });
        Ok(Tally { rows })
    }

    /// The limits of these names are not enforced from now on, and all others are.
    pub fn set_dry_run(&self, dry_run: &[&str]) {
        for (limit, row) in Limit::ALL.iter().zip(&self.rows) {
            row.is_dry.store(dry_run.contains(&limit.name()), Ordering::Relaxed);
        }
    }

    /// Someone is over this limit. Counts that; true if the limit is to be enforced.
    pub fn enforce(&self, limit: Limit) -> bool {
        let Some(row) = self.rows.get(limit as usize) else { return true };
        let is_dry = row.is_dry.load(Ordering::Relaxed);
        if is_dry { &row.dry } else { &row.enforced }.inc();
        !is_dry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_place_and_its_name_and_dry_ones_are_only_counted() {
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, at, "{limit:?}");
        }
        for name in tickerd_config::DRY_RUN {
            let registry = Registry::new();
            let tally = Tally::new(&registry, &[name]).unwrap();
            let dry: Vec<_> = Limit::ALL.into_iter().filter(|limit| !tally.enforce(*limit)).collect();
            assert_eq!(dry.iter().map(|limit| limit.name()).collect::<Vec<_>>(), [name]);
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            assert!(text.contains(&format!("{{action=\"dry_run\",limit=\"{name}\"}} 1\n")), "{text}");
            assert!(text.contains(&format!("{{action=\"enforced\",limit=\"{name}\"}} 0\n")), "{text}");
        }
    }
}
