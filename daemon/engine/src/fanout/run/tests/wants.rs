//! Which bars are asked for is told to the pulse exactly: each name when a first client asks for it, and when the last does no more.

use std::collections::BTreeSet;

use super::access::{Words, rights};
use super::*;
use crate::fanout::connection::request::SubscribeRequest;
use crate::fanout::shard::turns::Costly;
use crate::fanout::table::effort::Effort;
use tickerd_model::source::{Kind as SourceKind, Source};
use tickerd_model::topic::bar;

/// What clients ask for, and whether it may be had by who may have everything, and by who may have `f.a` alone.
const NAMES: [(&str, bool, bool); 13] = [
    ("f.a", true, true),
    ("f.**", true, true),
    ("tickerd.stats", false, false),
    ("tickerd.bars.1m.f.a", true, true),
    ("tickerd.bar.1m.f.a", true, true),
    ("tickerd.bar.10s.f.b", true, false),
    ("tickerd.bars.5m.f.a", false, false),
    ("tickerd.bars.1m.r.a", false, false),
    ("tickerd.bar.1m.f.*", true, true),
    ("tickerd.*.1m.f.b", true, false),
    ("tickerd.bars.**", true, true),
    ("tickerd.**", true, true),
    ("tickerd.bar.1m.**", true, true),
];
/// As [`settings`] has it.
const PATTERNS_MAX: usize = 4;

/// What a client asks for, as it should be.
struct Asker {
    id: ConnId,
    is_sse: bool,
    is_narrow: bool,
    names: BTreeSet<&'static str>,
    _client: Client,
}

impl Asker {
    fn subscribe(&mut self, names: &[(&'static str, bool, bool)]) {
        for (name, wide, narrow) in names {
            let patterns = self.names.iter().filter(|name| name.contains('*')).count();
            let is_over = name.contains('*') && !self.names.contains(name) && patterns >= PATTERNS_MAX;
            if !is_over && if self.is_narrow { *narrow } else { *wide } {
                self.names.insert(name);
            }
        }
    }
}

/// A shard and its clients.
struct Side {
    bench: Bench,
    wants: mpsc::Receiver<Vec<Want>>,
    askers: Vec<Asker>,
    /// What the pulse knows.
    told: BTreeSet<Box<str>>,
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn names(&mut self) -> Vec<(&'static str, bool, bool)> {
        (0..=self.below(4)).map(|_| NAMES[self.below(NAMES.len())]).collect()
    }
}

fn texts(names: &[(&'static str, bool, bool)]) -> Vec<String> {
    names.iter().map(|(name, ..)| (*name).to_owned()).collect()
}

impl Side {
    fn new() -> Side {
        let words = Words::default();
        words.anonymous.lock().unwrap().push("**");
        let mut bench = Bench::with(0, Some(Arc::new(words)));
        let own = |kind, name: &str| Source {
            kind,
            only: Some(["tickerd.stats".into()].into()),
            periods: ["10s".into(), "1m".into()].into(),
            ..Arc::into_inner(feed(kind as u32, name, &[])).unwrap()
        };
        for source in [own(SourceKind::Own, "tickerd"), own(SourceKind::Room, "r")] {
            bench.shard.borrow_mut().table.topics.open(&Arc::new(source));
        }
        let wants = bench.wants.take().unwrap();
        Side { bench, wants, askers: Vec::new(), told: BTreeSet::new() }
    }

    /// Takes what was reported; each name changes with each report.
    fn read(&mut self) {
        while let Ok(wants) = self.wants.try_recv() {
            for Want { name, is_wanted } in wants {
                let has_changed = if is_wanted { self.told.insert(name) } else { self.told.remove(&name) };
                assert!(has_changed);
            }
        }
    }

    /// Does all that waits for its turn.
    async fn settle(&mut self) {
        self.bench.shard.borrow_mut().begin_turn();
        while self.bench.shard.borrow().has_work() {
            self.bench.shard.borrow_mut().work();
            self.bench.shard.borrow_mut().begin_turn();
        }
        tokio::task::yield_now().await;
    }

    /// In the end the pulse knows what clients ask for, and nothing else.
    async fn check(&mut self) {
        self.settle().await;
        self.read();
        self.bench.shard.borrow_mut().sweep();
        self.read();
        let asked = self.askers.iter().flat_map(|asker| &asker.names);
        let asked: BTreeSet<&str> = asked.copied().filter(|name| bar::reach(name).is_some()).collect();
        assert!(
            self.told.iter().map(|name| &**name).eq(asked.iter().copied()),
            "{:?}, not {asked:?}",
            self.told
        );
    }

    fn subscribe(&self, id: ConnId, names: Vec<String>) {
        let terms = Terms { rate: None, mode: Mode::Latest };
        let wanted = SubscribeRequest::of_command(None, names, terms, true);
        self.bench.shard.borrow_mut().undertake(id, Costly::Subscribe(Box::new(wanted)));
    }

    async fn step(&mut self, chance: &mut Chance) {
        let at = chance.below(self.askers.len().max(1));
        let names = chance.names();
        let what = if self.askers.is_empty() { 0 } else { chance.below(12) };
        if what == 0 {
            let encoding = [Encoding::Json, Encoding::Msgpack, Encoding::Sse][chance.below(3)];
            let topics: Vec<&str> = names.iter().map(|(name, ..)| *name).collect();
            let client = self.bench.client_in(encoding, &topics).await;
            let newest = self
                .bench
                .shard
                .borrow()
                .connections
                .iter()
                .max_by_key(|(_, conn)| conn.generation)
                .map(|(id, _)| id);
            let is_sse = encoding == Encoding::Sse;
            let mut asker = Asker {
                id: newest.unwrap(),
                is_sse,
                is_narrow: false,
                names: BTreeSet::new(),
                _client: client,
            };
            asker.subscribe(&names);
            self.askers.push(asker);
            return self.settle().await;
        }
        let Asker { id, is_sse, .. } = self.askers[at];
        match what {
            1..=4 if !is_sse => {
                self.subscribe(id, texts(&names));
                self.askers[at].subscribe(&names);
            }
            5..=7 if !is_sse => {
                let command = Costly::Unsubscribe { request: None, names: texts(&names) };
                self.bench.shard.borrow_mut().undertake(id, command);
                self.askers[at].names.retain(|asked| names.iter().all(|(name, ..)| name != asked));
            }
            8 if !is_sse => {
                let asker = &mut self.askers[at];
                asker.is_narrow = !asker.is_narrow;
                let grants = if asker.is_narrow { "f.a" } else { "**" };
                let who = Identity { user: Some("ann".into()), ..Identity::anonymous(rights([grants])) };
                self.bench.shard.borrow_mut().tell_judgement(id, None, Ok(Arc::new(who)));
                if asker.is_narrow {
                    let stays = |name: &str| NAMES.iter().any(|(known, _, narrow)| *known == name && *narrow);
                    asker.names.retain(|name| stays(name));
                }
            }
            // It goes while what it asked for waits for its turn.
            9 if !is_sse => {
                let mut spent = Effort::of(1);
                spent.spend(1);
                self.bench.shard.borrow_mut().turns.effort = spent;
                self.subscribe(id, texts(&names));
                self.bench.shard.borrow_mut().drop_connection(id, 1006);
                self.askers.swap_remove(at);
            }
            10 => {
                self.bench.shard.borrow_mut().close(id, CloseCode::ServiceRestart);
                self.askers.swap_remove(at);
            }
            11 => self.read(),
            _ => {
                self.bench.shard.borrow_mut().drop_connection(id, 1006);
                self.askers.swap_remove(at);
            }
        }
        self.settle().await;
    }
}

/// Goal: no name is told twice, none is forgotten, and in the end nothing is asked for. Method: a schedule of many clients on two shards,
/// made from a seed; reports are read now and then, so that some find the channel full.
#[test]
fn what_is_asked_for_is_told_exactly() {
    run(async {
        for seed in 0..24 {
            let mut chance = Chance(seed);
            let mut sides = [Side::new(), Side::new()];
            for step in 0..160 {
                let side = &mut sides[chance.below(2)];
                side.step(&mut chance).await;
                if step % 40 == 39 {
                    side.check().await;
                }
            }
            for side in &mut sides {
                side.check().await;
                for asker in std::mem::take(&mut side.askers) {
                    side.bench.shard.borrow_mut().drop_connection(asker.id, 1006);
                }
                side.check().await;
                assert!(side.told.is_empty());
            }
        }
    });
}
