//! A shard's loop, above all the rest: what comes from the pulse, from clients, from the server and from HTTP, in which order
//! and in which portions, and what follows when a client has got level.

mod begin;
mod delivery;
mod direct_messages;
mod ending;
mod enquiries;
mod listening;
mod reading;
mod rows;
mod sweep;
mod welcome;

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::metrics::Metrics;
use super::settings::Newest;
use super::shard::Shard;
use super::shard::tasks::Tasks;
use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::Enquiry;
use crate::exchange::question::{Downlink, Uplink};

/// Clients taken in between two beats when beats come without a pause.
const ARRIVALS_PER_BEAT: usize = 256;

/// What a shard is reached by.
pub struct Inbox {
    pub beats: mpsc::Receiver<Downlink>,
    pub arrivals: mpsc::Receiver<Arrival>,
    pub enquiries: mpsc::Receiver<Enquiry>,
    /// Leads to the pulse.
    pub uplink: Uplink,
    pub stop: watch::Receiver<bool>,
    /// Counts the shard's sweeps.
    pub turns: Arc<AtomicU64>,
}

/// A shard whose tasks come back to this loop.
fn shard(
    number: usize,
    settings: Newest,
    metrics: Arc<Metrics>,
    load: Arc<AtomicUsize>,
    uplink: Uplink,
) -> Rc<RefCell<Shard>> {
    Rc::new_cyclic(|me| {
        let tasks =
            Tasks::new(me.clone(), Shard::read, Shard::resume, Shard::take_judgement, metrics.tasks.clone());
        RefCell::new(Shard::new(number, settings, metrics, load, (uplink, tasks)))
    })
}

/// Runs until told to stop, then sees the shard's clients off.
pub async fn run(
    number: usize,
    settings: Newest,
    metrics: Arc<Metrics>,
    load: Arc<AtomicUsize>,
    mut inbox: Inbox,
) {
    let shard = shard(number, settings.clone(), metrics, load, inbox.uplink);
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            never = begin_turns(&shard) => match never {},
            _ = inbox.stop.wait_for(|stop| *stop) => break,
            _ = sweep.tick() => {
                inbox.turns.fetch_add(1, Ordering::Relaxed);
                shard.borrow_mut().sweep();
            }
            item = inbox.beats.recv() => {
                let Some(item) = item else { break };
                delivery::take(&shard, item).await;
                // Under a load where the next beat waits already, clients still come in.
                for _ in 0..ARRIVALS_PER_BEAT {
                    let Ok(arrival) = inbox.arrivals.try_recv() else { break };
                    shard.borrow_mut().arrive(arrival);
                }
                if let Ok(enquiry) = inbox.enquiries.try_recv() {
                    shard.borrow_mut().answer_enquiry(enquiry);
                }
            }
            () = work_to_do(&shard) => {
                shard.borrow_mut().work();
                tokio::task::yield_now().await;
            }
            Some(arrival) = inbox.arrivals.recv() => shard.borrow_mut().arrive(arrival),
            Some(enquiry) = inbox.enquiries.recv() => {
                shard.borrow_mut().answer_enquiry(enquiry);
                // A crowd of askers leaves room for reading.
                tokio::task::yield_now().await;
            }
        }
    }
    // The pulse's last beat may have come together with the word to stop.
    while let Ok(item) = inbox.beats.try_recv() {
        delivery::take(&shard, item).await;
    }
    ending::see_off(&shard, settings.get().drain, &mut inbox.arrivals).await;
}

/// Never done: each time the shard looks at its beats, it looks here first.
async fn begin_turns(shard: &RefCell<Shard>) -> Infallible {
    std::future::poll_fn(|_| {
        shard.borrow_mut().begin_turn();
        Poll::Pending
    })
    .await
}

/// Done as soon as something is to be done piece by piece.
async fn work_to_do(shard: &RefCell<Shard>) {
    std::future::poll_fn(|context| {
        let mut shard = shard.borrow_mut();
        if shard.has_work() {
            return Poll::Ready(());
        }
        shard.turns.wait(context);
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
