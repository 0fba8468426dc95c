//! One shard with real sockets, driven step by step.

mod access;
mod bars;
mod client;
mod encodings;
mod epochs;
mod many;
mod midway;
mod recovery;
mod shared;
mod stale;
mod turns;
mod wants;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use prometheus::Registry;
use tokio::task::LocalSet;

use self::client::Client;
use super::delivery::{deliver, take};
use super::*;
use crate::exchange::ConnId;
use crate::exchange::access::{Judge, anyone};
use crate::exchange::arrival::{Caller, Kind, Opening, Place, Socket, UserFull};
use crate::exchange::beat::Beat;
use crate::exchange::limit::Tally;
use crate::exchange::question::{Asked, Question, Want};
use crate::exchange::source::tests::{F, board_of_f, feed};
use crate::fanout::{Fanout, Settings};
use tickerd_model::access::identity::Identity;
use tickerd_model::board::{Board, Change};
use tickerd_model::history::Limits;
use tickerd_model::protocol::command::{Mode, Terms};
use tickerd_model::sample::Class;
use tickerd_model::tick::Tick;
use tickerd_model::topic::Topic;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::decoder;
use tickerd_model::wire::deflate;
use tickerd_model::wire::encoding::Encoding;

/// A shard of one feed `f`, and the board that fills its beats.
struct Bench {
    shard: Rc<RefCell<Shard>>,
    /// What the shard is told when it looks.
    newest: Newest,
    board: Board,
    topics: Vec<Topic>,
    questions: mpsc::Receiver<Question>,
    wants: Option<mpsc::Receiver<Vec<Want>>>,
}

/// A place for a connection whose user may have any number of them, unless it is `full`.
struct Free;

impl Place for Free {
    fn count_for_user(&self, user: &str) -> Result<(), UserFull> {
        if user == "full" { Err(UserFull) } else { Ok(()) }
    }
}

fn settings(drain: Duration) -> Settings {
    let limits = decoder::Limits { message: 1 << 16, fragments: 16 };
    let second = Duration::from_secs(1);
    Settings {
        server: "tickerd/test".into(),
        epoch: "e".into(),
        node: None,
        deflate: deflate::Settings::default(),
        limits,
        echo_limits: limits,
        topics_max: 100,
        patterns_max: 4,
        commands_per_s: 10,
        commands_burst: 20,
        handshakes_per_s: 500,
        pending: 1 << 20,
        tally: Arc::new(Tally::new(&Registry::new(), &[]).unwrap()),
        heartbeat: second * 15,
        ping: second * 20,
        pong_timeout: second * 40,
        access: None,
        drain,
    }
}

impl Bench {
    fn new(topics: usize) -> Bench {
        Bench::with(topics, None)
    }

    fn with(topics: usize, access: Option<Arc<dyn Judge>>) -> Bench {
        Bench::of(topics, Settings { access, ..settings(Duration::from_secs(1)) })
    }

    fn of(topics: usize, settings: Settings) -> Bench {
        let metrics = Arc::new(Metrics::new(&Registry::new()).unwrap());
        let load = Arc::new(AtomicUsize::new(0));
        let (uplink, Asked { questions, wants, .. }) = Uplink::new(Arc::new(|| {}));
        let newest = Newest::new(settings);
        let shard = shard(0, newest.clone(), metrics, load, uplink);
        let topics = (0..topics).map(|at| Topic::new(&format!("f.{at}"), "q", Class::State)).collect();
        let limits = Limits { count: 256, age: Duration::from_secs(60), bytes: usize::MAX };
        let board = board_of_f(limits);
        shard.borrow_mut().table.topics.open(&feed(F.0, "f", &[]));
        Bench { shard, newest, board, topics, questions, wants: Some(wants) }
    }

    /// A client that asked for `topics` with its address and was greeted; it is connection 0, 1, and so on.
    async fn client(&self, topics: &[&str]) -> Client {
        self.client_in(Encoding::Json, topics).await
    }

    async fn client_in(&self, encoding: Encoding, topics: &[&str]) -> Client {
        let who = anyone(self.shard.borrow().settings.access.as_deref());
        self.client_of(who, encoding, topics).await
    }

    async fn client_of(&self, who: Arc<Identity>, encoding: Encoding, topics: &[&str]) -> Client {
        let (mut arrival, client) = arrival(topics, encoding);
        arrival.who = who;
        self.shard.borrow().load.fetch_add(1, Ordering::Relaxed);
        self.shard.borrow_mut().arrive(arrival);
        // It is read once it has been greeted.
        let greeted = || {
            let shard = self.shard.borrow();
            let newest = shard.connections.values().max_by_key(|conn| conn.generation);
            newest.is_none_or(|conn| conn.is_read)
        };
        while !greeted() {
            tokio::task::yield_now().await;
        }
        client
    }

    /// Each topic says something of `bytes`.
    fn beat(&mut self, bytes: usize) -> Beat {
        self.beat_of(bytes, None)
    }

    /// The same, `from` a client.
    fn beat_of(&mut self, bytes: usize, from: Option<&str>) -> Beat {
        for topic in &self.topics {
            let value = format!("\"{}{}\"", "x".repeat(bytes), rand::random::<u64>());
            let value = value.as_bytes().into();
            let (topic, from) = (topic.clone(), from.map(Arc::from));
            let tick = Tick { topic, seq: 0, n: 0, ts: 0, src_ts: 0, from, value, merged: 0 };
            self.board.offer(F, tick);
        }
        let mut beat = Beat { changes: self.board.take_changes(), ..Beat::default() };
        self.board.take_due(F, 0, &mut beat.due);
        self.board.remember(&beat.due);
        beat
    }

    async fn push(&mut self, bytes: usize) {
        let beat = self.beat(bytes);
        deliver(&self.shard, &beat).await;
    }

    fn has_outbox(&self, id: ConnId) -> bool {
        self.shard.borrow_mut().connection(id).is_some_and(|conn| conn.outbox.is_some())
    }
}

fn arrival(topics: &[&str], encoding: Encoding) -> (Arrival, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let opening = Opening {
        topics: topics.iter().map(|t| t.to_string()).collect(),
        terms: Terms { rate: None, mode: Mode::Latest },
        last: None,
    };
    let arrival = Arrival {
        socket: Socket::Unix(ours),
        read_buf: bytes::Bytes::new(),
        kind: Kind::Ticker {
            opening: Some(opening).filter(|opening| !opening.topics.is_empty()),
            name: None,
        },
        who: Arc::new(Identity::anyone()),
        caller: Caller::default(),
        encoding,
        permit: Box::new(Free),
        share: None,
    };
    (arrival, Client { socket: theirs, unread: Vec::new(), all: Vec::new(), later: Vec::new() })
}

/// (topic, seq) of each data frame.
fn seqs(frames: &[String]) -> Vec<(String, u64)> {
    let ticks = frames.iter().filter(|frame| frame.starts_with(r#"{"event":"q""#));
    ticks
        .map(|frame| {
            let tick: serde_json::Value = serde_json::from_str(frame).unwrap();
            (tick["data"]["topic"].as_str().unwrap().to_owned(), tick["data"]["seq"].as_u64().unwrap())
        })
        .collect()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Other nodes may not have heard yet that this one has a new life.
#[test]
fn a_node_does_not_begin_with_the_names_of_its_former_life() {
    let name = || {
        let node = Some("a".into());
        let bench = Bench::of(0, Settings { node, ..settings(Duration::from_secs(1)) });
        let mut shard = bench.shard.borrow_mut();
        shard.arrive(arrival(&[], Encoding::Json).0);
        shard.connection(0).unwrap().generation
    };
    run(async { assert_ne!(name(), name()) });
}

#[test]
fn pings_of_one_read_are_all_answered_in_order() {
    run(async {
        let bench = Bench::new(0);
        let mut client = bench.client(&[]).await;
        assert!(client.read().concat().starts_with(r#"{"event":"connected""#));
        let payloads: Vec<String> = (0..300).map(|at| at.to_string()).collect();
        client.say(9, &payloads.iter().map(String::as_str).collect::<Vec<_>>());
        let mut pongs = Vec::new();
        while pongs.len() < payloads.len() {
            tokio::task::yield_now().await;
            pongs.extend(client.read());
        }
        assert_eq!(pongs, payloads);
    });
}

/// One who never stops talking leaves room for the others.
#[test]
fn a_flood_of_one_client_lets_another_be_heard() {
    run(async {
        let bench = Bench::new(0);
        let (mut loud, mut quiet) = (bench.client(&[]).await, bench.client(&[]).await);
        quiet.read();
        let flooding = std::thread::spawn(move || {
            loud.socket.set_nonblocking(false).unwrap();
            let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(10_000);
            while loud.socket.write_all(&pongs).is_ok() {}
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        quiet.say(1, &[r#"{"event":"ping","data":{"id":1}}"#]);
        while quiet.read().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.shard.borrow_mut().drop_connection(0, 1006);
        flooding.join().unwrap();
    });
}

/// Every way out leaves the counts as they were.
#[test]
fn gauges_come_back_to_nothing() {
    run(async {
        let mut bench = Bench::new(20);
        let clients = [bench.client(&["f.**"]).await, bench.client(&["f.1"]).await, bench.client(&[]).await];
        bench.push(0).await;
        while !bench.has_outbox(0) {
            bench.push(4_000).await;
        }
        let mut shard = bench.shard.borrow_mut();
        assert_eq!((shard.metrics.connections.get(), shard.metrics.connections_lagging.get()), (3, 1));
        assert_eq!(shard.table.cohorts.subscriptions(), &[1, 0, 0, 1, 0, 0]);
        assert_eq!(shard.metrics.clients.of(Encoding::Json, false).get(), 3);
        shard.close(0, CloseCode::ServiceRestart);
        shard.close(1, CloseCode::ServiceRestart);
        for id in 0..3 {
            shard.drop_connection(id, 1006);
            shard.drop_connection(id, 1006);
        }
        assert_eq!((shard.metrics.connections.get(), shard.metrics.connections_lagging.get()), (0, 0));
        assert_eq!(shard.table.cohorts.subscriptions(), &[0; 6]);
        assert_eq!(shard.metrics.clients.of(Encoding::Json, false).get(), 0);
        assert_eq!((shard.load.load(Ordering::Relaxed), shard.table.cohorts.count()), (0, 0));
        assert_eq!(shard.metrics.closes.with_label_values(&["1012"]).get(), 2);
        assert_eq!(shard.metrics.closes.with_label_values(&["1006"]).get(), 1);
        drop(clients);
    });
}

/// The pulse's last beat and the word to stop come together, and the beat goes out before the goodbye.
#[test]
fn the_last_beat_goes_out_before_the_goodbye() {
    for _ in 0..20 {
        let metrics = Arc::new(Metrics::new(&Registry::new()).unwrap());
        let (fanout, mut outlet) =
            Fanout::start(1, settings(Duration::from_millis(10)), metrics, Arc::new(|| {})).unwrap();
        let opened = Change::Opened(feed(F.0, "f", &[]));
        outlet.send(Beat { changes: vec![opened], ..Beat::default() });
        let (arrival, mut client) = arrival(&["f.0"], Encoding::Json);
        fanout.intake().place(arrival);
        let mut frames = Vec::new();
        while frames.len() < 2 {
            std::thread::yield_now();
            frames.extend(client.read());
        }
        outlet.send(Bench::new(1).beat(0));
        fanout.stop();
        let rest = client.read();
        assert_eq!(seqs(&rest), [("f.0".to_owned(), 1)], "{rest:?}");
        assert!(rest.iter().any(|frame| frame.contains(r#""event":"closing""#)), "{rest:?}");
    }
}

/// A socket that was upgraded before the stop reaches its shard when that sees its clients off, or has none left.
#[test]
fn who_arrives_during_the_goodbye_is_closed_with_a_reason() {
    let metrics = Arc::new(Metrics::new(&Registry::new()).unwrap());
    let (fanout, _outlet) =
        Fanout::start(1, settings(Duration::from_millis(10)), metrics, Arc::new(|| {})).unwrap();
    let intake = fanout.intake();
    let (first, mut early) = arrival(&["f.0"], Encoding::Json);
    intake.place(first);
    let mut frames = Vec::new();
    while frames.len() < 2 {
        std::thread::yield_now();
        frames.extend(early.read());
    }
    let stopping = std::thread::spawn(move || fanout.stop());
    while !frames.iter().any(|frame| frame.contains("closing")) {
        std::thread::yield_now();
        frames.extend(early.read());
    }
    drop(early);
    let mut late: Vec<Client> = Vec::new();
    for _ in 0..3 {
        let (arrival, client) = arrival(&["f.0"], Encoding::Json);
        intake.place(arrival);
        late.push(client);
    }
    for client in &mut late {
        let mut frames = Vec::new();
        while frames.is_empty() {
            assert!(!stopping.is_finished(), "an end without a word");
            std::thread::yield_now();
            frames.extend(client.read());
        }
        assert!(frames.len() == 1 && frames[0].contains("service_restart"), "{frames:?}");
        client.socket.shutdown(std::net::Shutdown::Both).unwrap();
    }
    // It waits for nobody once nobody can come.
    drop(intake);
    stopping.join().unwrap();
}

/// What HTTP asks for is answered by the next beat that brings it, and nobody is kept who lost patience.
#[test]
fn a_question_for_the_next_value_is_answered_by_its_beat() {
    use crate::exchange::enquiry::{Answer, Ask, Enquiry};
    run(async {
        let mut bench = Bench::new(2);
        let next = |topic: &str, seq| {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let what = Ask::Next { topic: topic.into(), seq };
            bench.shard.borrow_mut().answer_enquiry(Enquiry { what, answer });
            answered
        };
        let (first, mut second, gone) = (next("f.0", 0), next("f.0", 1), next("f.none", 0));
        bench.push(0).await;
        assert!(matches!(first.await, Ok(Answer::Value { tag, .. }) if tag == "e-1"));
        assert!(second.try_recv().is_err(), "it has that one");
        bench.push(0).await;
        assert!(matches!(second.await, Ok(Answer::Value { tag, .. }) if tag == "e-2"));
        drop(gone);
        bench.shard.borrow_mut().sweep();
        assert!(bench.shard.borrow().waiters.is_empty());
    });
}
