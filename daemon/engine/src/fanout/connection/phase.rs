//! How far a connection is, from its handshake to its end.

use tokio::task::AbortHandle;

use super::request::Then;
use crate::fanout::table::ids::CohortId;
use tickerd_model::protocol::command::{self, Refused};

/// What a connection may do and say now.
#[derive(Debug, Default)]
pub enum Phase {
    /// Its socket is not known to take bytes yet, so nothing may be said to it.
    #[default]
    Arriving,
    /// Its client is greeted, and is listened to unless it has an outbox.
    Open,
    /// Its client is not listened to, since what it says next may depend on the answer to what it said last.
    Asking(Box<Asking>),
    /// Its client has shut its sending side. It may listen all the same, and keeps what it has.
    Mute(EndWatch),
    /// A close was sent, and its client has until then, in the shard's seconds, to close its side. What it had shut before is
    /// shut still.
    Closing { until_s: u32, muted: Option<EndWatch> },
}

impl Phase {
    /// Whether it may not be spoken to yet.
    pub fn is_arriving(&self) -> bool {
        matches!(self, Phase::Arriving)
    }

    /// Whether its client is listened to, as far as its outbox allows.
    pub fn is_open(&self) -> bool {
        matches!(self, Phase::Open)
    }

    /// Whether a close was sent.
    pub fn is_closing(&self) -> bool {
        matches!(self, Phase::Closing { .. })
    }

    /// Whether its client has shut its sending side.
    pub fn is_mute(&self) -> bool {
        matches!(self, Phase::Mute(_) | Phase::Closing { muted: Some(_), .. })
    }

    /// The command that it waits for.
    pub fn asking(&self) -> Option<&Asking> {
        match self {
            Phase::Asking(asking) => Some(asking),
            _ => None,
        }
    }

    /// The same, to change.
    pub fn asking_mut(&mut self) -> Option<&mut Asking> {
        match self {
            Phase::Asking(asking) => Some(asking),
            _ => None,
        }
    }

    /// From now on a command waits for this. One that is about to end waits for nothing.
    pub fn ask(&mut self, waits_for: WaitsFor) {
        match self {
            Phase::Asking(asking) => asking.waits_for = waits_for,
            Phase::Open => *self = Phase::Asking(Box::new(Asking { waits_for, ..Asking::default() })),
            Phase::Arriving | Phase::Mute(_) | Phase::Closing { .. } => {
                debug_assert!(self.is_closing(), "nobody asks who is not listened to");
            }
        }
    }

    /// The command that was waited for is answered: what was said meanwhile is next.
    pub fn end_asking(&mut self) -> Option<Box<Asking>> {
        match std::mem::replace(self, Phase::Open) {
            Phase::Asking(asking) => Some(asking),
            other => {
                *self = other;
                None
            }
        }
    }

    /// From now on it ends. False if it was about to already.
    pub fn close(&mut self, until_s: u32) -> bool {
        let muted = match std::mem::take(self) {
            closing @ Phase::Closing { .. } => {
                *self = closing;
                return false;
            }
            Phase::Mute(watch) => Some(watch),
            Phase::Arriving | Phase::Open | Phase::Asking(_) => None,
        };
        *self = Phase::Closing { until_s, muted };
        true
    }
}

/// The task that waits for the end of a mute client. It ends with the connection.
#[derive(Debug)]
pub struct EndWatch(AbortHandle);

impl EndWatch {
    /// Ends this task with the connection.
    pub fn new(task: AbortHandle) -> EndWatch {
        EndWatch(task)
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A command on its way.
#[derive(Debug, Default)]
pub struct Asking {
    /// What the client said meanwhile: no more than one read brought, and no more than [`SAID_BYTES_MAX`] once inflated.
    pub said: Vec<Result<Box<str>, Refused>>,
    said_bytes: usize,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// What is done with the pulse's answer.
    pub then: Option<Then>,
    /// The cohort that is built for that.
    pub held: Option<CohortId>,
}

/// What a command waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitsFor {
    /// The pulse answers.
    #[default]
    Pulse,
    /// A token is judged.
    Judgement,
    /// The shard has a turn for it.
    Turn,
    /// The answer is there, and on its way out.
    WayOut,
}

/// Twice what one read brings uncompressed; little can be compressed into much more.
const SAID_BYTES_MAX: usize = 128 * 1024;

impl Asking {
    /// Keeps a message for later, or that there was one too many.
    pub fn hear(&mut self, said: Result<&str, Refused>) {
        let bytes = said.as_ref().map_or(0, |text| text.len());
        self.said.push(match said {
            Ok(_) if self.said_bytes + bytes > SAID_BYTES_MAX => {
                Err(command::refuse("wait for the answer to what you asked before you say so much"))
            }
            said => said.map(Into::into),
        });
        self.said_bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_meanwhile_is_kept_until_the_answer() {
        let mut phase = Phase::Open;
        assert!(phase.end_asking().is_none() && phase.is_open());
        phase.ask(WaitsFor::Pulse);
        phase.asking_mut().unwrap().hear(Ok("first"));
        phase.ask(WaitsFor::Turn);
        let long = "x".repeat(SAID_BYTES_MAX);
        phase.asking_mut().unwrap().hear(Ok(&long));
        let asking = phase.end_asking().unwrap();
        assert_eq!(asking.waits_for, WaitsFor::Turn);
        assert_eq!(asking.said.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
        assert!(phase.is_open());
    }

    #[test]
    fn a_connection_closes_once() {
        for mut phase in [Phase::Arriving, Phase::Open, Phase::Asking(Box::default())] {
            assert!(phase.close(7) && phase.is_closing() && !phase.is_mute());
            assert!(!phase.close(9) && matches!(phase, Phase::Closing { until_s: 7, .. }));
            assert!(phase.end_asking().is_none() && phase.is_closing());
        }
    }
}
