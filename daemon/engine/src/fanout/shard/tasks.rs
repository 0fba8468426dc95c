//! The small tasks that wait on sockets. What each does when its socket is ready is given by the loop above.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Shard;
use crate::exchange::ConnId;
use crate::exchange::access::Judge;
use crate::fanout::connection::Connection;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;
use tickerd_model::protocol::command::Id;

/// What is done when a connection's socket is ready: its number and generation. Whether the task goes on waiting.
pub type OnReady = fn(&mut Shard, ConnId, u32) -> bool;

/// What is done with the judgement of a connection's token, and the id of the command that brought it.
pub type OnJudged = fn(&mut Shard, ConnId, u32, Option<Id>, Result<Arc<Identity>, Refusal>);

/// Starts tasks for connections.
#[derive(Clone)]
pub struct Tasks {
    shard: Weak<RefCell<Shard>>,
    on_readable: OnReady,
    on_writable: OnReady,
    on_judged: OnJudged,
    running: IntGauge,
}

/// Counts a task until it has ended, also if it is aborted.
struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Tasks {
    /// For the connections of `shard`. `running` counts them.
    pub fn new(
        shard: Weak<RefCell<Shard>>,
        on_readable: OnReady,
        on_writable: OnReady,
        on_judged: OnJudged,
        running: IntGauge,
    ) -> Tasks {
        Tasks { shard, on_readable, on_writable, on_judged, running }
    }

    /// Starts a task.
    pub fn start(&self, task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        self.running.inc();
        let running = Running(self.running.clone());
        tokio::task::spawn_local(async move {
            let _running = running;
            task.await;
        })
    }

    /// The shard, while it runs.
    pub fn shard(&self) -> Option<Rc<RefCell<Shard>>> {
        self.shard.upgrade()
    }

    /// Starts the task that waits for the client to speak, unless it runs or must not now.
    pub fn read(&self, id: ConnId, conn: &mut Connection) {
        let Some(shard) = self.shard.upgrade() else { return };
        if conn.is_read || !conn.may_be_read() {
            return;
        }
        conn.is_read = true;
        let (link, generation, on_readable) = (conn.link.clone(), conn.generation, self.on_readable);
        self.start(async move {
            while link.readable().await.is_ok() {
                if !on_readable(&mut shard.borrow_mut(), id, generation) {
                    return;
                }
                // Waiting for what is ready already does not yield, and who talks without a pause would be alone here.
                tokio::task::yield_now().await;
            }
        });
    }

    /// Has a connection's token judged.
    pub fn judge(
        &self,
        judge: &dyn Judge,
        token: Secret,
        (id, generation): (ConnId, u32),
        request: Option<Id>,
    ) {
        let Some(shard) = self.shard.upgrade() else { return };
        let (judged, on_judged) = (oneshot::channel(), self.on_judged);
        judge.judge(token, Box::new(|judgement| drop(judged.0.send(judgement))));
        self.start(async move {
            // A judge that ends without a word is about to stop.
            let judgement = judged.1.await.unwrap_or(Err(Refusal::Busy));
            on_judged(&mut shard.borrow_mut(), id, generation, request, judgement);
        });
    }

    /// Starts the task that waits until the client's socket takes bytes again, unless it runs.
    pub fn await_writable(&self, id: ConnId, conn: &mut Connection) {
        let Some(shard) = self.shard.upgrade() else { return };
        if std::mem::replace(&mut conn.is_awaited, true) {
            return;
        }
        let (link, generation, on_writable) = (conn.link.clone(), conn.generation, self.on_writable);
        self.start(async move {
            while link.writable().await.is_ok() {
                if !on_writable(&mut shard.borrow_mut(), id, generation) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
}
