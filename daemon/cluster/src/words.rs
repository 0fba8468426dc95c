//! What a part is told, and what it answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::beat::{Node, Position, Root};
use crate::era::Era;

/// What a part begins with.
#[derive(Debug, Clone)]
pub struct Settings<L> {
    pub feed: String,
    pub me: Node,
    /// Who may hold it; `None`: every node.
    pub nodes: Option<Vec<Arc<str>>>,
    /// This node may hold it: it has the feed's section, and is no edge.
    pub may_hold: bool,
    /// Whose numbers this node's stored past has, if it is known.
    pub past: Option<Root>,
    /// The greatest era of any number in the stored past.
    pub stored: Era,
    /// Most that is kept of the last minute's beats, in what `weigh` measures.
    pub kept: usize,
    pub weigh: fn(&L) -> usize,
}

/// Who took the feed last, as all nodes share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub era: Era,
    pub node: Node,
}

/// What lies under the feed's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// To be named by who replaces it; 0 if there is nothing.
    pub revision: u64,
    /// `None` if there is nothing, or nothing that can be read.
    pub record: Option<Record>,
}

/// A node says that it holds the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub era: Era,
    /// The beat that it sent last; 0: none yet.
    pub newest: u64,
    pub root: Root,
}

/// What a node says of one feed, each half second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub node: Node,
    pub claim: Option<Claim>,
    /// It hears nobody who holds the feed.
    pub misses: bool,
    /// It may take the feed.
    pub may_hold: bool,
    /// It is an edge, which stands where attackers are.
    pub is_edge: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Read the record, through its leader, and say `Part::read`.
    Read,
    /// Replace the record if it is still at that revision, and say `Part::swapped`.
    Swap { revision: u64, record: Record },
    /// Start the plugin. A topic's next seq is one more than the greater of `floor` and its seq on the board.
    Begin { floor: u64 },
    /// Stop the plugin; what it says is not numbered any more.
    End,
    /// Ask that node for what comes after that beat, with that root's numbers on the board, and say `Part::answered`.
    Ask { node: Node, after: Option<Position>, root: Option<Root> },
    /// Tell all who hold the feed that this era has been, and who holds it in it.
    Tell { era: Era, holder: Option<Node> },
}
