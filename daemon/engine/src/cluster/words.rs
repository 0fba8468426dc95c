//! What this room and the composition root tell each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::exchange::nodes::{NodeOrder, PulseSays};
use tickerd_cluster::Era;
use tickerd_model::source::{Source, SourceId};

/// How this node is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's name, in every subject.
    pub cluster: String,
    /// This node's.
    pub node: String,
    /// It never holds a feed.
    pub is_edge: bool,
    /// The feeds that it follows; `None`: all.
    pub feeds: Option<BTreeSet<String>>,
    /// Bytes of beats that are kept for nodes that missed some, of each feed.
    pub kept: usize,
    /// The hash of what all nodes should have alike.
    pub config: u64,
    pub version: String,
}

/// A feed that this node may hold, or follows.
#[derive(Debug, Clone)]
pub struct Feed {
    /// As the pulse knows it.
    pub source: Arc<Source>,
    /// Who may hold it; `None`: every node.
    pub nodes: Option<Vec<Arc<str>>>,
    /// This node has a section of it, and is no edge.
    pub may_hold: bool,
    /// The greatest era of any number that an earlier run left.
    pub stored: Era,
    /// The hash of its section; 0: there is none.
    pub section: u64,
}

/// What the composition root does for this room. No call waits.
pub trait Plugins: Send + Sync {
    /// Starts the feed's plugin.
    fn begin(&self, feed: &str);
    /// Ends it. `ended` is called once nothing of it runs any more, also if nothing did.
    fn end(&self, feed: &str, ended: Box<dyn FnOnce() + Send>);
    /// What the plugin of the holder says of itself and its events, in JSON.
    fn hear(&self, feed: &str, hello: &str);
    /// What this node's own plugin said of itself, in JSON; none until it has.
    fn hello(&self, feed: &str) -> Option<Arc<str>>;
    /// A feed of another node comes, of which this one has no section. The pulse knows the source soon.
    fn open(&self, feed: &str) -> Option<Feed>;
    /// The cluster's epoch is this from now on. Clients that connect are told it.
    fn epoch(&self, epoch: &str);
    /// A source is so from now on. The pulse is to know.
    fn change(&self, source: &Arc<Source>);
    /// A source as a holder describes it.
    fn source(&self, known: &Arc<Source>, about: &tickerd_cluster::load::About) -> Source;
}

/// The way to the pulse and back.
pub struct Pulse {
    /// Waits while too much waits.
    pub order: Box<dyn Fn(NodeOrder) + Send>,
    pub says: mpsc::Receiver<PulseSays>,
}

/// What people ask of this node.
#[derive(Debug)]
pub enum Command {
    /// The feed is to be held by another node; `None`: by the first of the others.
    Move { feed: String, to: Option<String>, done: oneshot::Sender<Result<String, String>> },
    /// All that this node holds is to be held by others, and it takes nothing more.
    Drain { done: oneshot::Sender<Result<String, String>> },
    /// A feed was added to the configuration.
    Open(Feed),
    /// A feed is configured so from now on.
    Change(Arc<Source>),
    /// A feed was removed from it.
    Close(SourceId),
}
