//! What the pulse and the engine's `cluster` tell each other: who numbers a feed's ticks, and what its beats say.
//!
//! Both ways keep their order. So a load that comes after [`NodeOrder::Hold`] has numbers of that reign, and a whole board is as
//! of the load that came before it.

use std::sync::Arc;

use super::question::{Message, Published};
use tickerd_cluster::Node as Name;
use tickerd_cluster::load::{Load, Turnover};
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::source::{Source, SourceId};

/// Orders that wait for the pulse, and loads that wait for the engine's `cluster`.
pub const WAITING_MAX: usize = 1024;

/// This node numbers a feed's ticks from now on.
#[derive(Debug, Clone)]
pub struct Reign {
    /// The era, to tell loads of this reign from those of another.
    pub era: u64,
    /// A topic's next seq is one more than the greater of this and its seq on the board.
    pub floor: u64,
    /// The first load has the whole board, since the numbers begin anew. Otherwise it has a list of all topics alone.
    pub whole: bool,
}

/// How a load goes on from what the board has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// It comes right after what was applied last.
    Next,
    /// Numbers begin anew, above this floor. The load has the whole board.
    Begins { floor: u64 },
    /// Something was missed. The load has the whole board.
    Whole,
}

/// What the engine's `cluster` tells the pulse of one source. Until it has told anything, nobody numbers its ticks.
#[derive(Debug)]
pub enum NodeOrder {
    /// This node holds it. `source`: how it is from now on; its epoch says whose numbers these are.
    Hold { source: Arc<Source>, reign: Reign },
    /// This node does not hold it any more: what its plugin says is dropped.
    Yield { source: SourceId },
    /// The plugin has ended, and somebody else will hold it. What it has said until now goes in a last load, also if that is
    /// empty; then this node does not hold it any more.
    Last { source: SourceId },
    /// What its holder says. `source` is there when it is another from now on: its beat, or whose numbers these are.
    Accept { id: SourceId, source: Option<Arc<Source>>, load: Arc<Load>, join: Join },
    /// Nobody is heard who holds it, for this reason: its values are stale. It ends with the next `Accept` or `Hold`.
    Absent { source: SourceId, reason: String },
    /// The whole board is wanted, by the one with this number.
    Whole { source: SourceId, ask: u64 },
    /// A client of another node publishes in a room that this one holds. The node may send the same number again.
    Publish { source: SourceId, node: Name, id: u64, message: Message },
    /// What became of a message that the pulse had published elsewhere. Its topic is known there.
    Published { id: u64, outcome: Outcome },
    /// Clients of that node came to a room that this one holds, or left it. `whole`: they are all of that node who are there.
    Presence { source: SourceId, node: Arc<str>, whole: bool, turnovers: Vec<Turnover> },
    /// A room's holder is another from now on, and is to be told who of this node is there.
    Introduce { source: SourceId },
    /// A node is not heard any more: its clients are gone.
    Gone { node: Arc<str> },
}

/// What became of a message.
pub type Outcome = Result<Published, ProtocolError>;

/// What the pulse tells the engine's `cluster`.
#[derive(Debug)]
pub enum PulseSays {
    /// What a beat of a feed that this node holds says, in the reign of this era.
    Beat { source: SourceId, era: u64, load: Load, is_last: bool, greatest_seq: u64 },
    /// The whole board, as it is after the last load that came before.
    Whole { source: SourceId, ask: u64, load: Load },
    /// Loads of this reign were dropped, because too many waited. There will be none until the feed is held anew.
    Lost { source: SourceId, era: u64 },
    /// A load could not be applied as it is, and nothing more is until the whole board comes. `dropped`: ticks that were not
    /// taken.
    Broken { source: SourceId, why: String, dropped: u64 },
    /// A client of this node publishes in a room that another one holds. The same number may come again.
    Publish { source: SourceId, id: u64, message: Message },
    /// What became of a message of that node.
    Published { node: Name, id: u64, outcome: Outcome },
    /// Clients of this node came to a room that another one holds, or left it.
    Presence { source: SourceId, whole: bool, turnovers: Vec<Turnover> },
}
