//! Many seeds: no seq goes back or comes twice, no gap is untold, who is recovered has all, and after healing all agree.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::world::{Odds, World};
use crate::beat::Node;
use crate::era::Era;
use crate::words::{Act, Heartbeat};

/// More of them with `SCHEDULES`; one of them again with `SEED`.
const SCHEDULES: u64 = 1_000;

fn seeds() -> Box<dyn Iterator<Item = u64>> {
    let of = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match of("SEED") {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new(0..of("SCHEDULES").unwrap_or(SCHEDULES)),
    }
}

#[derive(Debug, Default)]
struct Sum {
    takings: u64,
    handed: u64,
    recovered: u64,
    resets: u64,
    disagree: Vec<u64>,
}

fn run(seed: u64, odds: Odds, sum: &mut Sum) {
    let mut world = World::new(seed, odds);
    world.run(30_000);
    world.heal();
    world.run(45_000);
    world.hush();
    world.run(48_000);
    (0..20).for_each(|_| world.visit());
    let holders = world.holders();
    let first = &world.nodes[0];
    let agree = holders.len() == 1
        && world.nodes.iter().all(|node| node.part.at() == first.part.at() && node.board == first.board);
    if !agree {
        sum.disagree.push(seed);
    }
    sum.takings += world.takings;
    sum.handed += world.handed;
    sum.recovered += world.recovered;
    sum.resets += world.nodes.iter().map(|node| node.resets).sum::<u64>();
}

fn all(odds: Odds) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds() {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, odds, &mut sum)));
        assert!(result.is_ok(), "SEED={seed} shows it again");
    }
    println!("{sum:?}");
    sum
}

#[test]
fn nothing_goes_back_and_all_agree_at_last() {
    let sum = all(Odds { lose: 0.02, repeat: 0.02, late: 0.02, forget: 0.0 });
    assert!(sum.disagree.is_empty(), "they do not agree: {:?}", sum.disagree);
    let each = u64::try_from(seeds().count()).unwrap();
    assert!(each == 1 || [sum.takings, sum.handed, sum.recovered].iter().all(|sum| *sum > each), "too calm");
}

#[test]
fn nor_when_the_record_forgets() {
    let sum = all(Odds { lose: 0.05, repeat: 0.05, late: 0.1, forget: 0.1 });
    assert!(sum.disagree.is_empty(), "they do not agree: {:?}", sum.disagree);
}

const CALM: Odds = Odds { lose: 0.0, repeat: 0.0, late: 0.0, forget: 0.0 };

fn calm() -> World {
    let mut world = World::new(1, CALM);
    world.heal();
    world
}

/// Nodes by name, and whether each may hold.
fn calm_of(names: &[(&str, bool)], seed: u64) -> World {
    let mut world = World::of(names, Xoshiro256PlusPlus::seed_from_u64(seed), CALM);
    world.heal();
    world
}

#[test]
fn a_calm_cluster_has_one_holder() {
    let mut world = calm();
    world.run(5_000);
    assert_eq!(world.holders().len(), 1);
    assert_eq!(world.holders().first().map(|(_, era)| *era), Era::new(1));
    let counts = world.nodes.iter().map(|node| node.part.counts()).collect::<Vec<_>>();
    assert!(counts.iter().all(|counts| *counts == crate::follow::Counts::default()), "{counts:?}");
}

#[test]
fn a_hand_over_in_calm_goes_on_without_a_jump() {
    let mut world = calm();
    world.run(5_000);
    let resets: u64 = world.nodes.iter().map(|node| node.resets).sum();
    for turn in 1..=3 {
        let holder = world.index(world.holders()[0].0);
        world.hand_over(holder, (holder + turn) % world.nodes.len());
        world.run(5_000 + 2_000 * turn as u64);
    }
    assert_eq!(world.holders().first().map(|(_, era)| *era), Era::new(4));
    assert_eq!(world.nodes.iter().map(|node| node.resets).sum::<u64>(), resets, "nobody was told of a reset");
    let root = world.nodes[0].part.past().map(|root| root.era);
    assert_eq!(root, Era::new(1), "the numbers are still the first holder's");
}

#[test]
fn a_dead_holder_is_followed_within_four_seconds() {
    let mut world = calm();
    world.run(5_000);
    let dead = world.index(world.holders()[0].0);
    world.stop(dead, 60_000);
    world.run(9_000);
    let holders: Vec<_> = world.holders().into_iter().filter(|(name, _)| world.index(name) != dead).collect();
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0].1, Era::new(2).unwrap());
}

#[test]
fn a_holder_that_was_stopped_yields_with_the_first_word_of_the_next() {
    let mut world = calm();
    world.run(5_000);
    let first = world.index(world.holders()[0].0);
    world.stop(first, 30_000);
    world.run(34_000);
    let fenced = |world: &World| world.nodes.iter().map(|node| node.part.counts().fenced).sum::<u64>();
    assert_eq!(fenced(&world), 0);
    world.run(37_000);
    assert_eq!(world.holders().len(), 1);
    assert!(world.index(world.holders()[0].0) != first);
}

/// Cuts lines between nodes, both ways.
fn cut(world: &mut World, lines: &[(usize, usize)]) {
    for (one, two) in lines {
        (world.cut[*one][*two], world.cut[*two][*one]) = (true, true);
    }
}

#[test]
fn two_nodes_that_do_not_hear_each_other_do_not_both_hold_what_others_hear() {
    let mut world = calm();
    world.run(5_000);
    let holder = world.index(world.holders()[0].0);
    // Of the three that are left, one hears both.
    world.stop((holder + 2) % 4, 100_000);
    cut(&mut world, &[(holder, (holder + 1) % 4)]);
    world.run(60_000);
    assert_eq!((world.holders(), world.takings), (vec![(names(holder), Era::new(1).unwrap())], 1));
}

/// The record may answer it before it hears the holder.
#[test]
fn a_node_that_was_cut_off_takes_nothing_when_it_is_back() {
    for seed in 0..300 {
        let mut world = calm_of(&[("a", true), ("b", true), ("c", true)], seed);
        world.run(5_000);
        let holder = world.index(world.holders()[0].0);
        let alone = (holder + 1) % 3;
        let record = 3;
        cut(&mut world, &[(alone, holder), (alone, (holder + 2) % 3), (alone, record)]);
        world.run(12_000 + 37 * seed);
        world.heal();
        world.run(22_000 + 37 * seed);
        assert_eq!(
            (world.holders(), world.takings),
            (vec![(names(holder), Era::new(1).unwrap())], 1),
            "{seed}"
        );
    }
}

/// The third that hears both tells it, and it does not take the feed back.
#[test]
fn a_holder_that_most_do_not_hear_is_told_and_yields() {
    let mut world = calm();
    world.run(5_000);
    let holder = world.index(world.holders()[0].0);
    let others: Vec<usize> = (1..4).map(|step| (holder + step) % 4).collect();
    cut(&mut world, &[(holder, others[0]), (holder, others[1])]);
    world.run(12_000);
    for until in [12_000, 60_000] {
        world.run(until);
        let held: Vec<usize> = world.holders().iter().map(|(name, _)| world.index(name)).collect();
        assert!(held == [others[0]] || held == [others[1]], "{:?}", world.holders());
        assert!(world.takings <= 3, "two may take it at once: {}", world.takings);
        // Who hears both follows the one that counts, and says so.
        let follower = &world.nodes[others[2]].part;
        assert_eq!(follower.holder(until).map(|node| world.index(&node.name)), held.first().copied());
    }
}

/// Each of the two is heard by an edge that does not hear the other one, and by a node that hears both.
#[test]
fn edges_do_not_outvote_nodes() {
    for seed in 0..10 {
        let mut world = calm_of(&[("a", true), ("b", true), ("c", true), ("e1", false), ("e2", false)], seed);
        world.run(5_000);
        let holder = world.index(world.holders()[0].0);
        let [one, two] = [(holder + 1) % 3, (holder + 2) % 3];
        cut(&mut world, &[(holder, one), (holder, 4), (3, one), (3, 4)]);
        world.run(100_000);
        let held: Vec<usize> = world.holders().iter().map(|(name, _)| world.index(name)).collect();
        assert_eq!((held, world.takings), (vec![holder], 1), "{two} hears both");
    }
}

/// Two at each of two servers that do not hear each other, and one in between that hears all.
#[test]
fn a_feed_does_not_go_to_and_fro_between_two_sides() {
    for seed in 0..10 {
        let mut world = calm_of(&[("a1", true), ("a2", true), ("b1", true), ("b2", true), ("c", true)], seed);
        cut(&mut world, &[(0, 2), (0, 3), (1, 2), (1, 3)]);
        world.run(30_000);
        let before = (world.holders().len(), world.takings);
        world.run(200_000);
        assert_eq!((world.holders().len(), world.takings), before);
        assert!(before.0 == 1 && before.1 <= 4, "{before:?}");
        let dead = world.index(world.holders()[0].0);
        world.stop(dead, 1_000_000);
        world.run(212_000);
        let living = world.holders().into_iter().filter(|(name, _)| world.index(name) != dead).count();
        assert_eq!(living, 1, "once nobody hears it, the others may take it");
    }
}

fn names(index: usize) -> &'static str {
    ["a", "b", "c", "d"][index]
}

#[test]
fn edges_that_say_that_they_hear_a_holder_keep_no_feed_from_being_taken() {
    let mut world = calm();
    let mut taken = None;
    let b = &mut world.nodes[1];
    for now in (0..20_000).step_by(100) {
        for edge in ["e1", "e2"] {
            let node = Node { name: edge.into(), life: 0 };
            b.part
                .heard(&Heartbeat { node, claim: None, misses: false, may_hold: false, is_edge: true }, now);
        }
        b.part.look(now);
        if taken.is_none() && b.part.acts().contains(&Act::Read) {
            taken = Some(now);
        }
    }
    assert_eq!(taken, Some(10_000));
}

/// They read the record before they hear the first one.
#[test]
fn nodes_that_start_at_once_take_a_feed_once() {
    for seed in 0..30 {
        let mut world = calm_of(&[("a", true), ("b", true), ("c", true), ("d", true)], seed);
        world.run(5_000);
        assert_eq!((world.holders().len(), world.takings), (1, 1), "{seed}");
    }
}
