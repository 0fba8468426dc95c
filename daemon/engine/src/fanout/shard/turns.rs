//! Commands about patterns that wait for their turns: one per connection at most.

use std::collections::{HashSet, VecDeque};
use std::task::{Context, Waker};

use crate::exchange::ConnId;
use crate::fanout::connection::request::SubscribeRequest;
use crate::fanout::table::effort::{Effort, STEPS_PER_LOOK};
use crate::fanout::table::ids::CohortId;
use tickerd_model::board::missed::Last;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::event::Failed;
use tickerd_model::topic::{Pattern, Topic};

/// A command that may be about patterns, and then may cost more than one turn.
#[derive(Debug)]
pub enum Costly {
    Subscribe(Box<SubscribeRequest>),
    /// A subscription of a client that was there before. All that it brings its client to is built first. Then the pulse is asked
    /// what was missed, and the change follows the answer at once: else ticks of the beats in between were lost.
    Resume(Box<SubscribeRequest>, Seen),
    Unsubscribe {
        request: Option<Id>,
        names: Vec<String>,
    },
    List {
        request: Option<Id>,
        pattern: Pattern,
    },
    Get(Box<Gathering>),
}

/// A `get` on its way.
#[derive(Debug, Default)]
pub struct Gathering {
    pub request: Option<Id>,
    /// The topics that it names.
    pub names: Vec<String>,
    pub patterns: Vec<Pattern>,
    /// The first pattern whose matches were not looked for.
    pub next: usize,
    /// Matches, without those that are named.
    pub found: Vec<Topic>,
    /// All that is named or found.
    pub named: HashSet<Box<str>>,
    pub failed: Vec<Failed>,
    /// Whether more was found than one answer holds.
    pub truncated: bool,
}

/// What a client had.
#[derive(Debug)]
pub enum Seen {
    /// Of these topics, all ticks up to these numbers.
    Numbers(Vec<(String, u64)>),
    /// All ticks up to this one of an event stream. If topics come meanwhile, the pulse is asked again, so many times at most.
    UpTo(Last, u8),
}

impl Costly {
    /// How many topics and patterns it names.
    pub fn names(&self) -> usize {
        match self {
            Costly::Subscribe(wanted) | Costly::Resume(wanted, ..) => wanted.names.len(),
            Costly::Unsubscribe { names, .. } => names.len(),
            Costly::List { .. } => 1,
            Costly::Get(get) => get.names.len() + get.patterns.len(),
        }
    }

    /// The command's id.
    pub fn request(&self) -> Option<&Id> {
        match self {
            Costly::Subscribe(wanted) | Costly::Resume(wanted, ..) => wanted.request.as_ref(),
            Costly::Unsubscribe { request, .. } | Costly::List { request, .. } => request.as_ref(),
            Costly::Get(get) => get.request.as_ref(),
        }
    }
}

/// One command on its way.
#[derive(Debug)]
pub struct QueuedCommand {
    pub conn: ConnId,
    pub generation: u32,
    pub command: Costly,
    /// The cohort that is built for it.
    pub cohort: Option<CohortId>,
}

/// The commands on their way.
#[derive(Debug)]
pub struct Turns {
    queue: VecDeque<QueuedCommand>,
    /// What may be done before the next look at the beats.
    pub effort: Effort,
    /// Whether the first command has the next turn, from its beginning.
    is_promised: bool,
    /// Whether the last turn began with what was to be cleared away.
    has_cleared: bool,
    /// The shard, while it has nothing of this kind to do.
    idle: Option<Waker>,
    /// Most steps between two looks.
    #[cfg(test)]
    pub most: usize,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns {
            queue: VecDeque::new(),
            effort: Effort::of(STEPS_PER_LOOK),
            is_promised: false,
            has_cleared: false,
            idle: None,
            #[cfg(test)]
            most: 0,
        }
    }
}

impl Turns {
    /// Whether no command waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next command.
    pub fn pop(&mut self) -> Option<QueuedCommand> {
        self.queue.pop_front()
    }

    /// A command waits behind the others, and the shard is woken for it.
    pub fn push(&mut self, queued: QueuedCommand) {
        self.queue.push_back(queued);
        if let Some(idle) = self.idle.take() {
            idle.wake();
        }
    }

    /// A command begins the next turn, so that it has all of it.
    pub fn push_whole(&mut self, queued: QueuedCommand) {
        self.queue.push_front(queued);
        self.is_promised = true;
    }

    /// Whether this turn may begin with what is to be cleared away: at least every other one does, whatever is promised.
    pub fn may_clear(&mut self) -> bool {
        let is_promised = std::mem::take(&mut self.is_promised);
        self.has_cleared = !(is_promised && self.has_cleared);
        self.has_cleared
    }

    /// A command goes on before the others.
    pub fn push_first(&mut self, queued: QueuedCommand) {
        self.queue.push_front(queued);
    }

    /// How many commands keep what they found so far.
    #[cfg(test)]
    pub fn begun(&self) -> usize {
        let is_begun =
            |queued: &&QueuedCommand| matches!(&queued.command, Costly::Get(get) if !get.found.is_empty());
        self.queue.iter().filter(is_begun).count()
    }

    /// The shard has nothing to do; it is woken when it has.
    pub fn wait(&mut self, context: &Context<'_>) {
        self.idle = Some(context.waker().clone());
    }

    /// The shard looks at its beats: so much may be done again. Answers the steps that were taken since the last look.
    pub fn begin(&mut self) -> usize {
        let spent = self.effort.spent();
        #[cfg(test)]
        (self.most = self.most.max(spent));
        if spent > 0 {
            self.effort = Effort::of(STEPS_PER_LOOK);
        }
        spent
    }
}
