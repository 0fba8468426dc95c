//! Fan-out: shards that own the connections, cohorts of those who asked for the same, one write per connection per beat.

mod ages;
mod answers;
pub mod arrival;
mod backlog;
pub mod beat;
mod catch_up;
mod cohorts;
mod comings;
mod commands;
mod connection;
mod effort;
pub mod enquiry;
mod jobs;
mod joined;
mod link;
pub mod metrics;
mod moved;
mod names;
mod past;
mod patterns;
pub mod question;
mod reading;
pub mod rooms;
mod shard;
mod shares;
mod stall;
mod subscriptions;
pub mod topics;
mod walk;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use self::arrival::Arrival;
use self::beat::Beat;
use self::enquiry::{Asker, ENQUIRIES_MAX, Enquiry};
use self::metrics::Metrics;
use self::question::{Answer, Asked, Downlink, Move, Question, Uplink};
use self::shard::{Inbox, Shard};
use self::topics::FeedFacts;
use tickerd_model::decoder::Limits;
use tickerd_model::deflate;

/// Beats that wait for a shard before it counts as behind.
const BEATS_MAX: usize = 4;
/// Room that is left for beats when a shard's questions are answered.
const BEATS_ROOM: usize = 2;
/// Questions answered at once, and ticks and topics in those answers, about: a shard takes some milliseconds for them.
const ANSWERS_MAX: usize = 64;
const ANSWERS_WEIGHT_MAX: usize = 16_384;
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
    /// The configured feeds, in order; behind them those of declared topics, and the server's own.
    pub feeds: Arc<[FeedFacts]>,
    /// The declared topics, in order.
    pub rooms: Arc<[Box<str>]>,
    /// Those of them that take messages.
    pub publish: Arc<[Box<str>]>,
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

/// Sends beats to all shards, holds for each what it was too busy to take, and answers their questions.
pub struct Outlet {
    ports: Vec<OutPort>,
    metrics: Arc<Metrics>,
}

struct OutPort {
    beats: mpsc::Sender<Downlink>,
    missed: Option<Beat>,
    asked: Asked,
}

impl Outlet {
    /// Hands a beat to every shard. Never waits: a shard that is behind gets the newest of all it missed with the next.
    pub fn send(&mut self, beat: Beat) -> Arc<Beat> {
        let beat = Arc::new(beat);
        for OutPort { beats, missed, .. } in &mut self.ports {
            // Nobody else sends here, so room that is seen stays; an ended shard's channel takes nothing, and needs nothing.
            if beats.capacity() == 0 {
                if !beat.is_empty() {
                    self.metrics.beats_behind.inc();
                    missed.get_or_insert_default().absorb(&beat);
                }
                continue;
            }
            let due = match missed.take() {
                None if beat.is_empty() => continue,
                None => beat.clone(),
                Some(mut all) => {
                    all.absorb(&beat);
                    Arc::new(all)
                }
            };
            drop(beats.try_send(Downlink::Beat(due)));
        }
        beat
    }

    /// Answers some questions of each shard that has had all beats and has room for more. What has been pushed, and
    /// nothing else, may be told: the shard takes what comes next for live.
    pub fn answer(&mut self, mut answer: impl FnMut(Question) -> Answer) {
        for OutPort { beats, missed, asked } in &mut self.ports {
            if missed.is_some() || beats.capacity() < BEATS_ROOM {
                continue;
            }
            let (mut answers, mut weight) = (Vec::new(), 0);
            while answers.len() < ANSWERS_MAX
                && weight < ANSWERS_WEIGHT_MAX
                && let Ok(question) = asked.questions.try_recv()
            {
                let answer = answer(question);
                weight += answer.weight();
                answers.push(answer);
            }
            if !answers.is_empty() {
                drop(beats.try_send(Downlink::Answers(answers)));
            }
        }
    }

    /// Whether a shard still has to be told of something.
    pub fn owes(&self) -> bool {
        self.ports.iter().any(|port| port.missed.is_some() || !port.asked.questions.is_empty())
    }

    /// Whether anyone asks for every tick of anything.
    pub fn wants_every(&self) -> bool {
        self.ports.iter().any(|port| port.asked.every.load(Ordering::Relaxed) > 0)
    }

    /// Who came to declared topics and left them, by shard in order.
    pub fn moves(&mut self) -> Vec<Move> {
        let mut all = Vec::new();
        for port in &mut self.ports {
            while let Ok(moves) = port.asked.moves.try_recv() {
                all.extend(moves);
            }
        }
        all
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
        let mut outlet = Outlet { ports: Vec::new(), metrics: metrics.clone() };
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
                LocalSet::new().block_on(&runtime, Shard::run(number, settings, metrics, counted, inbox));
            })?;
            outlet.ports.push(OutPort { beats: beats_in, missed: None, asked });
            fanout.ports.push(Port { arrivals: arrivals_in, enquiries: enquiries_in, load, turns });
            fanout.threads.push(thread);
        }
        Ok((fanout, outlet))
    }

    /// A handle for the server.
    pub fn intake(&self) -> Intake {
        Intake { ports: self.ports.iter().map(|port| (port.arrivals.clone(), port.load.clone())).collect() }
    }

    /// Another, for what HTTP asks.
    pub fn asker(&self) -> Asker {
        Asker::new(self.ports.iter().map(|port| port.enquiries.clone()))
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

#[cfg(test)]
mod tests {
    use super::question::From;
    use super::*;
    use tickerd_model::lane::{FeedState, Health};

    fn beat(since: u64) -> Beat {
        let health = Health { state: FeedState::Up, since, reason: String::new() };
        Beat { health: vec![(0, health)], ..Beat::default() }
    }

    fn port(beats: usize) -> (OutPort, mpsc::Receiver<Downlink>, Uplink) {
        let (beats_in, beats) = mpsc::channel(beats);
        let (uplink, asked) = Uplink::new(Arc::new(|| {}));
        (OutPort { beats: beats_in, missed: None, asked }, beats, uplink)
    }

    fn since(item: Downlink) -> Vec<u64> {
        match item {
            Downlink::Beat(beat) => beat.health.iter().map(|(_, health)| health.since).collect(),
            Downlink::Answers(_) => panic!("nobody asked"),
        }
    }

    #[test]
    fn a_busy_shard_is_owed_the_newest_and_an_idle_one_is_not_bothered() {
        let metrics = Arc::new(Metrics::new(&prometheus::Registry::new()).expect("fresh"));
        let ((busy_in, mut busy, _), (idle_in, mut idle, _)) = (port(1), port(8));
        let mut outlet = Outlet { ports: vec![busy_in, idle_in], metrics: metrics.clone() };
        for since in 1..=3 {
            outlet.send(beat(since));
        }
        outlet.send(Beat::default());
        assert!(outlet.owes());
        assert_eq!(metrics.beats_behind.get(), 2, "trying again is not another beat");
        assert_eq!(busy.try_recv().map(since), Ok(vec![1]));
        outlet.send(Beat::default());
        assert!(!outlet.owes());
        assert_eq!(busy.try_recv().map(since), Ok(vec![3]));
        for expected in 1..=3 {
            assert_eq!(idle.try_recv().map(since), Ok(vec![expected]));
        }
        assert!(idle.try_recv().is_err(), "what says nothing is not sent");
    }

    fn question(conn: u32) -> Question {
        let about = question::About::History { topic: "f.a".into(), limit: 1 };
        Question { from: From::Client { conn, generation: 0 }, request: None, about }
    }

    fn found(question: Question) -> Answer {
        let found = question::Found::History { topic: "f.a".into(), past: None };
        Answer { from: question.from, request: question.request, found }
    }

    /// Whoever is behind has not had what the answer follows; and a shard's beats must not wait for its answers.
    #[test]
    fn a_question_is_answered_behind_all_beats_and_leaves_room_for_more() {
        let metrics = Arc::new(Metrics::new(&prometheus::Registry::new()).expect("fresh"));
        let (port, mut shard, uplink) = port(4);
        let mut outlet = Outlet { ports: vec![port], metrics };
        for conn in 0..300 {
            uplink.ask(question(conn)).expect("there is room");
        }
        for since in 1..=5 {
            outlet.send(beat(since));
        }
        outlet.answer(found);
        for expected in 1..=4 {
            assert_eq!(shard.try_recv().map(since), Ok(vec![expected]));
        }
        assert!(shard.try_recv().is_err(), "the fifth was too much and is owed: no answer goes before it");
        outlet.send(Beat::default());
        assert_eq!(shard.try_recv().map(since), Ok(vec![5]));
        let mut answered = Vec::new();
        while outlet.owes() {
            outlet.answer(found);
            outlet.answer(found);
            outlet.answer(found);
            outlet.answer(found);
            let mut items = 0;
            while let Ok(Downlink::Answers(answers)) = shard.try_recv() {
                items += 1;
                answered.extend(answers.iter().map(|answer| answer.from));
            }
            assert!((1..=3).contains(&items), "{items} of 4 places");
        }
        let asked = (0..300).map(|conn| From::Client { conn, generation: 0 });
        assert_eq!(answered, asked.collect::<Vec<_>>());
    }

    #[test]
    fn questions_have_a_bound() {
        let (port, _shard, uplink) = port(4);
        for conn in 0..question::QUESTIONS_MAX as u32 {
            uplink.ask(question(conn)).expect("there is room");
        }
        assert_eq!(uplink.ask(question(0)), Err(question::NotAsked::Full));
        drop(port);
        assert_eq!(uplink.ask(question(0)), Err(question::NotAsked::Ended));
    }
}
