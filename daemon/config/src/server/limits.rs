//! `[server.limits]` and `[server.echo_limits]`: how much one peer, and all of them, may take.

use std::time::Duration;

use crate::reader::{duration, integer, size};
use crate::section::{Refusal, Section};

/// `[server.limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest inbound message, in bytes.
    ///
    /// Range 1KiB..=16MiB; default 64KiB: a subscribe of 1,024 topics at their usual length.
    pub message: usize,
    /// Exact topics per connection; what patterns match is not counted.
    ///
    /// Range 1..=65_536; default 1_024.
    pub topics: usize,
    /// Patterns per connection. Each is matched against each new topic.
    ///
    /// Range 0..=1_024; default 32.
    pub patterns: usize,
    /// Commands per second a connection may send for long. As many messages and lists of topics an address may ask for over
    /// HTTP; loopback and unix peers may ask for more, unless a proxy there names the address (`X-Forwarded-For`).
    ///
    /// Range 1..=10_000; default 10.
    pub commands_per_s: u32,
    /// The same at once.
    ///
    /// Range 1..=100_000, at least `commands_per_s`; default 20.
    pub commands_burst: u32,
    /// Connections in all; above it 503 with Retry-After.
    ///
    /// Range 0..=10_000_000; default 0: the descriptor limit less a tenth.
    pub connections: usize,
    /// Connections from one address; loopback and unix peers are exempt.
    ///
    /// Range 1..=1_000_000; default 64: an office behind one address.
    pub connections_per_address: usize,
    /// Time a peer has for its request's head and for the handshake.
    ///
    /// Range 100ms..=5m; default 10s.
    pub handshake: Duration,
}

/// `[server.echo_limits]`, with `echo = true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoLimits {
    /// Largest message, in bytes.
    ///
    /// Range 1KiB..=64MiB; default 17MiB: the Autobahn suite sends 16MiB.
    pub message: usize,
    /// Most fragments of one message.
    ///
    /// Range 1..=1_000_000; default 70_000: the Autobahn suite sends 4MiB in pieces of 64 bytes.
    pub fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message: 64 << 10,
            topics: 1_024,
            patterns: 32,
            commands_per_s: 10,
            commands_burst: 20,
            connections: 0,
            connections_per_address: 64,
            handshake: Duration::from_secs(10),
        }
    }
}

impl Default for EchoLimits {
    fn default() -> Self {
        EchoLimits { message: 17 << 20, fragments: 70_000 }
    }
}

impl Limits {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Limits::default();
        let commands_per_s = section.take("commands_per_s", default.commands_per_s, integer(1..=10_000));
        let burst_default = default.commands_burst.max(commands_per_s);
        let commands_burst = section.take("commands_burst", burst_default, integer(1..=100_000));
        if let Some(node) = section.ask("commands_burst").filter(|_| commands_burst < commands_per_s) {
            let what =
                format!("this is below commands_per_s, {commands_per_s}, which could then never be reached");
            let refusal = Refusal::new(node, what)
                .allowed("commands_per_s or more")
                .change(format!("write {commands_per_s} or more, or lower commands_per_s"));
            section.refuse("commands_burst", refusal);
        }
        Limits {
            message: section.take("message", default.message, size(1 << 10, 16 << 20)),
            topics: section.take("topics", default.topics, integer(1..=65_536)),
            patterns: section.take("patterns", default.patterns, integer(0..=1_024)),
            commands_per_s,
            commands_burst,
            connections: section.take("connections", default.connections, integer(0..=10_000_000)),
            connections_per_address: section.take(
                "connections_per_address",
                default.connections_per_address,
                integer(1..=1_000_000),
            ),
            handshake: section.take(
                "handshake",
                default.handshake,
                duration(Duration::from_millis(100), Duration::from_secs(300)),
            ),
        }
    }
}

impl EchoLimits {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = EchoLimits::default();
        EchoLimits {
            message: section.take("message", default.message, size(1 << 10, 64 << 20)),
            fragments: section.take("fragments", default.fragments, integer(1..=1_000_000)),
        }
    }
}
