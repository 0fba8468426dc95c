//! The pulse in a cluster: which sources this node numbers, which it follows, and what it tells and is told of them.
//!
//! Without `[cluster]` there is none of this, and each source is as if this node held it.

mod hear;
mod join;
mod posting;
mod posts;
mod presence;
mod say;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc as async_mpsc;

use self::join::Window;
use self::posts::Posts;
pub use self::posts::Who;
use crate::exchange::nodes::{NodeOrder, PulseSays, WAITING_MAX};
use tickerd_cluster::load::About;
use tickerd_config::FeedBars;
use tickerd_model::health::Health;
use tickerd_model::lane::Lane;
use tickerd_model::rooms::Declared;
use tickerd_model::source::SourceId;
use tickerd_process::Bell;

/// Tells the pulse of a cluster what other nodes say.
#[derive(Clone)]
pub struct Nodes {
    orders: mpsc::SyncSender<NodeOrder>,
    bell: Arc<Bell>,
}

impl Nodes {
    /// The order is obeyed after those before it. Waits while [`WAITING_MAX`] wait.
    pub fn order(&self, order: NodeOrder) {
        if let Err(mpsc::TrySendError::Full(order)) = self.orders.try_send(order) {
            self.bell.ring();
            // One that has ended needs no order.
            let _ = self.orders.send(order);
        }
        self.bell.ring();
    }
}

/// The pulse's end of it.
pub struct NodePort {
    orders: mpsc::Receiver<NodeOrder>,
    says: async_mpsc::Sender<PulseSays>,
    /// How long what one feed says waits for what others say of the same instant.
    join: Duration,
    /// This node's name.
    me: Box<str>,
}

impl NodePort {
    /// What the pulse is told by, what it says, and its own end of both. `bell` wakes it.
    pub fn new(
        bell: &Arc<Bell>,
        me: &str,
        join: Duration,
    ) -> (Nodes, async_mpsc::Receiver<PulseSays>, NodePort) {
        let (order, orders) = mpsc::sync_channel(WAITING_MAX);
        let (say, says) = async_mpsc::channel(WAITING_MAX);
        let port = NodePort { orders, says: say, join, me: me.into() };
        (Nodes { orders: order, bell: bell.clone() }, says, port)
    }

    /// This node's name.
    pub fn me(&self) -> &str {
        &self.me
    }
}

/// Between two lists of all who are in the rooms, in microseconds.
const LIST_US: u64 = 10_000_000;

/// What the pulse knows of its cluster.
pub(super) struct Cluster {
    port: NodePort,
    /// The feeds.
    parts: BTreeMap<SourceId, Part>,
    /// Beats of held sources that were taken and not told yet: when they were due, and where they are in what is pending.
    beats: Vec<(SourceId, u64, Range<usize>)>,
    window: Option<Window>,
    /// Reigns of which loads were dropped, to be told as soon as there is room.
    lost: Vec<(SourceId, u64)>,
    posts: Posts,
    /// When the holders of rooms are told again who is there, on the pulse's clock.
    next_list: u64,
}

/// This node's part in one feed.
struct Part {
    lane: Arc<Lane>,
    /// As this node's configuration has it.
    bars: FeedBars,
    max_age: Option<Duration>,
    /// Topics that this node's configuration declares.
    declared: Vec<Declared>,
    role: Role,
}

enum Role {
    Follower(Follower),
    Holder(Holder),
}

#[derive(Default)]
struct Follower {
    /// As its holder said last.
    health: Option<Health>,
    /// It was told that nobody is heard who holds it.
    is_absent: bool,
    /// Since it began to follow, something was heard.
    is_heard: bool,
    /// The instant of the last ticks that were heard of its holder, by the holder's schedule; 0: none.
    spoke: u64,
    /// What came cannot be applied until the whole board comes.
    is_broken: bool,
}

#[derive(Default)]
struct Holder {
    era: u64,
    /// As told last.
    about: About,
    /// To be told.
    health: Option<Health>,
    greatest_seq: u64,
    /// A load found no room.
    is_lost: bool,
}

impl Cluster {
    pub fn new(port: NodePort) -> Cluster {
        Cluster {
            port,
            parts: BTreeMap::new(),
            beats: Vec::new(),
            window: None,
            lost: Vec::new(),
            posts: Posts::default(),
            next_list: LIST_US,
        }
    }

    /// A feed came. Until it is told otherwise, this node follows it.
    pub fn open(&mut self, id: SourceId, lane: &Arc<Lane>, bars: FeedBars) {
        let (lane, max_age) = (lane.clone(), lane.freshness().source_max_age());
        let role = Role::Follower(Follower::default());
        self.parts.insert(id, Part { lane, bars, max_age, declared: Vec::new(), role });
    }

    /// A feed is configured so from now on.
    pub fn change(&mut self, id: SourceId, max_age: Option<Duration>, bars: FeedBars) {
        if let Some(part) = self.parts.get_mut(&id) {
            (part.max_age, part.bars) = (max_age, bars);
        }
    }

    /// A room's topics are declared so in this node's configuration.
    pub fn declare(&mut self, id: SourceId, declared: &[Declared]) {
        self.parts.get_mut(&id).into_iter().for_each(|part| part.declared = declared.to_vec());
    }

    pub fn close(&mut self, id: SourceId) {
        self.parts.remove(&id);
    }

    /// Whether another node numbers its ticks, or nobody does.
    pub fn is_follower(&self, id: SourceId) -> bool {
        self.parts.get(&id).is_some_and(|part| matches!(part.role, Role::Follower(_)))
    }

    /// A held source's health is to be told.
    pub fn note(&mut self, id: SourceId, health: &Health) {
        if let Some(holder) = self.holder(id) {
            holder.health = Some(health.clone());
        }
    }

    /// A source's own beat was taken: if it is held, it is to be told.
    pub fn beat(&mut self, id: SourceId, ts: u64, due: Range<usize>) {
        if self.holder(id).is_some() {
            self.beats.push((id, ts, due));
        }
    }

    /// Whether something could not be told yet.
    pub fn owes(&self) -> bool {
        !self.lost.is_empty()
    }

    /// When the pulse has to look at it again, on its clock.
    pub fn deadline(&self) -> Option<u64> {
        self.window.as_ref().map(|window| window.until).into_iter().chain(self.posts.deadline()).min()
    }

    fn holder(&mut self, id: SourceId) -> Option<&mut Holder> {
        match &mut self.parts.get_mut(&id)?.role {
            Role::Holder(holder) => Some(holder),
            Role::Follower(_) => None,
        }
    }

    fn follower(&mut self, id: SourceId) -> Option<&mut Follower> {
        match &mut self.parts.get_mut(&id)?.role {
            Role::Follower(follower) => Some(follower),
            Role::Holder(_) => None,
        }
    }

    /// Tells the rest of the engine. Whether there was room.
    fn say(&self, what: PulseSays) -> bool {
        // Half of the room is for beats; all else is asked for or said again.
        let is_first =
            matches!(what, PulseSays::Beat { .. } | PulseSays::Lost { .. } | PulseSays::Broken { .. });
        if !is_first && self.port.says.capacity() < WAITING_MAX / 2 {
            return false;
        }
        !matches!(self.port.says.try_send(what), Err(async_mpsc::error::TrySendError::Full(_)))
    }
}
