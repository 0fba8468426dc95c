//! The bars of a few topics against a naive model: every tick that was ever taken, grouped anew for each question.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bars::bar::Mark;
use crate::bars::member::Member;
use crate::bars::plan::Period;
use crate::bars::saving::{Saved, SavedBar, read_row};
use crate::sample::Class;

mod lapses;
mod limits;

pub(super) const F: SourceId = SourceId(1);
pub(super) const NOON: u64 = 1_800_000_000_000;

pub(super) fn plan(periods: &[(&str, u64, u64)]) -> Plan {
    let period = |(name, s, keep): &(&str, u64, u64)| Period {
        name: (*name).into(),
        ms: s * 1_000,
        keep_ms: keep * 1_000,
    };
    Plan::new(periods.iter().map(period).collect())
}

/// 10 s, 15 s and 1 min made of both, and 1 h made of that.
fn usual() -> Plan {
    plan(&[("10s", 10, 86_400), ("1m", 60, 86_400), ("15s", 15, 86_400), ("1h", 3_600, 864_000)])
}

fn spec() -> Arc<Spec> {
    Arc::new(Spec { main: Member::new("price"), size: Some(Member::new("size")) })
}

fn quotes(spec: Arc<Spec>) -> Specs {
    Specs::ByKind([("quote".into(), spec)].into())
}

pub(super) fn bars(plan: Plan) -> Bars {
    let mut bars = Bars::new(plan, 1 << 20);
    bars.specify(F, quotes(spec()));
    bars
}

pub(super) fn topic(name: &str) -> Topic {
    Topic::new(name, "quote", Class::State)
}

pub(super) fn tick(topic: &Topic, value: &str, ts: u64) -> Tick {
    let (topic, value) = (topic.clone(), value.as_bytes().into());
    Tick { topic, seq: 0, n: 0, ts, src_ts: 0, from: None, value, merged: 0 }
}

fn text(bars: &mut Bars, topic: &str, period: &str) -> String {
    let nth = bars.plan().find(period).unwrap();
    let mut out = Vec::new();
    bars.past(topic, nth, 1_000, u64::MAX).unwrap().write(1 << 20, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_period_has_the_digits_of_its_ticks_and_a_quiet_one_has_no_bar() {
    let (mut bars, a) = (bars(usual()), topic("f.a"));
    bars.look(0, NOON);
    for (value, ms) in [
        (r#"{"price":"10.0","size":2}"#, 0),
        (r#"{"price":"10.50","size":3}"#, 9_999),
        (r#"{"price":"9.5"}"#, 10_000),
        (r#"{"price":"9.50","size":0.5}"#, 31_000),
    ] {
        bars.take(F, &tick(&a, value, NOON + ms));
    }
    bars.look(32_000, NOON + 32_000);
    let expected = [
        r#"{"start":1800000000000,"open":"10.0","high":"10.50","low":"10.0","close":"10.50","count":2,"merged":0,"volume":5}"#,
        r#"{"start":1800000010000,"open":"9.5","high":"9.5","low":"9.5","close":"9.5","count":1,"merged":0}"#,
        r#"{"start":1800000030000,"open":"9.50","high":"9.50","low":"9.50","close":"9.50","count":1,"merged":0,"volume":0.5}"#,
    ];
    assert_eq!(text(&mut bars, "f.a", "10s"), format!("[{}]", expected.join(",")));
    let minute = r#"[{"start":1800000000000,"open":"10.0","high":"10.50","low":"9.5","close":"9.50","count":4,"merged":0,"volume":5.5}]"#;
    assert_eq!(text(&mut bars, "f.a", "1m"), minute);
}

#[test]
fn a_value_without_a_figure_is_counted_and_makes_no_bar() {
    let (mut bars, a) = (bars(usual()), topic("f.a"));
    bars.look(0, NOON);
    for value in
        ["{}", r#"{"price":null}"#, r#"{"price":"NaN"}"#, r#"{"price":{}}"#, r#"{"price":1e99999}"#, "7"]
    {
        bars.take(F, &tick(&a, value, NOON));
    }
    let counts = bars.take_counts().unusable;
    let expected = [((F, NoFigure::Missing), 3), ((F, NoFigure::NoNumber), 2), ((F, NoFigure::TooLong), 1)];
    assert_eq!(counts, expected.into());
    assert_eq!(text(&mut bars, "f.a", "1m"), "[]");
    let other = Topic::new("f.b", "trade", Class::Event);
    bars.take(F, &tick(&other, r#"{"price":1}"#, NOON));
    assert!(bars.past("f.b", 0, 1, u64::MAX).is_none(), "no field is marked for this kind");
}

#[test]
fn a_topic_that_comes_back_goes_on_unless_it_is_another() {
    let (mut bars, a) = (bars(usual()), topic("f.a"));
    bars.look(0, NOON);
    bars.take(F, &tick(&a, r#"{"price":1}"#, NOON));
    bars.retire(&a);
    let again = topic("f.a");
    bars.take(F, &tick(&again, r#"{"price":2}"#, NOON + 1));
    assert!(text(&mut bars, "f.a", "1m").contains(r#""open":1,"high":2"#));
    bars.specify(F, quotes(Arc::new(Spec { main: Member::new("bid"), size: None })));
    bars.take(F, &tick(&again, r#"{"bid":3}"#, NOON + 2));
    assert!(text(&mut bars, "f.a", "1m").contains(r#""open":3,"high":3"#));
    // An open bar each of 10 s, 15 s; the others are made of them.
    assert_eq!(bars.take_counts().replaced, 2);
}

#[test]
fn where_room_is_scarce_the_shortest_period_goes_first_and_alike_for_all() {
    let kept = plan(&[("1s", 1, 3_600), ("1m", 60, 86_400)]);
    let mut bars = Bars::new(kept, 80_000);
    bars.specify(F, quotes(spec()));
    let topics: Vec<Topic> = (0..10).map(|at| topic(&format!("f.{at}"))).collect();
    for second in 0..2_000 {
        bars.look(second * 1_000, NOON + second * 1_000);
        for topic in &topics {
            bars.take(F, &tick(topic, &format!(r#"{{"price":{second}.25}}"#), NOON + second * 1_000));
        }
    }
    assert!(bars.bytes() <= 80_000, "{}", bars.bytes());
    assert!(bars.take_counts().crowded > 0);
    let kept =
        |bars: &mut Bars, name: &str, period| bars.past(name, period, 9_999, u64::MAX).unwrap().bars().len();
    let seconds: Vec<usize> = (0..10).map(|at| kept(&mut bars, &format!("f.{at}"), 0)).collect();
    assert!(seconds.iter().all(|count| *count == seconds[0]) && seconds[0] < 2_000, "{seconds:?}");
    assert_eq!(kept(&mut bars, "f.3", 1), 34, "minutes are all there");
    let since = bars.past("f.3", 0, 9_999, u64::MAX).unwrap().since;
    assert!(since > NOON && since <= NOON + 2_000_000, "{}", since - NOON);
}

#[test]
fn topics_that_come_and_go_are_bounded() {
    let mut bars = Bars::new(usual(), 64 << 10);
    bars.specify(F, quotes(spec()));
    for at in 0..5_000u64 {
        bars.look(at * 1_000, NOON + at * 1_000);
        let topic = topic(&format!("f.{at}"));
        bars.take(F, &tick(&topic, r#"{"price":1}"#, NOON + at * 1_000));
        bars.retire(&topic);
        if at % 60 == 0 {
            bars.expire();
        }
        assert!(bars.bytes() <= 64 << 10);
    }
    assert!(bars.topics() < 100, "{}", bars.topics());
    let staying: Vec<Topic> = (0..500).map(|at| topic(&format!("g.{at}"))).collect();
    staying.iter().for_each(|topic| bars.take(F, &tick(topic, r#"{"price":1}"#, NOON + 5_000_000)));
    assert!(bars.take_counts().refused > 0, "there is no room for so many at once");
    assert!(bars.bytes() <= 64 << 10);
}

#[test]
fn what_closes_is_told_of_watched_topics_once_and_in_order() {
    let (mut bars, a, b) = (bars(usual()), topic("f.a"), topic("f.b"));
    bars.look(0, NOON);
    for topic in [&a, &b] {
        bars.take(F, &tick(topic, r#"{"price":1}"#, NOON));
    }
    assert!(bars.watch("f.a", 0, true) && bars.watch("f.a", 2, true) && !bars.watch("f.c", 0, true));
    bars.look(12_000, NOON + 12_000);
    bars.settle("f.a");
    bars.settle("f.a");
    bars.take(F, &tick(&a, r#"{"price":2}"#, NOON + 9_000));
    bars.look(75_000, NOON + 75_000);
    bars.settle("f.a");
    let told: Vec<(usize, u64)> =
        bars.take_closed().iter().map(|c| (c.period, c.bar.slot * bars.plan.ms(c.period) - NOON)).collect();
    assert_eq!(told, [(0, 0), (0, 10_000), (2, 0)], "a tick of a bar that is closed goes into the next one");
    assert!(bars.take_moved("f.a") && !bars.take_moved("f.a"));
}

#[test]
fn an_answer_holds_the_newest_that_fit() {
    let (mut bars, a) = (bars(usual()), topic("f.a"));
    bars.look(0, NOON);
    for at in 0..5 {
        bars.take(F, &tick(&a, r#"{"price":1}"#, NOON + at * 10_000));
    }
    bars.look(45_000, NOON + 45_000);
    let past = bars.past("f.a", 0, 99, u64::MAX).unwrap();
    let write = |bytes_max| {
        let mut out = b"x".to_vec();
        let is_truncated = past.write(bytes_max, &mut out);
        let told: Vec<serde_json::Value> = serde_json::from_slice(&out[1..]).unwrap();
        (told.len(), told.last().map(|bar| bar["start"].as_u64().unwrap() - NOON), is_truncated)
    };
    assert_eq!(write(1 << 20), (5, Some(40_000), false));
    assert_eq!(write(220), (2, Some(40_000), true));
    assert_eq!(write(10), (0, None, true));
    assert_eq!(bars.past("f.a", 0, 99, NOON).unwrap().bars(), []);
}

/// The naive model of one topic.
#[derive(Debug, Clone, Default)]
struct Naive {
    /// By period that is made of no shorter one: accepted at, and what it brings.
    ticks: BTreeMap<usize, Vec<(u64, Mark)>>,
    floor: u64,
}

impl Naive {
    fn take(&mut self, plan: &Plan, mark: &Mark, ts: u64) {
        if self.floor > ts + STEP_BACK_MAX_MS {
            // The clock was wrong: what lies ahead of it goes.
            self.floor = 0;
            for (nth, ticks) in &mut self.ticks {
                ticks.retain(|(at, _)| at / plan.ms(*nth) < ts / plan.ms(*nth));
            }
        }
        let at = ts.max(self.floor);
        self.close(plan, at);
        for nth in (0..plan.periods().len()).filter(|nth| plan.base(*nth).is_none()) {
            self.ticks.entry(nth).or_default().push((at, mark.clone()));
            self.floor = self.floor.max(at / plan.ms(nth) * plan.ms(nth));
        }
    }

    /// Bars whose period is over take no tick any more.
    fn close(&mut self, plan: &Plan, now: u64) {
        for nth in 0..plan.periods().len() {
            let ms = plan.ms(nth);
            let ended = self.of(plan, nth).map(|(at, _)| (at / ms + 1) * ms).filter(|end| *end <= now).max();
            self.floor = self.floor.max(ended.unwrap_or(0));
        }
    }

    /// The ticks that a period's bars are made of.
    fn of(&self, plan: &Plan, nth: usize) -> impl Iterator<Item = &(u64, Mark)> {
        let root = std::iter::successors(Some(nth), |nth| plan.base(*nth)).last().unwrap();
        self.ticks.get(&root).into_iter().flatten()
    }

    fn bars(&self, plan: &Plan, nth: usize) -> Vec<Bar> {
        let ms = plan.ms(nth);
        let mut bars: BTreeMap<u64, Bar> = BTreeMap::new();
        for (at, mark) in self.of(plan, nth) {
            bars.entry(at / ms).and_modify(|bar| bar.add(mark)).or_insert_with(|| Bar::of(at / ms, mark));
        }
        bars.into_values().collect()
    }
}

#[derive(Debug, Clone)]
enum Op {
    /// Milliseconds that pass, then a tick of a topic: its price, and whether it has a size.
    Tick(u64, usize, u32, bool),
    Pass(u64),
    /// The clock is set back.
    Back(u64),
    /// All is saved, the process ends without a word, and another one goes on.
    Restart,
    Save,
    Retire(usize),
    Ask(usize),
    Expire,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0u64..4_000, 0usize..3, 0u32..500, any::<bool>()).prop_map(|(ms, t, p, s)| Op::Tick(ms, t, p, s)),
        4 => (0u64..40_000).prop_map(Op::Pass),
        1 => (0u64..3_000_000).prop_map(Op::Pass),
        1 => (1u64..30_000).prop_map(Op::Back),
        1 => (70_000u64..200_000).prop_map(Op::Back),
        2 => Just(Op::Restart),
        2 => Just(Op::Save),
        1 => (0usize..3).prop_map(Op::Retire),
        4 => (0usize..3).prop_map(Op::Ask),
        1 => Just(Op::Expire),
    ]
}

/// What lies on disk.
#[derive(Default)]
struct Disk {
    saved: Saved,
    rows: BTreeMap<saving::Key, Vec<u8>>,
}

impl Disk {
    fn write(&mut self, batch: saving::Batch) {
        if batch.all {
            (self.saved.names, self.rows) = (Vec::new(), BTreeMap::new());
        }
        for cut in batch.cuts {
            self.rows.retain(|key, _| {
                (key.topic, key.period_s) != (cut.topic, cut.period_s) || key.slot < cut.slot
            });
        }
        self.saved.names.retain(|name| !batch.gone.contains(&name.number));
        self.saved.names.extend(batch.names);
        self.rows.extend(batch.rows);
        for (period_s, slot) in batch.floors {
            self.rows.retain(|key, _| key.period_s != period_s || key.slot >= slot);
        }
        self.saved.times = batch.times;
    }

    fn read(&self) -> Saved {
        let row = |(key, row): (&saving::Key, &Vec<u8>)| -> (saving::Key, SavedBar) {
            (*key, read_row(key.slot, row).expect("it was written"))
        };
        Saved {
            times: self.saved.times.clone(),
            names: self.saved.names.clone(),
            rows: self.rows.iter().map(row).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bars_are_what_a_naive_model_says(ops in prop::collection::vec(op(), 1..250), kept in 0usize..3) {
        let plans = [usual(), plan(&[("1s", 1, 86_400), ("7s", 7, 86_400), ("1m", 60, 864_000)]), plan(&[("30s", 30, 864_000)])];
        let plan = plans[kept].clone();
        let mut bars = bars(plan.clone());
        bars.keep_ledger();
        let mut disk = Disk::default();
        let mut topics: Vec<Topic> = (0..3).map(|at| topic(&format!("f.{at}"))).collect();
        let mut naive = vec![Naive::default(); 3];
        let (mut mono, mut wall) = (0u64, NOON);
        bars.look(mono, wall);
        for op in ops {
            match op {
                Op::Tick(ms, at, price, has_size) => {
                    (mono, wall) = (mono + ms, wall + ms);
                    bars.look(mono, wall);
                    let size = if has_size { ",\"size\":\"0.25\"" } else { "" };
                    let text = format!(r#"{{"price":"{}.{:02}"{size}}}"#, price / 100, price % 100);
                    let tick = tick(&topics[at], &text, wall);
                    naive[at].take(&plan, &spec().read(&tick).unwrap(), wall);
                    bars.take(F, &tick);
                }
                Op::Pass(ms) => (mono, wall) = (mono + ms, wall + ms),
                Op::Back(ms) => wall -= ms,
                Op::Save => disk.write(bars.take_unsaved(false)),
                Op::Restart => {
                    disk.write(bars.take_unsaved(false));
                    bars = Bars::new(plan.clone(), 1 << 20);
                    bars.keep_ledger();
                    bars.restore(disk.read());
                    bars.specify(F, quotes(spec()));
                    topics = (0..3).map(|at| topic(&format!("f.{at}"))).collect();
                    mono = 0;
                }
                Op::Retire(at) => {
                    bars.retire(&topics[at]);
                    topics[at] = topic(&format!("f.{at}"));
                }
                Op::Expire => {
                    bars.look(mono, wall);
                    bars.expire();
                    naive.iter_mut().for_each(|naive| naive.close(&plan, wall));
                }
                Op::Ask(at) => {
                    bars.look(mono, wall);
                    naive[at].close(&plan, wall);
                    for nth in 0..plan.periods().len() {
                        let past = bars.past(&format!("f.{at}"), nth, usize::MAX, u64::MAX);
                        let told = past.map(|past| past.bars()).unwrap_or_default();
                        prop_assert_eq!(told, naive[at].bars(&plan, nth), "{} of f.{}", plan.ms(nth), at);
                    }
                }
            }
        }
        let counts = bars.take_counts();
        prop_assert_eq!((counts.crowded, counts.refused, counts.replaced), (0, 0, 0));
    }
}
