//! This node among others: it holds some feeds and follows the rest.
//!
//! One thread, `cluster`, with a runtime of its own. It has for each feed a [`tickerd_cluster::Part`], which decides by pure rules, and
//! does what the parts say: it reads and swaps records, sends beats, asks for what is missing, and starts and stops plugins. The
//! pulse numbers what this node holds and applies what others say; see [`crate::exchange::nodes`].
//!
//! - `node` is the loop: what comes in, and when.
//! - `hearing` is what other nodes say; `hands` is how feeds go from one node to another.
//! - `feed` is what it knows of one feed; `asks` is how often others are answered.
//! - `rooms` is what clients do in rooms that another node holds.
//! - `access` is what was revoked, and tickets that are shown at another node; `sharing` has its rules.
//! - `records` are the keys that all nodes share.
//! - `said` reads and writes what nodes send; `outbox` is what waits to be sent.
//! - `standing` is what people are told.
//! - `words` is what this room and the composition root tell each other.

mod access;
mod asks;
mod feed;
mod hands;
mod hearing;
mod node;
mod outbox;
mod records;
mod rooms;
mod said;
mod sharing;
mod standing;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use tickerd_cluster::Millis;
use tickerd_nats::{Events, Link};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

pub use self::hands::MOVE_MAX;
pub use self::standing::{Standing, heard};
pub use self::words::{Command, Feed, Given, Keys, Plugins, Pulse, Settings};

/// Commands that wait. Each ticket of another node is one.
const COMMANDS_MAX: usize = 1_024;
/// When this node ends, others get this long to take over what it holds.
const DRAIN_MAX: Millis = 3_000;

/// How long the start waits for the cluster's epoch, and between two tries.
const EPOCH_MAX: Duration = Duration::from_secs(3);
const EPOCH_AGAIN: Duration = Duration::from_millis(100);

/// Asks the loop, from any thread.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    standing: Arc<Standing>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("cluster::Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Whether there was room for it.
    pub fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The same. Waits for room, so it is not for a thread that others wait for. A thread that has ended needs no command.
    pub fn insist(&self, command: Command) {
        let _ = self.commands.blocking_send(command);
    }

    /// How it stands, as of the last half second.
    pub fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }
}

/// The running thread.
pub struct Running {
    handle: Handle,
    turns: Arc<AtomicU64>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Counts how often the thread has looked around.
    pub fn turns(&self) -> Arc<AtomicU64> {
        self.turns.clone()
    }

    /// Hands over what this node holds, for at most [`DRAIN_MAX`].
    pub fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.handle.command(Command::Drain { max: DRAIN_MAX, done }) {
            drop(drained.blocking_recv());
        }
    }

    /// Ends the thread.
    pub fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the cluster ended in a panic");
        }
    }
}

/// A node that has a way to the others, or goes on looking for one.
pub struct Joined {
    runtime: Runtime,
    link: Link,
    events: Events,
    /// The cluster's, if the record could be had.
    pub epoch: Option<String>,
    wanted: Option<String>,
}

/// Connects, and looks for the cluster's epoch for at most [`EPOCH_MAX`]. It is `wanted` if there is none yet; an edge, which may
/// write no record, wants none. Where no server is there, this node goes on without, connects later, and has the epoch then.
///
/// # Errors
/// The runtime could not be made, or a file that the connection needs could not be read.
pub fn join(link: tickerd_nats::Settings, wanted: Option<String>) -> io::Result<Joined> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (link, events) = runtime.block_on(Link::connect(link)).map_err(io::Error::other)?;
    let epoch = runtime.block_on(async {
        let found = async {
            loop {
                match records::epoch(&link, wanted.as_deref()).await {
                    Some(epoch) => return epoch,
                    None => tokio::time::sleep(EPOCH_AGAIN).await,
                }
            }
        };
        tokio::time::timeout(EPOCH_MAX, found).await.ok()
    });
    Ok(Joined { runtime, link, events, epoch, wanted })
}

/// Starts the thread.
///
/// # Errors
/// The thread could not be made.
pub fn start(
    Joined { runtime, link, events, epoch, wanted }: Joined,
    settings: Settings,
    feeds: Vec<Feed>,
    Pulse { order, says }: Pulse,
    plugins: Arc<dyn Plugins>,
    standing: Arc<Standing>,
) -> io::Result<Running> {
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (stop, stopped) = oneshot::channel();
    let handle = Handle { commands, standing: standing.clone() };
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    let thread = std::thread::Builder::new().name("cluster".into()).spawn(move || {
        runtime.block_on(async {
            let node = node::Node::new(settings, feeds, (epoch, wanted), (link, order), plugins, standing);
            node.run(events, says, commanded, (stopped, counted)).await;
        });
    })?;
    Ok(Running { handle, turns, stop, thread })
}
