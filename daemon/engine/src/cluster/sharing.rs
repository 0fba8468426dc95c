//! What of others' revocations this node has asked for, and which of their tickets it waits for: the rules alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::words::Redeeming;
use tickerd_cluster::{Millis, Node as Name};

/// Lists of revocations that are known by their names. An older one is asked for again.
const KNOWN_MAX: usize = 64;
/// A list that does not come is asked for again after this, of whoever is heard next.
const ASK_AGAIN: Millis = 1_000;
/// A list of which not all could be kept here is asked for again after this.
const PARTLY_AGAIN: Millis = 60_000;
/// A node gets the whole list once in this time.
const TELL_AGAIN: Millis = 500;
/// The node that gave a ticket out answers within this, or the ticket is lost.
const REDEEM_MAX: Millis = 1_000;
/// Tickets of other nodes that wait for an answer: in all, and of one node. So one that does not answer holds up no other.
const REDEEMS_MAX: usize = 1_024;
const REDEEMS_OF_NODE_MAX: usize = 256;

/// A ticket of another node that is shown at this one.
struct Waits {
    node: Arc<str>,
    since: Millis,
    done: Redeeming,
}

#[derive(Default)]
pub struct Sharing {
    /// The names of lists of which all is known here.
    known: VecDeque<u64>,
    /// The last one of which not all could be kept here, and when it came.
    partly: Option<(u64, Millis)>,
    /// When a list was asked for that has not come.
    asked: Option<Millis>,
    /// To whom the whole list went a moment ago.
    told: BTreeMap<Arc<str>, Millis>,
    waits: BTreeMap<u64, Waits>,
    redeems: u64,
}

impl Sharing {
    /// A node says which list it has. Whether to ask for it: this node has another, and waits for none.
    pub fn wants(&mut self, mine: u64, theirs: u64, now: Millis) -> bool {
        let is_partly =
            self.partly.is_some_and(|(digest, at)| digest == theirs && now.saturating_sub(at) < PARTLY_AGAIN);
        if theirs == 0 || theirs == mine || is_partly || self.known.contains(&theirs) {
            return false;
        }
        let is_free = self.asked.is_none_or(|asked| now.saturating_sub(asked) >= ASK_AGAIN);
        if is_free {
            self.asked = Some(now);
        }
        is_free
    }

    /// A list has come. One that is not known whole now is asked for again later: there may be room then.
    pub fn came(&mut self, digest: u64, is_whole: bool, now: Millis) {
        self.asked = None;
        if !is_whole {
            self.partly = Some((digest, now));
            return;
        }
        if !self.known.contains(&digest) {
            self.known.push_back(digest);
        }
        if self.known.len() > KNOWN_MAX {
            self.known.pop_front();
        }
    }

    /// Whether others are known to know what this node does not.
    pub fn is_behind(&self, now: Millis) -> bool {
        self.asked.is_some_and(|asked| now.saturating_sub(asked) < ASK_AGAIN)
    }

    /// Whether a node gets the whole list now that it asks. An answer may be long, so who asks all the time does not get it each time.
    pub fn may_tell(&mut self, node: &Arc<str>, now: Millis) -> bool {
        self.told.retain(|_, told| now.saturating_sub(*told) < TELL_AGAIN);
        self.told.insert(node.clone(), now).is_none()
    }

    /// A ticket waits for that node's answer, which has this number. None: too many wait, and this one is refused.
    pub fn wait(&mut self, node: &Arc<str>, done: Redeeming, now: Millis) -> Option<u64> {
        let of_node = self.waits.values().filter(|waits| waits.node == *node).count();
        if self.waits.len() >= REDEEMS_MAX || of_node >= REDEEMS_OF_NODE_MAX {
            return None;
        }
        self.redeems += 1;
        self.waits.insert(self.redeems, Waits { node: node.clone(), since: now, done });
        Some(self.redeems)
    }

    /// An answer has come. Who waits for it, if it is of the node that was asked.
    pub fn answered(&mut self, id: u64, from: &Name) -> Option<Redeeming> {
        self.waits.get(&id).filter(|waits| *waits.node == *from.name)?;
        self.waits.remove(&id).map(|waits| waits.done)
    }

    /// Gives up what has waited for too long: who waits hears that nobody answers.
    pub fn look(&mut self, now: Millis) {
        self.waits.retain(|_, waits| now.saturating_sub(waits.since) < REDEEM_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[test]
    fn a_list_is_asked_for_once_and_again_if_it_does_not_come() {
        let mut sharing = Sharing::default();
        assert!(!sharing.wants(0, 0, 0) && !sharing.wants(7, 7, 0), "nothing to have");
        assert!(!sharing.is_behind(0));
        assert!(sharing.wants(7, 8, 0));
        assert!(!sharing.wants(7, 8, 999) && !sharing.wants(7, 9, 999), "one at a time");
        assert!(sharing.is_behind(999) && !sharing.is_behind(1_000), "they may be gone");
        assert!(sharing.wants(7, 8, 1_000));
        sharing.came(8, true, 1_001);
        assert!(!sharing.is_behind(1_001));
        // This node may know more than that list has; it is not asked for again.
        assert!(!sharing.wants(7, 8, 2_000));
        assert!(sharing.wants(7, 9, 2_000), "at once, since the other one has come");
        (100..200).for_each(|digest| sharing.came(digest, true, 2_000));
        assert_eq!(sharing.known.len(), KNOWN_MAX);
        // Of another list not all could be kept here.
        assert!(sharing.wants(7, 500, 5_000));
        sharing.came(500, false, 5_000);
        assert!(!sharing.wants(7, 500, 64_999), "not at once");
        assert!(sharing.wants(7, 501, 64_999), "another one");
        sharing.came(501, true, 64_999);
        assert!(sharing.wants(7, 500, 65_000));
    }

    #[test]
    fn who_asks_all_the_time_gets_the_list_now_and_then() {
        let mut sharing = Sharing::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        assert!(sharing.may_tell(&a, 0) && sharing.may_tell(&b, 0));
        assert!(!sharing.may_tell(&a, 499));
        assert!(sharing.may_tell(&b, 600));
        assert_eq!(sharing.told.len(), 2);
        assert!(sharing.may_tell(&a, 5_000));
        assert_eq!(sharing.told.len(), 1);
    }

    #[test]
    fn a_ticket_is_answered_by_the_node_that_was_asked_and_in_time() {
        let mut sharing = Sharing::default();
        let name = |name: &str| Name { name: name.into(), life: 1 };
        let a: Arc<str> = "a".into();
        let (done, mut told) = oneshot::channel();
        let id = sharing.wait(&a, done, 0).unwrap();
        assert!(sharing.answered(id, &name("b")).is_none(), "of another node");
        assert!(sharing.answered(id + 1, &name("a")).is_none());
        sharing.look(999);
        assert!(told.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        assert!(sharing.answered(id, &name("a")).is_some());
        assert!(sharing.answered(id, &name("a")).is_none(), "once");
        let (done, told) = oneshot::channel();
        sharing.wait(&a, done, 0).unwrap();
        sharing.look(1_000);
        assert!(told.blocking_recv().is_err(), "nobody answers");
        for node in ["a", "b", "c", "d"] {
            let node: Arc<str> = node.into();
            for _ in 0..REDEEMS_OF_NODE_MAX {
                assert!(sharing.wait(&node, oneshot::channel().0, 0).is_some());
            }
            assert!(sharing.wait(&node, oneshot::channel().0, 0).is_none());
        }
        assert!(sharing.wait(&"e".into(), oneshot::channel().0, 0).is_none());
    }
}
