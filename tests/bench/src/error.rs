//! What can end a run early, and what to change.

use std::{fmt, io, path::PathBuf, time::Duration};

#[derive(Debug)]
pub enum Error {
    /// No release daemon where one was expected.
    NoDaemon {
        path: PathBuf,
    },
    /// No release build of the flooding plugin beside the daemon.
    NoFlood {
        path: PathBuf,
    },
    /// A process could not be started.
    Start {
        what: &'static str,
        source: io::Error,
    },
    /// A server ended, or said nothing useful, before it was ready; `log` is the end of what it said.
    NotReady {
        what: &'static str,
        reason: String,
        log: String,
    },
    /// Not all subscribers were served in time.
    NotServed {
        wanted: usize,
        served: usize,
        waited: Duration,
    },
    /// A server answered a handshake or command with something else than was asked.
    Refused {
        answer: String,
    },
    /// A server closed connections that it should have kept.
    Closed {
        count: usize,
    },
    /// A subscriber that wants every tick got another than the next.
    NotWhole {
        why: String,
    },
    /// Not all replays came to their end.
    NotReplayed {
        wanted: usize,
        replayed: usize,
        waited: Duration,
    },
    /// Nothing, or far too little, arrived while it was measured.
    Starved {
        scenario: char,
        arrived: u64,
        expected: u64,
    },
    /// A metric was missing from `/metrics`.
    NoMetric {
        name: &'static str,
    },
    /// Fewer clients than asked for fell behind.
    NotStalled {
        wanted: usize,
        lagging: f64,
    },
    /// More sockets are needed than the hard limit of descriptors allows.
    Descriptors {
        wanted: u64,
        limit: u64,
    },
    Io {
        what: &'static str,
        source: io::Error,
    },
}

impl Error {
    pub fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDaemon { path } => write!(
                f,
                "no daemon at {}: build it with `cargo build --release -p tickerd`, or name one with --daemon",
                path.display()
            ),
            Self::NoFlood { path } => write!(
                f,
                "no plugin at {}: build it with `cargo build --release -p tickerd-feed-flood`",
                path.display()
            ),
            Self::Start { what, source } => write!(f, "the {what} did not start: {source}"),
            Self::NotReady { what, reason, log } => write!(f, "the {what} is not ready: {reason}\n{log}"),
            Self::NotServed { wanted, served, waited } => {
                write!(f, "only {served} of {wanted} subscribers were served within {waited:?}")
            }
            Self::Refused { answer } => write!(f, "the server refused a subscriber: {answer:?}"),
            Self::Closed { count } => {
                write!(f, "the server closed {count} connections while it was measured")
            }
            Self::NotWhole { why } => write!(f, "a subscriber did not get every tick in order: {why}"),
            Self::NotReplayed { wanted, replayed, waited } => {
                write!(f, "only {replayed} of {wanted} recoveries were through within {waited:?}")
            }
            Self::Starved { scenario, arrived, expected } => write!(
                f,
                "scenario {scenario}: {arrived} messages arrived of {expected}; the figures would mean nothing. \
                 Is the machine otherwise idle?"
            ),
            Self::NoMetric { name } => write!(f, "/metrics has no {name}"),
            Self::NotStalled { wanted, lagging } => {
                write!(f, "{wanted} clients stopped reading, but the daemon counts {lagging} as lagging")
            }
            Self::Descriptors { wanted, limit } => write!(
                f,
                "{wanted} descriptors are needed and the hard limit is {limit}: raise it with `ulimit -Hn {wanted}`"
            ),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}
