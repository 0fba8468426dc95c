//! Fan-out: shards that own the connections, cohorts of those who asked for the same, one write per connection per beat.

mod beat;
mod commands;
mod connection;
pub mod metrics;
mod notices;
mod outbox;
mod run;
mod shard;
mod table;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use self::metrics::Metrics;
use self::run::Inbox;
use crate::exchange::arrival::Arrival;
use crate::exchange::enquiry::{Asker, ENQUIRIES_MAX, Enquiry, PulseAsker};
use crate::exchange::outlet::Outlet;
use crate::exchange::question::Uplink;
use tickerd_model::decoder::Limits;
use tickerd_model::deflate;

/// Beats that wait for a shard before it counts as behind.
const BEATS_MAX: usize = 4;
/// Upgraded sockets that wait for a shard.
const ARRIVALS_MAX: usize = 4096;

/// What all shards know.
#[derive(Debug)]
pub struct Settings {
    /// `tickerd/0.1.0`, for `connected`.
    pub server: String,
    /// New whenever history is.
    pub epoch: String,
    /// How messages are compressed for those who negotiated it.
    pub deflate: deflate::Settings,
    /// What a client may say at once.
    pub limits: Limits,
    /// The same for `/echo`.
    pub echo_limits: Limits,
    /// Exact topics per connection.
    pub topics_max: usize,
    /// Patterns per connection.
    pub patterns_max: usize,
    /// Commands per second and connection, in the long run.
    pub commands_per_s: u32,
    /// Commands at once.
    pub commands_burst: u32,
    /// A heartbeat comes when nothing else did for so long.
    pub heartbeat: Duration,
    /// A ping goes out when nothing was heard for so long.
    pub ping: Duration,
    /// A connection is closed when nothing was heard for so long.
    pub pong_timeout: Duration,
    /// From `closing` to the end.
    pub drain: Duration,
}

/// The running shards.
pub struct Fanout {
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
        let settings = Arc::new(settings);
        let (stop, stopped) = watch::channel(false);
        let mut outlet = Outlet::new(metrics.beats_behind.clone());
        let mut fanout = Fanout { ports: Vec::new(), stop, threads: Vec::new() };
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

    /// Per shard, how often it has looked around; a number that stands still means that it hangs.
    pub fn turns(&self) -> Vec<Arc<AtomicU64>> {
        self.ports.iter().map(|port| port.turns.clone()).collect()
    }

    /// Tells all clients, and waits until they are gone or the drain time is over. Who is still on the way here is seen off
    /// too: each shard also waits, for a while, until every [`Intake`] is gone.
    pub fn stop(self) {
        let Fanout { ports, stop, threads } = self;
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
