//! What clients ask of the pulse, which keeps the past and the rooms: the question from a shard to the pulse, and the
//! answer, which comes back in line with the beats, so that what follows it is live.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::ConnId;
use super::beat::Beat;
use super::past_bars::{self, Span};
use tickerd_model::board::TopicId;
use tickerd_model::board::missed::Last;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event;
use tickerd_model::rooms::{Person, Publisher, Seat, To};
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::frame::Frame;

/// Most people that one event names.
pub const MEMBERS_MAX: usize = 256;
/// Questions of one shard that wait for the pulse. Each connection has one at most.
pub const QUESTIONS_MAX: usize = 1024;

/// A connection that asks; `generation` tells it from a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub conn: ConnId,
    pub generation: u32,
}

/// What a client asks of the pulse. What its shard needs to go on once it is answered stays with the shard.
#[derive(Debug)]
pub struct Question {
    /// Who asks.
    pub from: Client,
    /// What is asked.
    pub about: About,
}

/// What is asked.
#[derive(Debug)]
pub enum About {
    /// The newest ticks of a topic, `limit` at most.
    History { topic: String, limit: usize },
    /// The bars of a topic.
    Bars { topic: String, span: Span },
    /// Whatever these topics said after the tick with that `seq`.
    Since { seqs: Vec<(String, u64)> },
    /// Whatever these topics said after the last tick that an event stream brought.
    Resume { topics: Vec<Box<str>>, last: Last },
    /// A message to a declared topic, which takes it or not.
    Publish(Message),
    /// Who is subscribed to a declared topic.
    Members { topic: String },
}

/// What someone publishes.
#[derive(Debug, Clone)]
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
    /// Which topic.
    pub room: TopicId,
    /// Which connection.
    pub seat: Seat,
    /// Who has it; none: it left.
    pub person: Option<Person>,
}

/// Whether anyone on a shard asks for bars by this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// A topic of bars, or a pattern that may match some, as it was asked for.
    pub name: Box<str>,
    /// Whether it is asked for from now on, or no more.
    pub is_wanted: bool,
}

/// The answer.
#[derive(Debug)]
pub struct Answer {
    /// Who asked.
    pub to: Client,
    /// What was found.
    pub found: Found,
}

impl Answer {
    /// How many ticks and topics it holds: what it costs to find and to take.
    pub fn weight(&self) -> usize {
        match &self.found {
            Found::History(past) => past.as_ref().map_or(1, |past| 1 + past.frames.len()),
            Found::Bars(found) => found.as_ref().as_ref().map_or(1, |found| found.past.weight()),
            Found::Missed(missed) => {
                missed.iter().map(|(_, frames)| 1 + frames.as_ref().map_or(0, Vec::len)).sum()
            }
            Found::Published(_) | Found::Members(_) => 1,
        }
    }
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// The ticks of the topic, in order; none if it has not spoken.
    History(Option<Past>),
    /// The bars of the topic.
    Bars(Box<past_bars::Found>),
    /// What was missed of each topic.
    Missed(Vec<Missed>),
    /// What became of the message.
    Published(Result<Published, ProtocolError>),
    /// How many are in the topic, and as many of them as one answer names.
    Members(Result<(usize, Vec<Person>), ProtocolError>),
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

impl Past {
    /// What is said of it.
    pub fn told<'a>(
        &self,
        id: Option<Id>,
        topic: &'a str,
        epoch: &'a str,
        quotes: &'a Quotes<'a>,
    ) -> event::History<'a> {
        event::History { id, topic, epoch, values: quotes.values(), truncated: self.truncated }
    }
}

/// Ticks as they stand inside an answer.
pub struct Quotes<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Quotes<'a> {
    /// These, in an answer in this encoding.
    pub fn of(frames: &'a [Arc<Frame>], encoding: Encoding) -> Quotes<'a> {
        Quotes(frames.iter().map(|frame| frame.quoted(encoding)).collect())
    }

    /// How many bytes they have together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|text| text.len()).sum()
    }

    /// Their texts.
    pub fn values(&self) -> Vec<&RawValue> {
        // Envelopes are JSON by construction, so none is left out here.
        self.0.iter().filter_map(|text| serde_json::from_slice(text).ok()).collect()
    }
}

impl Published {
    /// What is said of it.
    pub fn told(&self, id: Option<Id>) -> event::Published<'_> {
        let letter = self.letter.as_ref();
        let delivered = letter.map(|(_, count)| *count);
        event::Published {
            id,
            topic: &self.topic,
            seq: self.seq,
            to: letter.map(|(to, _)| &**to),
            delivered,
            kept: delivered == Some(0),
        }
    }
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
const REPORTS_MAX: usize = 4;

/// The pulse's end of [`Uplink`].
pub struct Asked {
    /// What is asked.
    pub questions: mpsc::Receiver<Question>,
    /// Who came and went.
    pub moves: mpsc::Receiver<Vec<Move>>,
    /// Which bars are asked for, and which no more.
    pub wants: mpsc::Receiver<Vec<Want>>,
    /// How often every tick of something is asked for.
    pub every: Arc<AtomicUsize>,
}

/// A shard's way to the pulse.
#[derive(Clone)]
pub struct Uplink {
    questions: mpsc::Sender<Question>,
    moves: mpsc::Sender<Vec<Move>>,
    wants: mpsc::Sender<Vec<Want>>,
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
        let (moves, moved) = mpsc::channel(REPORTS_MAX);
        let (wants, wanted) = mpsc::channel(REPORTS_MAX);
        let every = Arc::new(AtomicUsize::new(0));
        let uplink = Uplink { questions, moves, wants, every: every.clone(), wake };
        (uplink, Asked { questions: asked, moves: moved, wants: wanted, every })
    }

    /// Reports who came and went; gives it back when earlier reports have not been read yet.
    pub fn report(&self, moves: Vec<Move>) -> Result<(), Vec<Move>> {
        self.send(&self.moves, moves)
    }

    /// Reports which bars are asked for, and which no more; gives it back as [`Uplink::report`] does.
    pub fn report_wants(&self, wants: Vec<Want>) -> Result<(), Vec<Want>> {
        self.send(&self.wants, wants)
    }

    fn send<T>(&self, to: &mpsc::Sender<Vec<T>>, report: Vec<T>) -> Result<(), Vec<T>> {
        to.try_send(report).map_err(|error| match error {
            mpsc::error::TrySendError::Full(report) => report,
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
