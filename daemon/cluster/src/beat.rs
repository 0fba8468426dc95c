//! What a holder sends, and how its place in the order is named.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::era::Era;
use crate::wire::fields;

/// One process of a node. A node that was restarted may take an era again that its process before had, if the record lost it;
/// what the two say must not be taken for the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// As it is configured.
    #[serde(deserialize_with = "fields::name")]
    pub name: Arc<str>,
    /// Another one in each process, by chance.
    pub life: u64,
}

/// Whose numbers these are: the node that took the feed last without being handed it, and its era. Who is handed a feed goes on
/// with the numbers of the one before, so it keeps the root. A topic's epoch is made of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Root {
    pub era: Era,
    pub node: Node,
}

/// Names one beat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub era: Era,
    pub node: Node,
    /// From 1 in each era.
    pub number: u64,
}

/// What the rules need to know of a beat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub at: Position,
    pub root: Root,
    /// In the first beat of who was handed the feed: the last beat of the holder before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Position>,
    /// The holder's last beat; this node is to take the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hands_to: Option<Node>,
}

/// A head with what it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat<L> {
    pub head: Head,
    pub load: L,
}

/// What is answered to who asks for what comes after a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<L> {
    /// They join to each other, and the first to the position or to nothing.
    Beats(Vec<Beat<L>>),
    /// The whole board, as it is after the beat of this head.
    Whole(Beat<L>),
}

impl Head {
    /// It begins numbers of its own: whoever comes from anywhere may go on with it.
    pub fn begins(&self) -> bool {
        self.at.number == 1 && self.follows.is_none()
    }

    /// Whether it comes right after that beat.
    pub fn joins(&self, at: &Position) -> bool {
        match &self.follows {
            Some(before) => self.at.number == 1 && before == at,
            None => {
                self.at.era == at.era
                    && self.at.node == at.node
                    && at.number.checked_add(1) == Some(self.at.number)
            }
        }
    }

    /// Whether it is possible at all. What is not was made up, or damaged.
    pub fn is_sound(&self) -> bool {
        let Head { at, root, follows, .. } = self;
        let first = at.number == 1;
        at.era > Era::NONE
            && at.number > 0
            && root.era <= at.era
            && (follows.is_none() || first)
            && follows.as_ref().is_none_or(|before| before.era < at.era && root.era <= before.era)
            && (!self.begins() || (root.era == at.era && root.node == at.node))
    }
}
