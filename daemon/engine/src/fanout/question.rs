//! What clients ask of the pulse, which keeps the past and the rooms: the question from a shard to the pulse, and the
//! answer, which comes back in line with the beats, so that what follows it is live.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::mpsc;

use super::beat::Beat;
use super::cohorts::ConnId;
use super::jobs::Wish;
use tickerd_model::frame::Frame;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::rooms::{Person, Publisher, Seat, To};

/// Questions of one shard that wait for the pulse. Each connection has one at most.
pub const QUESTIONS_MAX: usize = 1024;

/// Who asks a shard what only the pulse can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A connection; `generation` tells it from a later one of the same number.
    Client { conn: ConnId, generation: u32 },
    /// An enquiry, by the number that its shard gave it.
    Http(u64),
}

/// A question, with what its shard needs to go on once it is answered.
#[derive(Debug)]
pub struct Question {
    /// Who asks.
    pub from: From,
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
    /// Whatever `events`, which are topics by name, said after the tick with the process-wide number `n`, for a subscription.
    Resume { wish: Box<Wish>, events: Vec<Box<str>>, n: u64 },
    /// A message to a declared topic, which takes it or not.
    Publish(Message),
    /// Who is subscribed to a declared topic.
    Members { topic: String },
}

/// What someone publishes.
#[derive(Debug)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// Who says it, as others address them.
    pub publisher: Box<str>,
    /// Whose share of the room it takes.
    pub origin: Publisher,
    /// Whom it is for; none: all.
    pub to: Option<To>,
    /// One JSON value, checked.
    pub value: Box<[u8]>,
}

/// A connection came to a declared topic, or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The topic's number among the declared ones.
    pub room: usize,
    /// Which connection.
    pub seat: Seat,
    /// Who has it; none: it left.
    pub person: Option<Person>,
}

/// The answer.
#[derive(Debug)]
pub struct Answer {
    /// Who asked.
    pub from: From,
    /// The command's id.
    pub request: Option<Id>,
    /// What was found.
    pub found: Found,
}

impl Answer {
    /// How many ticks and topics it holds: what it costs to find and to take.
    pub fn weight(&self) -> usize {
        match &self.found {
            Found::History { past, .. } => past.as_ref().map_or(1, |past| 1 + past.frames.len()),
            Found::Since { missed, .. } | Found::Resumed { missed, .. } => {
                missed.iter().map(|(_, frames)| 1 + frames.as_ref().map_or(0, Vec::len)).sum()
            }
            Found::Published(_) | Found::Members(_) => 1,
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
    /// What was missed of each event topic.
    Resumed { wish: Box<Wish>, missed: Vec<Missed> },
    /// What became of a message.
    Published(Result<Published, ProtocolError>),
    /// A declared topic, how many are there, and as many of them as one answer names.
    Members(Result<(String, usize, Vec<Person>), ProtocolError>),
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where to.
    pub topic: String,
    /// Its number there; a letter's among the letters.
    pub seq: u64,
    /// Of a letter: whom it is for, and to how many connections it went. To none: it waits.
    pub letter: Option<(Box<str>, usize)>,
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

/// Reports of one shard that wait for the pulse. What comes on top is put together by the shard, so that no more is needed.
const MOVES_MAX: usize = 4;

/// The pulse's end of [`Uplink`].
pub struct Asked {
    /// What is asked.
    pub questions: mpsc::Receiver<Question>,
    /// Who came and went.
    pub moves: mpsc::Receiver<Vec<Move>>,
    /// How often every tick of something is asked for.
    pub every: Arc<AtomicUsize>,
}

/// A shard's way to the pulse.
#[derive(Clone)]
pub struct Uplink {
    questions: mpsc::Sender<Question>,
    moves: mpsc::Sender<Vec<Move>>,
    /// Where the shard keeps count of how often every tick of something is asked for.
    pub every: Arc<AtomicUsize>,
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
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (Uplink, Asked) {
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let (moves, moved) = mpsc::channel(MOVES_MAX);
        let every = Arc::new(AtomicUsize::new(0));
        let uplink = Uplink { questions, moves, every: every.clone(), wake };
        (uplink, Asked { questions: asked, moves: moved, every })
    }

    /// Reports who came and went; gives it back when earlier reports have not been read yet.
    pub fn report(&self, moves: Vec<Move>) -> Result<(), Vec<Move>> {
        self.moves.try_send(moves).map_err(|error| match error {
            mpsc::error::TrySendError::Full(moves) => moves,
            // Nobody counts any more.
            mpsc::error::TrySendError::Closed(_) => Vec::new(),
        })?;
        (self.wake)();
        Ok(())
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
