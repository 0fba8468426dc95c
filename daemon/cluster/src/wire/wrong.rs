//! What is said of a packet or a message that cannot be used.

use std::fmt;
use std::sync::Arc;

use super::version::{VERSION, Version};

/// Longest reason that is kept of what was wrong.
const WHY_CHARS_MAX: usize = 200;

/// Why something that came is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody writes that. `node`: who says to have sent it, if that can be read.
    Broken { node: Option<Arc<str>>, why: Box<str> },
    /// A node that speaks a newer version wrote it.
    Newer { node: Arc<str>, version: Version },
}

impl Wrong {
    /// `why` may have what was sent in it.
    pub(super) fn broken(node: Option<&Arc<str>>, why: &dyn fmt::Display) -> Wrong {
        let mut why = why.to_string();
        if let Some((end, _)) = why.char_indices().nth(WHY_CHARS_MAX) {
            why.truncate(end);
        }
        Wrong::Broken { node: node.cloned(), why: why.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Broken { node: Some(node), why } => {
                write!(f, "node {node} sent what cannot be read: {why}")
            }
            Wrong::Broken { node: None, why } => write!(f, "somebody sent what cannot be read: {why}"),
            Wrong::Newer { node, version } => write!(
                f,
                "node {node} speaks version {version} of the cluster's messages, this node {VERSION}; upgrade this node"
            ),
        }
    }
}

impl std::error::Error for Wrong {}
