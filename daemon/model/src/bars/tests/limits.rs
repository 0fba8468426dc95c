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
        crate::bars::saving::Times { began: NOON - 2 * week, until: NOON - week, unknown: Vec::new() };
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
