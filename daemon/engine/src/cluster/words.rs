//! What this room and the composition root tell each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::exchange::nodes::{NodeOrder, PulseSays};
use tickerd_cluster::wire::Revocation;
use tickerd_cluster::{Era, Millis};
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

/// What the composition root does for this room. No call waits but for a short lock.
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
    /// It goes, unless it was added to the configuration meanwhile. Whether it does.
    fn close(&self, source: &Arc<Source>) -> bool;
    /// The cluster's epoch is this from now on. Clients that connect are told it.
    fn epoch(&self, epoch: &str);
    /// A source is configured so from now on, and has this form. The pulse is to know.
    fn change(&self, source: &Arc<Source>);
    /// Who may connect; none without `[auth]`.
    fn keys(&self) -> Option<Arc<dyn Keys>>;
    /// A source as a holder describes it.
    fn source(&self, known: &Arc<Source>, about: &tickerd_cluster::load::About) -> Source;
}

/// What the composition root knows of who may connect. No call waits.
pub trait Keys: Send + Sync {
    /// Names all that was revoked: the same at each node that knows the same. 0: nothing was.
    fn digest(&self) -> u64;
    /// All of it.
    fn revoked(&self) -> Vec<Revocation>;
    /// Another node says what was revoked. It holds at once; what is known already changes nothing. Whether all of it is known now:
    /// there may be no room for some, or the clock here may be wrong.
    fn revoke(&self, node: &str, list: Vec<Revocation>) -> bool;
    /// A ticket of this node, by its SHA-256, is shown at another one: it is used up. What it was bought with, sealed, and closed for
    /// the node whose public key that is.
    fn give_up(&self, ticket: &[u8; 32], key: &[u8]) -> Option<Box<[u8]>>;
}

/// What another node answers for a ticket that it gave out.
#[derive(Debug)]
pub struct Given {
    /// What it was bought with; none: it is not good any more.
    pub sealed: Option<Box<[u8]>>,
    /// The node is an edge, whose word counts for nothing.
    pub is_of_edge: bool,
}

/// Who waits for that. It is dropped if the node cannot be asked, or does not answer.
pub type Redeeming = oneshot::Sender<Given>;

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
    /// All that this node holds is to be held by others, and it takes nothing more. Who asks waits for so many milliseconds at most.
    Drain { max: Millis, done: oneshot::Sender<Result<String, String>> },
    /// A feed is configured so from now on, whether it was known before or not.
    Open(Feed),
    /// A feed was removed from it.
    Close(SourceId),
    /// Something was revoked here.
    Revoked(Vec<Revocation>),
    /// A ticket is shown here that the node gave out.
    Redeem { node: String, ticket: [u8; 32], key: [u8; 32], done: Redeeming },
}
