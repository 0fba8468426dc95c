//! What HTTP and the operator ask a shard: the value of a topic, its next one, the list of topics, who is connected. Each is
//! answered once, through the enquiry's own channel; nobody waits for anybody.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::past_bars::{self, Span};
use super::question::{Message, Past, Published};
use super::rows::{Page, Rows};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::Rights;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event::Failed;
use tickerd_model::topic::Pattern;
use tickerd_model::wire::frame::Frame;

/// Enquiries that wait for a shard.
pub const ENQUIRIES_MAX: usize = 1024;

/// Values that one answer about patterns holds at most.
pub const VALUES_MAX: usize = 10_000;
/// Patterns of one question for values.
pub const GET_PATTERNS_MAX: usize = 32;

/// One enquiry, and where its answer goes. The asker may lose interest.
#[derive(Debug)]
pub struct Enquiry {
    pub what: Ask,
    pub answer: oneshot::Sender<Answer>,
}

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    /// The newest value of a topic, and none before the one with the number `least`: that was published, and may not be
    /// pushed yet. It is the same as one whose tag, `epoch-seq`, is among `known`.
    /// `hinted`: an error may name what else there is.
    Value { topic: String, known: Vec<String>, least: u64, hinted: bool },
    /// The first value of a topic whose `seq` is another than this; 0 for a topic that has none yet. Answered when
    /// there is one, so the asker brings its own patience, and keeps its number within bounds.
    Next { topic: String, seq: u64 },
    /// The topics that match, as far as these rights show them.
    Topics(Pattern, Arc<Rights>),
    /// The newest values of topics and of what patterns match, as far as this client may have them.
    Values { names: Vec<String>, who: Arc<Identity> },
    /// What a topic takes.
    Takes { topic: String },
    /// A part of what this shard has, for the operator.
    Rows(Page),
    /// The connection with this number is to be closed.
    Disconnect { number: u32 },
}

/// One enquiry of the pulse, and where its answer goes.
#[derive(Debug)]
pub struct PulseEnquiry {
    pub what: PulseAsk,
    pub answer: oneshot::Sender<Answer>,
}

/// What is asked of the pulse, which keeps the past and the rooms.
#[derive(Debug)]
pub enum PulseAsk {
    /// The newest ticks of a topic, and none before the one with the number `least`, as of a value.
    History { topic: String, limit: usize, least: u64, hinted: bool },
    /// The bars of some topics.
    Bars { topics: Vec<String>, span: Span, hinted: bool },
    /// A message to a declared topic.
    Publish { message: Message, hinted: bool },
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// The newest value, and its tag.
    Value { frame: Arc<Frame>, tag: String },
    /// It is known already; its `seq`, and its tag.
    Same { seq: u64, tag: String },
    /// The topic may come, and has said nothing yet.
    Silent,
    /// There may be such a topic. Whether it takes messages.
    Takes { messages: bool },
    /// No such topic.
    Refused(ProtocolError),
    /// The ticks of a topic.
    History { topic: String, epoch: Box<str>, past: Past },
    /// The bars of each topic that was asked for, in that order, under which epoch they go, and what its source is.
    Bars { epochs: Vec<Box<str>>, found: Vec<(String, past_bars::Found)> },
    /// A message was taken.
    Published(Published),
    /// Newest values, for which so many topics were looked at; `truncated`: there are more than one answer holds.
    Values { frames: Vec<Arc<Frame>>, failed: Vec<Failed>, truncated: bool, looks: usize },
    /// A list of topics as a JSON object, for which so many were looked at.
    Listed { object: Vec<u8>, looks: usize },
    /// What the operator asked for.
    Rows(Rows),
    /// Whether there was a connection to close.
    Disconnected(bool),
}

impl Answer {
    /// What became of a message.
    pub fn of(outcome: Result<Published, ProtocolError>) -> Answer {
        outcome.map_or_else(Answer::Refused, Answer::Published)
    }
}

/// Asks shards and the pulse, from any thread. The default has none to ask.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    ports: Arc<[mpsc::Sender<Enquiry>]>,
    pulse: Option<PulseAsker>,
    /// Whose turn it is: all know the same.
    turn: Arc<AtomicUsize>,
}

/// Waits for an answer; none if nobody could be asked.
pub async fn ask(asked: Option<oneshot::Receiver<Answer>>) -> Option<Answer> {
    asked?.await.ok()
}

impl Asker {
    /// Asks the shards that receive from these channels, in turn, and the pulse.
    pub fn new(ports: impl IntoIterator<Item = mpsc::Sender<Enquiry>>, pulse: Option<PulseAsker>) -> Asker {
        Asker { ports: ports.into_iter().collect(), pulse, turn: Arc::default() }
    }

    /// Asks the pulse; none if too many enquiries wait, or it has stopped.
    pub fn ask_pulse(&self, what: PulseAsk) -> Option<oneshot::Receiver<Answer>> {
        let (answer, answered) = oneshot::channel();
        let PulseAsker { enquiries, wake } = self.pulse.as_ref()?;
        enquiries.try_send(PulseEnquiry { what, answer }).ok()?;
        wake();
        Some(answered)
    }

    /// Asks one of the shards; none if too many enquiries wait, or it has stopped.
    pub fn ask(&self, what: Ask) -> Option<oneshot::Receiver<Answer>> {
        self.ask_shard(self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len().max(1), what)
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.ports.len()
    }

    /// Asks this shard; none if there is no such shard, too many enquiries wait, or it has stopped.
    pub fn ask_shard(&self, at: usize, what: Ask) -> Option<oneshot::Receiver<Answer>> {
        let (answer, answered) = oneshot::channel();
        self.ports.get(at)?.try_send(Enquiry { what, answer }).ok()?;
        Some(answered)
    }
}

/// The way of enquiries to the pulse.
#[derive(Clone)]
pub struct PulseAsker {
    enquiries: mpsc::Sender<PulseEnquiry>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl PulseAsker {
    /// `wake` makes the pulse look for enquiries.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (PulseAsker, mpsc::Receiver<PulseEnquiry>) {
        let (enquiries, asked) = mpsc::channel(ENQUIRIES_MAX);
        (PulseAsker { enquiries, wake }, asked)
    }
}

impl fmt::Debug for PulseAsker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulseAsker").field("waiting", &(ENQUIRIES_MAX - self.enquiries.capacity())).finish()
    }
}
