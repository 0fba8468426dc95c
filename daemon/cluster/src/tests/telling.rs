//! What a node says of a holder that it hears, hears no more, or could not hear.

use super::node::Node;
use crate::beat::{self, Root};
use crate::era::Era;
use crate::time::Millis;
use crate::words::{Act, Claim, Found, Heartbeat, Record};

fn name(name: &str) -> beat::Node {
    beat::Node { name: name.into(), life: 0 }
}

fn era(era: u64) -> Era {
    Era::new(era).unwrap()
}

/// A sign of life of who holds it in that era.
fn holds(by: &str, of: u64) -> Heartbeat {
    let node = name(by);
    let root = Root { era: era(of), node: node.clone() };
    let claim = Some(Claim { era: era(of), newest: 0, root });
    Heartbeat { node, claim, misses: false, may_hold: true, is_edge: false }
}

/// What it tells a holder that it drops from now on.
fn told(node: &mut Node, from: Millis, mut also: impl FnMut(&mut Node, Millis)) -> (Era, Option<beat::Node>) {
    for now in (from..from + 5_000).step_by(100) {
        node.part.heard(&holds("a", 1), now);
        also(node, now);
        node.part.look(now);
        let tell = node.part.acts().into_iter().find_map(|act| match act {
            Act::Tell { era, holder } => Some((era, holder)),
            _ => None,
        });
        if let Some(tell) = tell {
            return tell;
        }
    }
    panic!("it told nothing");
}

#[test]
fn a_holder_is_named_while_it_is_heard() {
    let mut c = Node::new(name("c"), true, None, 0);
    let tell = told(&mut c, 0, |c, now| c.part.heard(&holds("b", 2), now));
    assert_eq!(tell, (era(2), Some(name("b"))));
}

#[test]
fn a_holder_that_is_not_heard_is_not_named() {
    // It only knows who is in the record.
    let mut c = Node::new(name("c"), true, None, 0);
    c.part.read(Some(Found { revision: 1, record: Some(Record { era: era(2), node: name("b") }) }), 0);
    assert_eq!(told(&mut c, 0, |_, _| ()), (era(2), None));
    // It heard it once.
    let mut c = Node::new(name("c"), true, None, 0);
    c.part.heard(&holds("b", 2), 0);
    assert_eq!(told(&mut c, 0, |_, _| ()), (era(2), None));
}

#[test]
fn who_tells_does_not_name_itself() {
    let mut c = Node::new(name("c"), true, None, 0);
    let found = Found { revision: 1, record: Some(Record { era: era(2), node: name("b") }) };
    c.part.read(Some(found.clone()), 0);
    for now in (0..=3_000).step_by(500) {
        if now >= 1_500 {
            c.part.heard(&holds("a", 1), now);
        }
        for other in ["d", "e"] {
            let node = name(other);
            c.part
                .heard(&Heartbeat { node, claim: None, misses: true, may_hold: false, is_edge: false }, now);
        }
        c.part.look(now);
    }
    c.part.read(Some(found), 3_000);
    c.part.swapped(true, 3_000);
    assert_eq!(c.part.holds(), Some(era(3)));
    // It held the feed until a moment ago.
    c.part.told(era(4), Some(&name("b")), 3_100);
    assert_eq!(c.part.holds(), None);
    c.part.acts();
    assert_eq!(told(&mut c, 3_200, |_, _| ()), (era(3), None));
}

#[test]
fn who_could_not_have_heard_a_holder_does_not_say_that_it_misses_one() {
    let mut c = Node::new(name("c"), false, None, 0);
    let misses =
        |c: &Node, at: &[Millis]| at.iter().map(|now| c.part.heartbeat(*now).misses).collect::<Vec<_>>();
    assert_eq!(misses(&c, &[0, 1_999, 2_000]), [false, false, true]);
    c.part.was_deaf(10_000);
    assert_eq!(misses(&c, &[10_000, 11_999, 12_000]), [false, false, true]);
}
