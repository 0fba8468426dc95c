//! One node's part in one feed: it follows, takes, holds and hands over.

mod taking;

use std::sync::Arc;

use crate::beat::{Answer, Beat, Head, Node, Position, Root};
use crate::era::Era;
use crate::follow::{Counts, Follow, Joint};
use crate::kept::Kept;
use crate::roll::{Roll, SILENCE};
use crate::time::Millis;
use crate::words::{Act, Claim, Heartbeat, Settings};

/// The record answers within this, or is taken not to.
const RECORD: Millis = 1_000;
/// Longer than this between two looks at the time means that this process was stopped.
const STOPPED: Millis = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Silence,
    /// This node held it, and needs another era.
    Renew,
    /// It was handed over with this beat.
    Handed(Position),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Following,
    Reading {
        why: Why,
        since: Millis,
    },
    /// `back`: the answer was no clear yes, so the record is read back.
    Taking {
        why: Why,
        era: Era,
        since: Millis,
        back: bool,
    },
    Holding {
        era: Era,
        root: Root,
        beats: u64,
        follows: Option<Position>,
    },
}

#[derive(Debug)]
pub struct Part<L> {
    settings: Settings<L>,
    state: State,
    follow: Follow<L>,
    kept: Kept<L>,
    roll: Roll,
    /// The greatest era that was heard of.
    greatest: Era,
    /// In this era another node holds the feed that this one does not hear, as a third one told. While a third one hears a holder, this
    /// node takes nothing: the feed would go to and fro between those who hear each.
    yields: Option<Era>,
    /// The record could not be read when this node tried last. It may be cut off from those who have it.
    is_unread: bool,
    /// Since when this node listens without a break.
    listening: Millis,
    looked: Millis,
    not_before: Millis,
    acts: Vec<Act>,
}

impl<L: Clone> Part<L> {
    pub fn new(settings: Settings<L>, now: Millis) -> Part<L> {
        Part {
            greatest: settings.past.as_ref().map_or(Era::NONE, |root| root.era).max(settings.stored),
            follow: Follow::new(settings.past.clone()),
            kept: Kept::new(settings.kept, settings.weigh),
            roll: Roll::default(),
            state: State::Following,
            yields: None,
            is_unread: false,
            listening: now,
            looked: now,
            not_before: now,
            acts: Vec::new(),
            settings,
        }
    }

    /// What is to be done now, in order.
    pub fn acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    pub fn counts(&self) -> Counts {
        self.follow.counts
    }

    /// The era that this node holds the feed in.
    pub fn holds(&self) -> Option<Era> {
        match &self.state {
            State::Holding { era, .. } => Some(*era),
            _ => None,
        }
    }

    /// The beat that was applied last, and whose numbers it has.
    pub fn at(&self) -> Option<(&Position, &Root)> {
        self.follow.at().zip(self.follow.root())
    }

    /// Whose numbers the board has.
    pub fn past(&self) -> Option<&Root> {
        self.follow.root()
    }

    /// Since when something is missing here that the holder has.
    pub fn lacking(&self) -> Option<Millis> {
        self.follow.missing().filter(|_| self.holds().is_none())
    }

    /// Who is heard to hold it, if not this node.
    pub fn holder(&self, now: Millis) -> Option<&Node> {
        self.roll.holder(now)
    }

    /// Who was heard last to hold it, and when.
    pub fn last_holder(&self) -> Option<(&Node, Millis)> {
        self.roll.last_holder()
    }

    /// The node to hand the feed to: the first of those that are heard and may hold it; with `name`, the one of that name.
    pub fn heir(&self, name: Option<&str>, now: Millis) -> Option<Node> {
        let is_meant = |node: &Node| self.is_listed(node) && name.is_none_or(|name| *node.name == *name);
        self.roll.first(&self.settings.feed, is_meant, now)
    }

    /// What this node says of the feed.
    pub fn heartbeat(&self, now: Millis) -> Heartbeat {
        let claim = match &self.state {
            State::Holding { era, beats, root, .. } => {
                Some(Claim { era: *era, newest: *beats, root: root.clone() })
            }
            _ => None,
        };
        // Who has just begun to listen could not have heard anyone.
        let could_hear = now >= self.listening.saturating_add(SILENCE);
        let misses = claim.is_none() && could_hear && self.roll.holder(now).is_none();
        Heartbeat { node: self.settings.me.clone(), claim, misses, may_hold: self.may_hold(), is_edge: false }
    }

    /// Whether this node may hold it. What it may not hold and does is for an heir, once one is heard.
    pub fn may_hold(&self) -> bool {
        self.settings.may_hold && self.is_listed(&self.settings.me)
    }

    /// Who may hold it from now on; `None`: every node.
    pub fn set_nodes(&mut self, nodes: Option<Vec<Arc<str>>>) {
        self.settings.nodes = nodes;
    }

    /// Whether it may take the feed from now on. What it holds it goes on holding.
    pub fn set_may_hold(&mut self, may_hold: bool) {
        self.settings.may_hold = may_hold;
    }

    /// Nothing was heard for a while, for a reason of this node's own, such as a lost connection.
    pub fn was_deaf(&mut self, now: Millis) {
        self.listening = now;
    }

    /// To be called several times a second.
    pub fn look(&mut self, now: Millis) {
        if now.saturating_sub(self.looked) > STOPPED {
            // What was said meanwhile may still be on its way in.
            self.was_deaf(now);
        }
        self.looked = now;
        match &self.state {
            State::Following => {
                if let Some(node) = self.follow.ask(now) {
                    let (after, root) = (self.follow.at().cloned(), self.follow.root().cloned());
                    self.acts.push(Act::Ask { node, after, root });
                }
                if let Some((era, holder)) = self.follow.tell(now) {
                    // Who is told of a holder ends, so it is one that holds the feed now.
                    let is_heard =
                        |node: &Node| *node != self.settings.me && self.roll.holder(now) == Some(node);
                    let holder = holder.filter(is_heard);
                    self.acts.push(Act::Tell { era, holder });
                }
                if self.may_take(now) {
                    self.want(Why::Silence, now);
                }
            }
            State::Reading { since, .. } | State::Taking { since, back: true, .. }
                if now.saturating_sub(*since) > RECORD =>
            {
                self.is_unread = true;
                self.give_up(now);
            }
            State::Taking { since, back: false, .. } if now.saturating_sub(*since) > RECORD => {
                self.read_back(now)
            }
            _ => {}
        }
    }

    fn is_listed(&self, node: &Node) -> bool {
        self.settings.nodes.as_ref().is_none_or(|nodes| nodes.contains(&node.name))
    }

    /// Whose numbers the next beat has, and whether it begins them: then it carries the whole board too. `None`: it does not
    /// hold the feed.
    pub fn numbers(&self) -> Option<(Root, bool)> {
        match &self.state {
            State::Holding { root, beats, follows, .. } => {
                Some((root.clone(), *beats == 0 && follows.is_none()))
            }
            _ => None,
        }
    }

    /// This node's next beat, to be sent to all. `None`: it does not hold the feed.
    pub fn beat(&mut self, load: L, now: Millis) -> Option<Beat<L>> {
        self.say(load, None, now)
    }

    /// The last beat, which names who goes on. Its plugin has stopped.
    pub fn hand_over(&mut self, load: L, to: Node, now: Millis) -> Option<Beat<L>> {
        let beat = self.say(load, Some(to), now)?;
        self.end();
        // The taker gets the time that a silent holder gets.
        self.roll.holds(beat.head.at.era, &self.settings.me, now);
        Some(beat)
    }

    fn say(&mut self, load: L, hands_to: Option<Node>, now: Millis) -> Option<Beat<L>> {
        let State::Holding { era, root, beats, follows } = &mut self.state else { return None };
        *beats += 1;
        let at = Position { era: *era, node: self.settings.me.clone(), number: *beats };
        let follows = if *beats == 1 { follows.clone() } else { None };
        let beat = Beat { head: Head { at, root: root.clone(), follows, hands_to }, load };
        self.follow.apply(&beat.head, now);
        if beat.head.begins() {
            self.kept.restart(None);
        }
        self.kept.push(beat.clone(), now);
        Some(beat)
    }

    /// The board has come to this seq.
    pub fn reached(&mut self, seq: u64, now: Millis) {
        if self.holds().is_some_and(|era| era.is_used_up(seq)) {
            self.end();
            self.want(Why::Renew, now);
        }
    }

    fn end(&mut self) {
        self.state = State::Following;
        self.acts.push(Act::End);
    }

    pub fn heard(&mut self, heartbeat: &Heartbeat, now: Millis) {
        let Heartbeat { node, claim, .. } = heartbeat;
        if *node == self.settings.me {
            return;
        }
        self.roll.heard(heartbeat, now);
        let Some(claim) = claim else { return };
        self.rival(claim.era, node, now);
        if self.follow.admits(claim.era, node, &claim.root, now) {
            self.follow.newest(claim.newest, now);
        }
    }

    pub fn hear(&mut self, beat: Beat<L>, now: Millis) {
        let Position { era, node, .. } = beat.head.at.clone();
        if node == self.settings.me {
            return;
        }
        self.rival(era, &node, now);
        self.follow.hear(beat, now);
    }

    /// Another node speaks as the holder in that era.
    fn rival(&mut self, era: Era, node: &Node, now: Millis) {
        // Who speaks in an era that is over here holds nothing.
        if era >= self.follow.fence().era {
            self.roll.holds(era, node, now);
        }
        self.greatest = self.greatest.max(era);
        self.yields = self.yields.filter(|told| era < *told);
        let Some(mine) = self.holds() else { return };
        if era < mine {
            return;
        }
        self.end();
        if era == mine && self.settings.me > *node {
            self.want(Why::Renew, now);
        }
    }

    /// A node says that this era has been, that it takes nothing below, and who holds the feed in it, if that is known.
    pub fn told(&mut self, era: Era, holder: Option<&Node>, now: Millis) {
        if !era.is_plausible() || holder == Some(&self.settings.me) {
            return;
        }
        self.greatest = self.greatest.max(era);
        if self.holds().is_some_and(|mine| mine > era) {
            return;
        }
        if holder.is_some() {
            // It is heard again at once, if this node hears it.
            self.yields = self.yields.max(Some(era));
        }
        if self.holds().is_none() {
            return;
        }
        self.end();
        if holder.is_none() {
            self.want(Why::Renew, now);
        } else {
            // This node may not hear who that is. If nobody does, the feed is taken as from one that is silent.
            self.was_deaf(now);
        }
    }

    /// What comes after that beat, for who asks. `None`: it takes the whole board; see [`Part::whole`].
    pub fn after(&self, position: Option<&Position>, root: Option<&Root>) -> Option<Vec<Beat<L>>> {
        self.kept.after(position, root)
    }

    /// The whole board, as of the beat that was applied last.
    pub fn whole(&self, board: L) -> Option<Answer<L>> {
        let (at, root) = self.at()?;
        let head = Head { at: at.clone(), root: root.clone(), follows: None, hands_to: None };
        Some(Answer::Whole(Beat { head, load: board }))
    }

    /// What came last could not be put on the board, so the whole board is asked for.
    pub fn lose(&mut self, now: Millis) {
        if self.holds().is_none() {
            self.follow.lose(now);
        }
    }

    pub fn answered(&mut self, by: &Node, answer: Answer<L>, now: Millis) {
        if self.holds().is_none() {
            self.follow.answered(by, answer, now);
        }
    }

    /// The next beat to apply to the board.
    pub fn next(&mut self, now: Millis) -> Option<(Beat<L>, Joint)> {
        if self.holds().is_some() {
            return None;
        }
        let (beat, joint) = self.follow.next(now)?;
        match joint {
            Joint::Next => {}
            Joint::Begins => self.kept.restart(None),
            Joint::Whole => self.kept.restart(Some(beat.head.at.clone())),
        }
        if joint != Joint::Whole {
            self.kept.push(beat.clone(), now);
        }
        let mine = beat.head.hands_to.as_ref() == Some(&self.settings.me);
        let newest = beat.head.at.era == self.follow.fence().era;
        if mine && newest && joint != Joint::Whole && self.state == State::Following && self.settings.may_hold
        {
            self.want(Why::Handed(beat.head.at.clone()), now);
        }
        Some((beat, joint))
    }
}
