//! Times in which a topic's ticks are in no bar, or are of other sizes, though it has bars.

use super::*;
use crate::bars::bar::Volume;

fn of(main: &str, size: Option<&str>) -> Specs {
    quotes(Arc::new(Spec { main: Member::new(main), size: size.map(Member::new) }))
}

fn off() -> Specs {
    Specs::ByKind(Default::default())
}

fn at(bars: &mut Bars, ms: u64) {
    bars.look(ms, NOON + ms);
}

fn say(bars: &mut Bars, topic: &Topic, value: &str, ms: u64) {
    at(bars, ms);
    bars.take(F, &tick(topic, value, NOON + ms));
}

fn since(bars: &mut Bars, period: usize) -> u64 {
    bars.past("f.a", period, 1, u64::MAX).unwrap().since - NOON
}

/// Another run, that takes bars from `specs`.
fn restarted(bars: &mut Bars, ms: u64, specs: Specs) -> Bars {
    let mut disk = Disk::default();
    disk.write(bars.take_unsaved(true));
    let mut next = Bars::new(usual(), 1 << 20);
    next.restore(disk.read());
    next.keep_ledger();
    next.look(0, NOON + ms);
    next.specify(F, specs);
    next
}

#[test]
fn bars_that_were_off_for_a_while_say_so() {
    let (mut bars, a, b) = (bars(usual()), topic("f.a"), topic("f.b"));
    bars.keep_ledger();
    say(&mut bars, &a, r#"{"price":1}"#, 0);
    say(&mut bars, &b, r#"{"price":1}"#, 0);
    at(&mut bars, 60_000);
    bars.specify(F, off());
    say(&mut bars, &a, r#"{"price":2}"#, 61_000);
    assert_eq!(since(&mut bars, 0), 60_000, "of what is now nothing is known");
    at(&mut bars, 79_000);
    assert_eq!((since(&mut bars, 0), since(&mut bars, 1)), (70_000, 75_000), "it moves by whole bars");
    at(&mut bars, 85_000);
    bars.specify(F, quotes(spec()));
    say(&mut bars, &a, r#"{"price":3}"#, 95_000);
    assert_eq!((since(&mut bars, 0), since(&mut bars, 1)), (85_000, 85_000));
    say(&mut bars, &a, r#"{"price":3}"#, 150_000);
    let first = NOON / 10_000;
    let told = text(&mut bars, "f.a", "10s");
    assert!(told.contains(&format!("\"start\":{NOON},")), "what was known stays: {told}");
    assert!(bars.closed_after("f.a", 0, first, 99).is_none(), "some were never made");
    assert_eq!(bars.closed_after("f.a", 0, first + 9, 99), Some(vec![]));
    // It had no tick meanwhile.
    say(&mut bars, &b, r#"{"price":3}"#, 150_000);
    assert_eq!(bars.past("f.b", 0, 1, u64::MAX).unwrap().since, NOON);
    let names = bars.take_unsaved(false).names;
    assert!(names.iter().any(|named| &*named.topic == "f.a" && named.since == NOON + 85_000), "{names:?}");
}

#[test]
fn a_run_without_bars_between_two_others_is_no_time_without_ticks() {
    let mut first = bars(usual());
    first.keep_ledger();
    say(&mut first, &topic("f.a"), r#"{"price":1}"#, 0);
    let mut second = restarted(&mut first, 10_000, off());
    second.take(F, &tick(&topic("f.a"), r#"{"price":2}"#, NOON + 10_000));
    assert!(second.has_unsaved());
    let mut third = restarted(&mut second, 60_000, quotes(spec()));
    third.take(F, &tick(&topic("f.a"), r#"{"price":3}"#, NOON + 61_000));
    assert_eq!(since(&mut third, 0), 60_000);
    let mut fourth = restarted(&mut third, 90_000, quotes(spec()));
    fourth.take(F, &tick(&topic("f.a"), r#"{"price":4}"#, NOON + 91_000));
    assert_eq!(since(&mut fourth, 0), 60_000, "it is saved");
}

/// A feed's first ticks may come before what it says of its fields is known.
#[test]
fn an_instant_without_fields_is_no_lapse() {
    let mut first = bars(usual());
    first.keep_ledger();
    say(&mut first, &topic("f.a"), r#"{"price":1}"#, 0);
    let mut second = restarted(&mut first, 10_000, off());
    let a = topic("f.a");
    second.take(F, &tick(&a, r#"{"price":2}"#, NOON + 10_000));
    second.look(20, NOON + 10_020);
    second.specify(F, quotes(spec()));
    second.take(F, &tick(&a, r#"{"price":3}"#, NOON + 10_030));
    assert_eq!(since(&mut second, 0), 0);
}

#[test]
fn no_volume_is_of_two_fields() {
    let (mut bars, a) = (bars(usual()), topic("f.a"));
    bars.keep_ledger();
    let value = r#"{"price":1,"size":2,"lots":50}"#;
    let volumes = |bars: &mut Bars, period| {
        let told = bars.past("f.a", period, 99, u64::MAX).unwrap().bars();
        told.iter().map(|bar| bar.volume).collect::<Vec<_>>()
    };
    let sum = |size: &str| Volume::of(&decimal::Decimal::read(size.as_bytes()).unwrap());
    say(&mut bars, &a, value, 0);
    say(&mut bars, &a, value, 12_000);
    bars.specify(F, of("price", Some("lots")));
    say(&mut bars, &a, value, 13_000);
    say(&mut bars, &a, value, 25_000);
    assert_eq!(volumes(&mut bars, 0), [sum("2"), Volume::Unknown, sum("50")]);
    assert_eq!(volumes(&mut bars, 2), [Volume::Unknown], "the minute is of both");
    assert_eq!((since(&mut bars, 0), bars.take_counts().replaced), (0, 0), "the figures go on");
    // None before, and one after a restart.
    bars.specify(F, of("price", None));
    say(&mut bars, &a, value, 60_000);
    let mut next = restarted(&mut bars, 62_000, of("price", Some("size")));
    let again = topic("f.a");
    next.take(F, &tick(&again, value, NOON + 62_000));
    assert_eq!(volumes(&mut next, 0)[3..], [Volume::Unknown]);
    let mut next = restarted(&mut next, 70_000, of("price", Some("size")));
    next.take(F, &tick(&again, value, NOON + 71_000));
    next.take(F, &tick(&again, value, NOON + 71_000));
    assert_eq!(volumes(&mut next, 0)[3..], [Volume::Unknown, sum("4")]);
}

/// What was saved before there was a name of the sizes goes on.
#[test]
fn sizes_that_an_earlier_version_did_not_name_go_on() {
    let mut first = bars(usual());
    first.keep_ledger();
    let value = r#"{"price":1,"size":2}"#;
    say(&mut first, &topic("f.a"), value, 0);
    let mut disk = Disk::default();
    disk.write(first.take_unsaved(true));
    disk.saved.names.iter_mut().for_each(|named| named.sizes = saving::Sizes::Unsaid);
    let mut next = Bars::new(usual(), 1 << 20);
    next.restore(disk.read());
    next.specify(F, quotes(spec()));
    next.look(0, NOON + 1_000);
    next.take(F, &tick(&topic("f.a"), value, NOON + 1_000));
    assert!(text(&mut next, "f.a", "10s").contains("\"volume\":4"));
}
