//! Whatever is pushed, said and taken, in any order: what a client is owed comes out whole, in order, and nothing twice.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::ahead::Ahead;
use super::newest::PushedSince;
use super::refill::{CatchingUp, Current};
use super::*;
use crate::exchange::source::tests::{F, feed};
use crate::fanout::metrics::Counts;
use crate::fanout::table::asks::{Ask, Edit, Member, What};
use crate::fanout::table::cohorts::Cohorts;
use crate::fanout::table::ids::CohortId;
use crate::fanout::table::topics::Topics;
use tickerd_model::board::{Due, TopicId};
use tickerd_model::protocol::command::{Mode, Terms};
use tickerd_model::sample::Class;
use tickerd_model::tick::Tick;
use tickerd_model::wire::deflate;
use tickerd_model::wire::encoding::{Encoder, Encoding};

/// Had by their newest tick, and then by every tick.
const LATEST: usize = 3;
const TOPICS: usize = 6;

#[derive(Debug, Clone)]
enum Op {
    /// A topic is pushed so often, with a value of so many bytes.
    Push(usize, usize, usize),
    /// An answer to a command.
    Answer,
    /// The socket takes so many bytes, and then no more.
    Take(usize),
    /// The shard itself was behind.
    LoseBacklog,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        // Runs of pushes, or the backlog's bound would never be met.
        8 => (0..TOPICS, prop_oneof![8 => 1usize..5, 1 => 100usize..300], prop_oneof![Just(1usize), Just(5_000)])
            .prop_map(|(topic, times, bytes)| Op::Push(topic, times, bytes)),
        2 => Just(Op::Answer),
        6 => prop_oneof![1usize..200, 1usize..40_000].prop_map(Op::Take),
        1 => Just(Op::LoseBacklog),
    ]
}

/// A client of all topics, and the shard's tables.
struct Bench {
    known: Vec<Topic>,
    topics: Topics,
    cohorts: Cohorts,
    cohort: CohortId,
    encoder: Encoder,
    pos: u64,
    seqs: [u64; TOPICS],
    answers: usize,
    outbox: Outbox,
    ahead: Ahead,
    counts: Counts,
    /// What the socket took.
    taken: Vec<u8>,
}

impl Bench {
    /// The client has just subscribed: every topic has spoken, and its snapshot is owed.
    fn new() -> Bench {
        let (mut topics, mut cohorts) = (Topics::default(), Cohorts::default());
        topics.open(&feed(F.0, "f", &[]));
        let (mut edits, mut snapshots) = (Vec::new(), Vec::new());
        let name = |at: usize| format!("f.{at}");
        let known: Vec<Topic> = (0..TOPICS).map(|at| Topic::new(&name(at), "q", Class::State)).collect();
        for (at, topic) in known.iter().enumerate() {
            let slot = topics.appear(TopicId(at as u32), topic).unwrap();
            let (mode, tier) = if at < LATEST { (Mode::Latest, Tier::OWN) } else { (Mode::All, Tier::Every) };
            edits.push(Edit::Set(Ask { what: What::Exact(slot), terms: Terms { rate: None, mode } }));
            snapshots.push(Snapshot { slot, topic: topic.clone(), tier });
        }
        let member = Member { id: 0, encoding: Encoding::Sse };
        let (cohort, _) = cohorts.edit(&mut topics, member, None, &edits);
        let mut bench = Bench {
            known,
            topics,
            cohorts,
            cohort: cohort.unwrap(),
            encoder: Encoder::new("e", deflate::Settings::default()),
            pos: 0,
            seqs: [0; TOPICS],
            answers: 0,
            outbox: Outbox::new(0, Vec::new(), 0),
            ahead: Ahead::default(),
            counts: Counts::default(),
            taken: Vec::new(),
        };
        for at in 0..TOPICS {
            bench.push(at, 1);
        }
        bench.outbox = Outbox::new(bench.pos, Vec::new(), 0);
        bench.outbox.push_rest(snapshots, Vec::new());
        bench
    }

    fn push(&mut self, at: usize, bytes: usize) {
        self.pos += 1;
        self.seqs[at] += 1;
        let (seq, topic) = (self.seqs[at], self.known[at].clone());
        let value = format!("\"{}\"", "x".repeat(bytes)).into_bytes().into();
        let tick = Tick { topic, seq, n: self.pos, ts: 0, src_ts: 0, from: None, value, merged: 0 };
        let due = Due {
            topic: TopicId(at as u32),
            tier: Tier::Every,
            frame: Arc::new(Frame::new(tick)),
            earlier: None,
            is_newest: true,
        };
        let id = self.topics.of_board(due.topic).unwrap();
        self.topics.slot_mut(id).unwrap().push(&due, self.pos);
        let payload = match at < LATEST {
            true => Payload::Newest(id, due.frame),
            false => Payload::Every(id, due.frame),
        };
        self.outbox.pass(&Item { pos: self.pos, payload }, 1 << 20);
    }

    /// The socket takes so many bytes at most; whether the client is level.
    fn take(&mut self, mut bytes: usize) -> bool {
        let mut pushed = PushedSince::default();
        let health = BTreeMap::new();
        loop {
            if self.outbox.unsent().is_empty() {
                let Bench { topics, cohorts, encoder, ahead, counts, pos, .. } = self;
                let cohort = cohorts.get(self.cohort).unwrap();
                let current = Current { topics, cohorts, health: &health, encoder, pos: *pos, stale_pos: 0 };
                if !self.outbox.refill(current, CatchingUp { cohort, ahead, pushed: &mut pushed, counts }) {
                    self.ahead = Ahead::default();
                    self.outbox = Outbox::new(self.pos, Vec::new(), 0);
                    return true;
                }
                continue;
            }
            let taken = &self.outbox.unsent()[..bytes.min(self.outbox.unsent().len())];
            self.taken.extend_from_slice(taken);
            let taken = taken.len();
            bytes -= taken;
            self.outbox.sent(taken, 0);
            if bytes == 0 {
                self.outbox.refused();
                return false;
            }
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Push(at, times, bytes) => (0..times).for_each(|_| self.push(at, bytes)),
            Op::Answer => {
                self.answers += 1;
                self.outbox.push_bytes(format!("data: {{\"answer\":{}}}\n\n", self.answers).as_bytes());
            }
            Op::Take(bytes) => drop(self.take(bytes)),
            Op::LoseBacklog => {
                // As a beat does it: a notice, and the ticks behind it are the newest.
                let names: Vec<String> = (LATEST..TOPICS).map(|at| format!("f.{at}")).collect();
                let topics = names.iter().map(String::as_str).collect();
                let notice = Rc::new(tickerd_model::protocol::event::message(
                    &tickerd_model::protocol::event::Notice::reset(topics),
                ));
                self.pos += 1;
                let payload = Payload::Notice(WhenLate::LoseBacklog, notice);
                self.outbox.pass(&Item { pos: self.pos, payload }, 1 << 20);
            }
        }
    }

    /// Holds what came against what was pushed and said.
    fn check(&self) {
        let text = std::str::from_utf8(&self.taken).unwrap();
        assert!(text.is_empty() || text.ends_with("\n\n"), "whole events");
        let (mut answers, mut last) = (0, BTreeMap::<String, u64>::new());
        let mut is_reset = HashSet::new();
        for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let said: serde_json::Value = serde_json::from_str(data).unwrap();
            if let Some(answer) = said["answer"].as_u64() {
                answers += 1;
                assert_eq!(answer, answers, "answers come in order");
                continue;
            }
            if said["data"]["type"] == "reset" {
                let names = said["data"]["topics"].as_array().unwrap();
                is_reset.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
                continue;
            }
            let (name, seq) =
                (said["data"]["topic"].as_str().unwrap(), said["data"]["seq"].as_u64().unwrap());
            let before = last.insert(name.to_owned(), seq);
            assert!(before < Some(seq), "{name}: {seq} came after {before:?}");
            let at: usize = name.strip_prefix("f.").unwrap().parse().unwrap();
            let may_skip = at < LATEST || is_reset.remove(name);
            assert!(
                may_skip || before.is_none_or(|before| before + 1 == seq),
                "{name} lost some before {seq}"
            );
        }
        assert_eq!(answers, self.answers as u64);
        for (at, seq) in self.seqs.iter().enumerate() {
            assert_eq!(last.get(&format!("f.{at}")), Some(seq), "the newest of f.{at} came");
        }
    }
}

proptest! {
    #[test]
    fn all_that_is_owed_comes_in_order_and_once(ops in prop::collection::vec(op(), 1..80)) {
        let mut bench = Bench::new();
        for op in &ops {
            bench.apply(op);
        }
        prop_assert!(bench.take(usize::MAX));
        bench.check();
    }
}

#[test]
fn a_lag_is_what_passed_by_and_was_not_caught_up_with() {
    let mut bench = Bench::new();
    assert!(bench.take(usize::MAX));
    (0..5).for_each(|_| bench.push(0, 1));
    assert_eq!(bench.outbox.lag(), None, "an answer on its way is no lag");
    assert!(bench.outbox.refused() && !bench.outbox.refused());
    let missed = bench.outbox.passed.missed;
    assert_eq!((missed, bench.outbox.lag().unwrap().skipped), (5, 5));
    bench.outbox.passed.caught_up = 1;
    assert_eq!(bench.outbox.lag().unwrap().skipped, 4);
}
