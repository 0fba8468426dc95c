//! What is told of bars while others come and go.

use super::*;
use crate::exchange::source::tests::{F, board_of_f};
use tickerd_model::bars::member::Member;
use tickerd_model::bars::plan::Period;
use tickerd_model::bars::{Spec, Specs};
use tickerd_model::history::Limits;
use tickerd_model::tier::Tier;

const NOON: u64 = 1_800_000_000_000;
const NAME: &str = "tickerd.bars.1s.f.a";

struct Desk {
    bars: Bars,
    board: Board,
    wants: Wants,
    live: Live,
    a: Topic,
}

impl Desk {
    fn new() -> Desk {
        let second = Period { name: "1s".into(), ms: 1_000, keep_ms: 3_600_000 };
        let mut bars = Bars::new(Plan::new(vec![second]), 1 << 20);
        bars.specify(F, Specs::All(Arc::new(Spec { main: Member::new(""), size: None })));
        let mut live = Live::default();
        live.open(F);
        let a = Topic::new("f.a", "quote", Class::State);
        Desk { bars, board: board_of_f(Limits::NONE), wants: Wants::new(["1s"]), live, a }
    }

    fn tick(&mut self, second: u64) {
        let ts = NOON + second * 1_000;
        self.bars.look(second * 1_000, ts);
        let (topic, value) = (self.a.clone(), b"1".as_slice().into());
        let tick = Tick { topic, seq: 0, n: 0, ts, src_ts: 0, from: None, value, merged: 0 };
        self.bars.take(F, &tick);
    }

    fn want(&mut self, is_wanted: bool) {
        self.wants.take_in([Want { name: NAME.into(), is_wanted }]);
    }

    /// The seconds whose bars are told, as `seq` and as the bar says.
    fn beat(&mut self) -> Vec<(u64, u64)> {
        let Desk { bars, board, wants, live, .. } = self;
        live.beat(F, wants, &mut Stage { bars, board, now_ms: NOON });
        let mut due = Vec::new();
        board.take_due(F, 0, &mut due);
        // At the tier of every tick, each is there once.
        let every = due.iter().filter(|due| due.tier == Tier::Every);
        let frames: Vec<Arc<Frame>> = every
            .flat_map(|due| due.earlier.iter().flat_map(|all| all.iter()).chain([&due.frame]))
            .filter(|frame| frame.tick().topic.name() == NAME)
            .cloned()
            .collect();
        let told = frames.iter().map(|frame| {
            let value: serde_json::Value = serde_json::from_slice(&frame.tick().value).unwrap();
            (frame.tick().seq - NOON / 1_000, value["start"].as_u64().unwrap() / 1_000 - NOON / 1_000)
        });
        told.collect()
    }
}

/// Goal: nobody is told of a bar twice, by another number. Method: a bar closes while it is watched, its topic goes and is back before
/// the next beat.
#[test]
fn a_bar_that_closed_before_its_topic_was_back_is_told_once() {
    let mut desk = Desk::new();
    (0..2).for_each(|second| desk.tick(second));
    desk.want(true);
    assert_eq!(desk.beat(), [(0, 0)]);
    desk.tick(2);
    desk.want(false);
    let Desk { bars, board, wants, live, .. } = &mut desk;
    live.find(&wants.take_changes(), bars);
    live.work(wants, &mut Stage { bars, board, now_ms: NOON });
    desk.want(true);
    assert_eq!(desk.beat(), [(1, 1)]);
    desk.tick(3);
    assert_eq!(desk.beat(), [(2, 2)]);
}
