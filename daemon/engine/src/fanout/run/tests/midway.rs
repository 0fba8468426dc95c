//! What happens to a client between the beginning of a beat and its turn in it.

use std::net::Shutdown;

use super::*;
use tickerd_model::board::Change;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::rooms::{Letter, Seat};

impl Bench {
    /// Fills the socket of client 0, though nothing is owed to it yet.
    fn fill(&self) {
        let mut shard = self.shard.borrow_mut();
        let link = shard.connection(0).unwrap().link.clone();
        const EMPTY_PING: [u8; 2] = [0x89, 0];
        while link.try_write(&EMPTY_PING).is_ok() {}
    }

    /// All that client 0 is told from now on, without pings.
    async fn kinds_told(&self, client: &mut Client) -> Vec<String> {
        let mut frames = recovery::settle(self, client).await;
        frames.retain(|frame| frame.starts_with('{'));
        recovery::kinds(&frames)
    }
}

/// A beat is on its way when a client that lags gets level: what it catches up with is not brought again by the walk.
#[test]
fn who_gets_level_during_a_beat_gets_each_seq_once() {
    run(async {
        let mut bench = Bench::new(20);
        let mut client = bench.client(&["f.**"]).await;
        bench.push(0).await;
        while !bench.has_outbox(0) {
            bench.push(4_000).await;
        }
        bench.push(4_000).await;
        let last = bench.beat(10);
        bench.shard.borrow_mut().begin(&last);
        let mut frames = Vec::new();
        while bench.has_outbox(0) {
            frames.extend(client.read());
            tokio::task::yield_now().await;
        }
        while bench.shard.borrow_mut().walk_on() {}
        frames.extend(client.read());
        let mut newest = BTreeMap::new();
        for (topic, seq) in seqs(&frames) {
            assert!(newest.insert(topic.clone(), seq) < Some(seq), "{topic} {seq} came twice");
        }
        for due in &last.due {
            assert_eq!(newest.get(due.frame.tick().topic.name()), Some(&due.frame.tick().seq));
        }
        assert!(frames.iter().any(|frame| frame.contains(r#""type":"lag""#)));
        let shard = bench.shard.borrow();
        assert_eq!(shard.metrics.connections_lagging.get(), 0);
    });
}

/// A message to it alone, before its turn, finds the socket full.
#[test]
fn a_letter_to_a_full_socket_hides_nothing_of_its_beat() {
    run(async {
        let mut bench = Bench::new(1);
        let mut client = bench.client(&["f.0"]).await;
        let mut beat = bench.beat(1);
        beat.changes.insert(0, Change::Opened(feed(F.0, "f", &[])));
        deliver(&bench.shard, &beat).await;
        client.read();
        bench.fill();
        let mut beat = bench.beat(1);
        let health = Health { state: FeedState::Down, since: 0, reason: "it is".to_owned() };
        beat.health.push((F, health));
        let generation = bench.shard.borrow_mut().connection(0).unwrap().generation;
        let letter = Letter::written("f.0", ("user:ann", "user:bob"), (1, 0), b"1");
        beat.letters.push((Seat { shard: 0, conn: 0, generation }, letter));
        deliver(&bench.shard, &beat).await;
        let told = bench.kinds_told(&mut client).await;
        assert!(told.contains(&"feed".to_owned()), "{told:?}");
        assert!(told.contains(&"f.0 2".to_owned()), "{told:?}");
        assert!(told.contains(&"message".to_owned()), "{told:?}");
    });
}

/// It shuts its sending side before its turn, and the ping that this brings finds the socket full.
#[test]
fn the_end_of_what_a_client_says_hides_no_tick() {
    run(async {
        let mut bench = Bench::new(1);
        let mut client = bench.client(&["f.0"]).await;
        bench.push(1).await;
        client.read();
        bench.fill();
        let beat = bench.beat(1);
        bench.shard.borrow_mut().begin(&beat);
        client.socket.shutdown(Shutdown::Write).unwrap();
        while !bench.has_outbox(0) {
            tokio::task::yield_now().await;
        }
        while bench.shard.borrow_mut().walk_on() {}
        let told = bench.kinds_told(&mut client).await;
        assert!(told.contains(&"f.0 2".to_owned()), "{told:?}");
    });
}
