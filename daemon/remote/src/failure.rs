//! What can go wrong between the command line and a daemon.

use std::fmt;
use std::time::Duration;

/// Why it did not go well. As text it says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The command line or a file that it names is wrong.
    Usage(String),
    /// It fails, and no daemon has said so.
    Failed(String),
    /// Nothing is there, the connection was lost, or there is no room now.
    Away { why: String, after: Option<Duration> },
    /// The daemon does not do it: the code is one of PROTOCOL.md's errors, or an HTTP status.
    Refused { code: u16, why: String },
    /// The daemon closed the connection with this code of PROTOCOL.md.
    Closed { code: u16, reason: String },
}

/// What a client does after a failure: PROTOCOL.md, "Closes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Stop,
    BackOff,
    AtOnce,
}

impl Failure {
    pub(crate) fn away(why: impl Into<String>) -> Failure {
        Failure::Away { why: why.into(), after: None }
    }

    /// For scripts; the command's `--help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 64,
            Failure::Refused { code: 404, .. } => 4,
            Failure::Refused { .. } | Failure::Failed(_) => 1,
            Failure::Away { .. } => 3,
            Failure::Closed { .. } if self.then() == Then::Stop => 1,
            Failure::Closed { .. } => 3,
        }
    }

    pub fn then(&self) -> Then {
        match self {
            Failure::Usage(_) | Failure::Failed(_) | Failure::Refused { .. } => Then::Stop,
            Failure::Away { .. } => Then::BackOff,
            Failure::Closed { code: 1001 | 1005 | 1006 | 1011 | 4100..=4199, .. } => Then::BackOff,
            Failure::Closed { code: 1012 | 4200..=4299, .. } => Then::AtOnce,
            Failure::Closed { .. } => Then::Stop,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(why) | Failure::Failed(why) | Failure::Away { why, .. } => f.write_str(why),
            Failure::Refused { code: 401, why } => {
                write!(f, "{why} (401); a token is given with --token FILE")
            }
            Failure::Refused { code, why } => write!(f, "{why} ({code})"),
            Failure::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the daemon closed the connection ({code})")
            }
            Failure::Closed { code: code @ 4001, reason } => {
                write!(
                    f,
                    "the daemon closed the connection: {reason} ({code}); a token is given with --token FILE"
                )
            }
            Failure::Closed { code, reason } => {
                write!(f, "the daemon closed the connection: {reason} ({code})")
            }
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every row of the protocol's table of closes is obeyed.
    #[test]
    fn closes_are_obeyed_as_the_protocol_says() {
        let protocol = include_str!("../../PROTOCOL.md");
        let (_, table) = protocol.split_once("\n## Closes\n").unwrap();
        let rows = table.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let code: u16 = cells.get(1)?.parse().ok()?;
            (code >= 1000).then(|| (code, cells[3].to_owned()))
        });
        let rows: Vec<(u16, String)> = rows.take_while(|(code, _)| *code < 5000).collect();
        assert!(rows.len() >= 20, "{rows:?}");
        for (code, then) in rows {
            let obeyed = match (Failure::Closed { code, reason: String::new() }).then() {
                Then::Stop => "stop",
                Then::BackOff => "back off",
                Then::AtOnce => "at once",
            };
            assert_eq!(obeyed, then, "{code}");
        }
    }
}
