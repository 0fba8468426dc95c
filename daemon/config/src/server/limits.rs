//! `[server.limits]` and `[server.echo_limits]`: how much one peer, and all peers together, may use.

use std::time::Duration;

use crate::document::{Node, Value};
use crate::problem::Code;
use crate::reader::{Read, duration, integer, list, or_off, size, word};
use crate::section::{Refusal, Section};

/// The limits that may stand in `dry_run`. The others bound what the daemon keeps in memory.
pub const DRY_RUN: [&str; 8] = [
    "connections",
    "connections_per_address",
    "connections_per_user",
    "connections_unidentified",
    "handshakes_per_s",
    "commands_per_s",
    "history_bytes_per_s",
    "memory",
];

/// `[server.limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest inbound message, in bytes.
    ///
    /// Range 1KiB..=16MiB; default 64KiB: a subscribe of 1,024 topics at their usual length.
    pub message: usize,
    /// Exact topics per connection. Topics matched by patterns are not counted.
    ///
    /// Range 1..=65_536; default 1_024.
    pub topics: usize,
    /// Patterns per connection. Each is matched against each new topic.
    ///
    /// Range 0..=1_024; default 32.
    pub patterns: usize,
    /// Commands per second that a connection may send in the long run. An address may ask for as many messages and
    /// lists of topics over HTTP; loopback and unix peers may ask for more, unless a proxy there names the address
    /// (`X-Forwarded-For`).
    ///
    /// Range 1..=10_000; default 10.
    pub commands_per_s: u32,
    /// Commands that a connection may send at once.
    ///
    /// Range 1..=100_000, at least `commands_per_s`; default 20.
    pub commands_burst: u32,
    /// Bytes of history and bars that one address may fetch per second in the long run, over HTTP and WebSockets
    /// together, and ten times as many after a while without. Loopback and unix peers are exempt.
    ///
    /// Range 64KiB..=1GiB; default 8MiB.
    pub history_bytes_per_s: usize,
    /// Most connections in total. Above it, new ones get 503 with Retry-After.
    ///
    /// Range 0..=10_000_000; default 0, which means the descriptor limit less a tenth.
    pub connections: usize,
    /// Most connections from one address. Loopback and unix peers are exempt.
    ///
    /// Range 1..=1_000_000; default 64, for an office behind one address.
    pub connections_per_address: usize,
    /// Most WebSockets and event streams of one user, on all addresses together. Needs `[auth]`.
    ///
    /// Range 1..=1_000_000; default 64.
    pub connections_per_user: usize,
    /// Most WebSockets whose clients may do nothing before they have said who they are. Needs `[auth]`.
    ///
    /// Range 1..=10_000_000; default 1_000.
    pub connections_unidentified: usize,
    /// New connections per second in the long run, and at once after a quiet second. Above it, new ones wait in the
    /// kernel's queue.
    ///
    /// Range 1..=1_000_000; default 500: with 4,096 in the queue, the last of them waits for 8 s.
    pub handshakes_per_s: u32,
    /// Part of the cgroup's memory limit from which on new connections get 503 with Retry-After, in percent. `None`:
    /// memory is not looked at, as when there is no such limit.
    ///
    /// Range 10%..=99%; default 90%.
    pub memory: Option<u8>,
    /// Bytes that may wait for a client which does not read: of answers and direct messages, and of ticks that it gets
    /// every one of.
    ///
    /// Range 64KiB..=64MiB; default 1MiB.
    pub pending: usize,
    /// Limits that are counted and not enforced, each one of [`DRY_RUN`]; default none.
    pub dry_run: Vec<&'static str>,
    /// Time in which a peer must send its request's head and finish the handshake.
    ///
    /// Range 100ms..=5m; default 10s.
    pub handshake: Duration,
}

/// `[server.echo_limits]`, with `echo = true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoLimits {
    /// Largest message on `/echo`, in bytes.
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
            history_bytes_per_s: 8 << 20,
            connections: 0,
            connections_per_address: 64,
            connections_per_user: 64,
            connections_unidentified: 1_000,
            handshakes_per_s: 500,
            memory: Some(90),
            pending: 1 << 20,
            dry_run: Vec::new(),
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
        let commands_burst = section.take("commands_burst", burst_default, |node| {
            // What is offered in place of another slip is no less than what is needed.
            integer(1..=100_000)(node).or_else(|_| integer(commands_per_s..=100_000)(node))
        });
        if let Some(node) = section.ask("commands_burst").filter(|_| commands_burst < commands_per_s) {
            let what =
                format!("this is below commands_per_s, {commands_per_s}, which could then never be reached");
            let refusal = Refusal::new(node, what)
                .code(Code::Conflict)
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
            history_bytes_per_s: section.take(
                "history_bytes_per_s",
                default.history_bytes_per_s,
                size(64 << 10, 1 << 30),
            ),
            connections: section.take("connections", default.connections, integer(0..=10_000_000)),
            connections_per_address: section.take(
                "connections_per_address",
                default.connections_per_address,
                integer(1..=1_000_000),
            ),
            connections_per_user: section.take(
                "connections_per_user",
                default.connections_per_user,
                integer(1..=1_000_000),
            ),
            connections_unidentified: section.take(
                "connections_unidentified",
                default.connections_unidentified,
                integer(1..=10_000_000),
            ),
            handshakes_per_s: section.take(
                "handshakes_per_s",
                default.handshakes_per_s,
                integer(1..=1_000_000),
            ),
            memory: section.take("memory", default.memory, or_off(percent)),
            pending: section.take("pending", default.pending, size(64 << 10, 64 << 20)),
            dry_run: section.take("dry_run", default.dry_run, |node| list(node, dry_run)),
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

/// A limit that may stand in `dry_run`.
fn dry_run(node: &Node) -> Read<&'static str> {
    static WORDS: [(&str, &str); DRY_RUN.len()] = words();
    word(&WORDS)(node)
}

const fn words() -> [(&'static str, &'static str); DRY_RUN.len()] {
    let mut words = [("", ""); DRY_RUN.len()];
    let mut at = 0;
    while at < DRY_RUN.len() {
        words[at] = (DRY_RUN[at], DRY_RUN[at]);
        at += 1;
    }
    words
}

/// `"90%"`: a whole number from 10 to 99.
fn percent(node: &Node) -> Read<u8> {
    let text = match &node.value {
        Value::String(text) | Value::Text(text) => text.trim(),
        Value::Integer(digits, 10) => digits,
        _ => "",
    };
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    if let Some(number) = number.filter(|number| (10..=99).contains(number)) {
        return Ok(number);
    }
    let bare = text.trim_end_matches(['%', ' ']).parse::<u8>().ok();
    let instead = bare.map_or(90, |number| number.clamp(10, 99));
    let code = if number.is_some() { Code::OutOfRange } else { Code::WrongUnit };
    let what = match (number, bare) {
        (Some(_), _) => "this is not between 10% and 99%",
        (None, Some(_)) => "a part of the memory limit carries its unit, with no space",
        (None, None) => "this is no part of the memory limit",
    };
    Err(vec![
        Refusal::new(node, what)
            .code(code)
            .allowed("a whole number of percent from \"10%\" to \"99%\"")
            .change(format!("write \"{instead}%\"")),
    ])
}
