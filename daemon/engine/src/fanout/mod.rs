//! Fan-out: shards that own the connections, cohorts of those who asked for the same, one write per connection per beat.
//!
//! # The parts, from below
//!
//! Each knows those above it in this list, and none of those below.
//!
//! - `table`: who asks for what, and which topics that leads to. No connection and no socket.
//! - `notices`: what the server says besides ticks and answers: health, stale topics, topics that came and went, people.
//! - `outbox`: what one connection is owed. Pure: bytes come out, and it is told how many the socket took.
//! - `connection`: one client: its socket, its phase, its outbox, its budget.
//! - `beat`: one beat on its way: what each cohort is due, joined so that one write takes it.
//! - `shard`: all that one thread owns, and how to send, to end a connection, to start a task.
//! - `commands`: what clients ask for, one file per command.
//! - `run`: the loop. What happens in which order, and what follows when a client has got level.
//!
//! Beside them stand `settings` and `metrics`. This file starts the threads.
//!
//! # Words
//!
//! - *Shard*: one thread with its own runtime, and the connections that it owns outright. Shards share nothing.
//! - *Beat*: everything that is due at one instant, as the pulse sends it to each shard.
//! - *Slot*: a shard's place for one topic, with its newest frames. It is there while the topic is, or someone names the topic.
//! - *Tier*: how often a topic is had: at its feed's own beat, at a slower rate, or every tick.
//! - *Cohort*: the connections that asked for the same in the same encoding. What it gets is joined once for all of them.
//! - *Wire* and *tap*: the two ends of "this cohort gets this topic at this tier". The cohort keeps the wire, the slot the tap.
//! - *Stream*: what a cohort gets, compressed in one context for all members who are *in step* with it.
//! - *Walk*: a beat's way through the cohorts and their members.
//! - *Push*, *pos*: each frame that was due counts as one push; its number on the shard's count is its `pos`.
//! - *Phase*: how far a connection is: arriving, open, asking, mute, closing.
//! - *Outbox*: what a connection is owed that its socket has not taken. A connection without one is *level*.
//! - *Lag*: the time in which a socket refuses bytes. An outbox alone is no lag: it may be an answer on its way.
//! - *Ahead*: ticks that a connection got before the beat that would bring them, for example as a snapshot.
//! - *Backlog*: ticks that wait for a client that has a topic with mode `all`.
//! - *Replay*: ticks that a client missed before it subscribed with `since`.
//! - *Turn*, *step*, *effort*: commands about patterns are done in turns of so many steps; a step is a look at one topic.

mod beat;
mod commands;
mod connection;
pub mod metrics;
mod notices;
mod outbox;
mod run;
mod settings;
mod shard;
mod table;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use self::metrics::Metrics;
use self::run::Inbox;
pub use self::settings::{Newest, Settings};
use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::{Asker, ENQUIRIES_MAX, Enquiry, PulseAsker};
use crate::exchange::outlet::Outlet;
use crate::exchange::question::Uplink;

/// Beats that wait for a shard before it counts as behind.
const BEATS_MAX: usize = 4;
/// Upgraded sockets that wait for a shard.
const ARRIVALS_MAX: usize = 4096;

/// The running shards.
pub struct Fanout {
    settings: Newest,
    ports: Vec<Port>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

struct Port {
    arrivals: mpsc::Sender<Arrival>,
    enquiries: mpsc::Sender<Enquiry>,
    load: Arc<AtomicUsize>,
    turns: Arc<AtomicU64>,
}

/// Takes sockets in, from any thread.
#[derive(Clone)]
pub struct Intake {
    ports: Arc<[(mpsc::Sender<Arrival>, Arc<AtomicUsize>)]>,
}

impl Intake {
    /// Gives a socket to the least loaded shard. Over [`ARRIVALS_MAX`] waiting it is dropped, which the client sees as
    /// an end without a close.
    pub fn place(&self, arrival: Arrival) {
        let least = self.ports.iter().min_by_key(|(_, load)| load.load(Ordering::Relaxed));
        let Some((port, load)) = least else { return };
        load.fetch_add(1, Ordering::Relaxed);
        if port.try_send(arrival).is_err() {
            load.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!("a connection was dropped: its shard has {ARRIVALS_MAX} waiting, or has stopped");
        }
    }
}

impl Fanout {
    /// Starts `shards` threads. `wake` makes the pulse look for their questions.
    pub fn start(
        shards: usize,
        settings: Settings,
        metrics: Arc<Metrics>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<(Fanout, Outlet)> {
        let settings = Newest::new(settings);
        let (stop, stopped) = watch::channel(false);
        let mut outlet = Outlet::new(metrics.beats_behind.clone());
        let mut fanout = Fanout { settings: settings.clone(), ports: Vec::new(), stop, threads: Vec::new() };
        for number in 0..shards.max(1) {
            let (beats_in, beats) = mpsc::channel(BEATS_MAX);
            let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS_MAX);
            let (enquiries_in, enquiries) = mpsc::channel(ENQUIRIES_MAX);
            let load = Arc::new(AtomicUsize::new(0));
            let turns = Arc::new(AtomicU64::new(0));
            let (uplink, asked) = Uplink::new(wake.clone());
            let (stop, turned) = (stopped.clone(), turns.clone());
            let inbox = Inbox { beats, arrivals, enquiries, uplink, stop, turns: turned };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (settings, metrics, counted) = (settings.clone(), metrics.clone(), load.clone());
            let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
                LocalSet::new().block_on(&runtime, run::run(number, settings, metrics, counted, inbox));
            })?;
            outlet.add(beats_in, asked);
            fanout.ports.push(Port { arrivals: arrivals_in, enquiries: enquiries_in, load, turns });
            fanout.threads.push(thread);
        }
        Ok((fanout, outlet))
    }

    /// A handle for the server.
    pub fn intake(&self) -> Intake {
        Intake { ports: self.ports.iter().map(|port| (port.arrivals.clone(), port.load.clone())).collect() }
    }

    /// Another, for what HTTP asks of the shards, and of the pulse.
    pub fn asker(&self, pulse: PulseAsker) -> Asker {
        Asker::new(self.ports.iter().map(|port| port.enquiries.clone()), Some(pulse))
    }

    /// The settings of all shards, to be replaced.
    pub fn settings(&self) -> Newest {
        self.settings.clone()
    }

    /// Per shard, how often it has looked around; a number that stands still means that it hangs.
    pub fn turns(&self) -> Vec<Arc<AtomicU64>> {
        self.ports.iter().map(|port| port.turns.clone()).collect()
    }

    /// Tells all clients, and waits until they are gone or the drain time is over. Who is still on the way here is seen off
    /// too: each shard also waits, for a while, until every [`Intake`] is gone.
    pub fn stop(self) {
        let Fanout { ports, stop, threads, .. } = self;
        stop.send_replace(true);
        // What they hold would look as if more could come.
        drop(ports);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended in a panic");
            }
        }
    }
}
