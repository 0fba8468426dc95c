//! What clients ask of the past, which the pulse keeps: the question from a shard to the pulse, and the answer, which comes
//! back in line with the beats, so that what follows it is live.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::beat::Beat;
use super::cohorts::ConnId;
use crate::model::frame::Frame;
use crate::model::protocol::command::Id;

/// Questions of one shard that wait for the pulse. Each connection has one at most.
pub const QUESTIONS_MAX: usize = 1024;

/// A question, with what its shard needs to go on once it is answered.
#[derive(Debug)]
pub struct Question {
    /// Who asks.
    pub conn: ConnId,
    /// Tells that connection from a later one of the same number.
    pub generation: u32,
    /// The command's id.
    pub request: Option<Id>,
    /// What is asked.
    pub about: About,
}

/// What is asked.
#[derive(Debug)]
pub enum About {
    /// The newest ticks of a topic, `limit` at most.
    History { topic: String, limit: usize },
    /// Whatever came after these ticks, for a subscription to all of `topics`.
    Since { topics: Vec<String>, snapshot: bool, seqs: Vec<(String, u64)> },
}

/// The answer.
#[derive(Debug)]
pub struct Answer {
    /// Who asked.
    pub conn: ConnId,
    /// Tells that connection from a later one of the same number.
    pub generation: u32,
    /// The command's id.
    pub request: Option<Id>,
    /// What was found.
    pub found: Found,
}

impl Answer {
    /// How many ticks it holds.
    pub fn ticks(&self) -> usize {
        match &self.found {
            Found::History { past, .. } => past.as_ref().map_or(0, |past| past.frames.len()),
            Found::Since { missed, .. } => {
                missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum()
            }
        }
    }
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// The ticks of a topic, in order; none if it has not spoken.
    History { topic: String, past: Option<Past> },
    /// What was missed of each topic.
    Since { topics: Vec<String>, snapshot: bool, missed: Vec<Missed> },
}

/// Ticks, in order.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest of those that are kept.
    pub frames: Vec<Arc<Frame>>,
    /// Whether one answer holds no more of them.
    pub truncated: bool,
}

/// What was missed of a topic: every tick in order, or `None` if some of them are gone.
pub type Missed = (String, Option<Vec<Arc<Frame>>>);

/// What comes from the pulse to a shard, in order.
#[derive(Debug)]
pub enum Downlink {
    /// A beat.
    Beat(Arc<Beat>),
    /// Answers to this shard's questions: all that was pushed before them has come.
    Answers(Vec<Answer>),
}

/// A shard's way to the pulse.
#[derive(Clone)]
pub struct Uplink {
    questions: mpsc::Sender<Question>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// Why a question is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAsked {
    /// As many wait as may.
    Full,
    /// The pulse has ended.
    Ended,
}

impl Uplink {
    /// `wake` makes the pulse look for questions.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (Uplink, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        (Uplink { questions, wake }, asked)
    }

    /// Asks; never waits.
    pub fn ask(&self, question: Question) -> Result<(), NotAsked> {
        self.questions.try_send(question).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotAsked::Full,
            mpsc::error::TrySendError::Closed(_) => NotAsked::Ended,
        })?;
        (self.wake)();
        Ok(())
    }
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uplink").field("waiting", &(QUESTIONS_MAX - self.questions.capacity())).finish()
    }
}
