//! What is kept stays within its bounds, whatever the clock does.

use super::*;

const HOUR: u64 = 3_600_000;

/// A tick of each topic every ten seconds, for so long. `mono` is how late it is on a clock that is never set.
fn run(bars: &mut Bars, topics: &[Topic], mono: u64, wall: u64, lasts: u64) {
    for passed in (0..lasts).step_by(10_000) {
        bars.look(mono + passed, wall + passed);
        for topic in topics {
            bars.take(F, &tick(topic, &format!(r#"{{"price":{passed}.25}}"#), wall + passed));
        }
        if passed % 20_000 == 0 {
            bars.expire();
        }
    }
}

#[test]
fn a_clock_that_was_far_behind_at_the_start_keeps_no_bar_for_ever() {
    let mut bars = bars(plan(&[("10s", 10, 600)]));
    bars.look(0, HOUR);
    run(&mut bars, &[topic("f.a")], 1_000, NOON, 3 * HOUR);
    assert!(bars.count() <= 60 + 2 * 32, "{} bars", bars.count());
}

#[test]
fn room_is_made_however_long_the_computer_was_off() {
    let most = 60_000;
    let mut bars = Bars::new(plan(&[("10s", 10, 3_600), ("1m", 60, 86_400)]), most);
    bars.specify(F, quotes(spec()));
    let week = 7 * 24 * HOUR;
    let times =
        crate::bars::saving::Times { began: NOON - 2 * week, until: NOON - week, ..Default::default() };
    bars.restore(Saved { times, ..Saved::default() });
    let topics: Vec<Topic> = (0..20).map(|at| topic(&format!("f.{at}"))).collect();
    run(&mut bars, &topics, 0, NOON, HOUR);
    assert!(bars.bytes() <= most, "{} bytes", bars.bytes());
    assert!(bars.take_counts().crowded > 0);
    let kept = text(&mut bars, "f.7", "1m");
    assert!(kept.contains(&format!("{}", NOON + HOUR / 2)), "{kept}");
}

#[test]
fn a_topic_that_found_no_room_has_bars_once_there_is_room() {
    let mut bars = Bars::new(plan(&[("10s", 10, 600)]), 8_000);
    bars.specify(F, quotes(spec()));
    let many: Vec<Topic> = (0..40).map(|at| topic(&format!("f.{at}"))).collect();
    bars.look(0, NOON);
    many.iter().for_each(|topic| bars.take(F, &tick(topic, r#"{"price":1}"#, NOON)));
    assert!(bars.take_counts().refused > 0 && !bars.has("f.39"));
    many[..39].iter().for_each(|topic| bars.retire(topic));
    bars.look(HOUR, NOON + HOUR);
    bars.expire();
    bars.look(HOUR + 20_000, NOON + HOUR + 20_000);
    bars.expire();
    bars.take(F, &tick(&many[39], r#"{"price":1}"#, NOON + HOUR + 20_000));
    assert!(bars.has("f.39"), "{} bytes", bars.bytes());
}

fn since(bars: &mut Bars, topic: &str, period: &str) -> u64 {
    let nth = bars.plan().find(period).unwrap();
    bars.past(topic, nth, 1, u64::MAX).unwrap().since
}

/// What another run finds that goes on with these periods.
fn restarted(bars: &mut Bars, plan: Plan) -> Bars {
    let mut disk = Disk::default();
    disk.write(bars.take_unsaved(true));
    let mut next = Bars::new(plan, 1 << 20);
    next.restore(disk.read());
    next.keep_ledger();
    next.specify(F, quotes(spec()));
    next
}

#[test]
fn of_a_period_that_was_not_kept_nothing_earlier_is_known() {
    let minutes = ("1m", 60, 86_400);
    let mut first = bars(plan(&[minutes]));
    first.keep_ledger();
    run(&mut first, &[topic("f.a")], 0, NOON, HOUR);
    let both = || plan(&[("10s", 10, 86_400), minutes]);
    let mut second = restarted(&mut first, both());
    run(&mut second, &[topic("f.a")], 0, NOON + HOUR, HOUR);
    assert_eq!(since(&mut second, "f.a", "1m"), NOON);
    assert!(since(&mut second, "f.a", "10s") >= NOON + HOUR - 10_000);
    let mut third = restarted(&mut second, both());
    third.look(0, NOON + 2 * HOUR);
    assert!(since(&mut third, "f.a", "10s") >= NOON + HOUR - 10_000, "it is saved");
}

#[test]
fn of_bars_that_went_it_is_said_though_there_is_room_again() {
    let kept = || plan(&[("10s", 10, 86_400)]);
    let mut bars = Bars::new(kept(), 64_000);
    bars.keep_ledger();
    bars.specify(F, quotes(spec()));
    let topics: Vec<Topic> = (0..20).map(|at| topic(&format!("f.{at}"))).collect();
    run(&mut bars, &topics, 0, NOON, HOUR);
    assert!(bars.take_counts().crowded > 0);
    let first = since(&mut bars, "f.0", "10s");
    assert!(first > NOON);
    bars.bytes_max *= 100;
    run(&mut bars, &topics, HOUR, NOON + HOUR, HOUR / 4);
    assert_eq!(since(&mut bars, "f.0", "10s"), first);
    let mut next = restarted(&mut bars, kept());
    next.look(0, NOON + HOUR + HOUR / 4);
    assert_eq!(since(&mut next, "f.0", "10s"), first, "it is saved");
}

#[test]
fn of_a_topic_whose_earlier_bars_went_or_were_never_made_nothing_earlier_is_known() {
    let (mut bars, a, b) = (bars(usual()), topic("f.a"), topic("f.b"));
    bars.keep_ledger();
    bars.look(0, NOON);
    bars.take(F, &tick(&a, r#"{"price":1,"bid":2}"#, NOON));
    bars.look(HOUR, NOON + HOUR);
    assert_eq!(since(&mut bars, "f.a", "1m"), NOON);
    bars.specify(F, quotes(Arc::new(Spec { main: Member::new("bid"), size: None })));
    bars.look(2 * HOUR, NOON + 2 * HOUR);
    bars.take(F, &tick(&a, r#"{"price":1,"bid":2}"#, NOON + 2 * HOUR));
    bars.take(F, &tick(&b, r#"{"price":1,"bid":2}"#, NOON + 2 * HOUR));
    assert_eq!(since(&mut bars, "f.a", "1m"), NOON + 2 * HOUR, "the bars of another field went");
    assert!(since(&mut bars, "f.b", "1m") >= NOON + HOUR, "its bid was not known to be the field");
    bars.look(3 * HOUR, NOON + 3 * HOUR);
    let mut next = restarted(&mut bars, usual());
    next.look(0, NOON + 3 * HOUR);
    assert_eq!(since(&mut next, "f.a", "1m"), NOON + 2 * HOUR, "it is saved");
}

#[test]
fn room_stays_scarce_and_all_is_said_for_hours() {
    let most = 64_000;
    let mut bars = Bars::new(plan(&[("10s", 10, 86_400)]), most);
    bars.specify(F, quotes(spec()));
    let topics: Vec<Topic> = (0..30).map(|at| topic(&format!("f.{at}"))).collect();
    for hour in 0..4 {
        run(&mut bars, &topics, hour * HOUR, NOON + hour * HOUR, HOUR);
        let past = bars.past("f.0", 0, 10_000, u64::MAX).unwrap();
        let first = past.bars().first().map(|bar| bar.slot * 10_000).unwrap();
        assert!(first <= past.since, "{hour}: of {} nothing is known before {first}", past.since);
        assert!(bars.bytes() <= most);
        assert!(bars.take_counts().crowded > 0, "{hour}");
    }
}

#[test]
fn where_there_is_room_for_topics_alone_their_bars_go_at_once() {
    let most = 64_000;
    let mut bars = Bars::new(plan(&[("1s", 1, 600)]), most);
    bars.specify(F, quotes(spec()));
    let topics: Vec<Topic> = (0..200).map(|at| topic(&format!("f.{at}"))).collect();
    for second in 0..120 {
        bars.look(second * 1_000, NOON + second * 1_000);
        for topic in &topics {
            bars.take(F, &tick(topic, &format!(r#"{{"price":{second}.25}}"#), NOON + second * 1_000));
        }
        assert!(bars.bytes() <= most + most / 16, "{} bytes after {second} s", bars.bytes());
    }
    assert!(bars.take_counts().refused > 0);
}
