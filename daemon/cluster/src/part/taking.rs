//! How a node takes a feed: it asks the record, replaces it, and reads it back where the answer was no clear yes.

use super::{Part, State, Why};
use crate::beat::Root;
use crate::era::Era;
use crate::roll::{SILENCE, weight};
use crate::time::Millis;
use crate::words::{Act, Found, Record};

/// A node that is not the first to take a feed waits this long for each that is before it.
const TURN: Millis = 300;
/// Edges may object for so long, by saying that they hear who this node misses. One that lies keeps no feed from being taken.
const EDGES: Millis = 10_000;
/// After a failed taking.
const AGAIN: Millis = 500;

impl<L: Clone> Part<L> {
    pub(super) fn may_take(&self, now: Millis) -> bool {
        let me = &self.settings.me;
        let heard = self.roll.last_holder().map_or(self.listening, |(_, at)| at).max(self.listening);
        let rank = || self.roll.rank(&self.settings.feed, me, |node| self.is_listed(node), now);
        self.may_hold()
            && now >= self.not_before
            && now >= heard.saturating_add(SILENCE)
            && self.roll.most_miss(false, now)
            && (now >= heard.saturating_add(EDGES) || self.roll.most_miss(true, now))
            && (self.yields.is_none() || !self.roll.is_holder_heard(now))
            && now >= heard.saturating_add(SILENCE).saturating_add(rank().saturating_mul(TURN))
    }

    pub(super) fn want(&mut self, why: Why, now: Millis) {
        self.state = State::Reading { why, since: now };
        self.acts.push(Act::Read);
    }

    pub(super) fn give_up(&mut self, now: Millis) {
        self.state = State::Following;
        // Two that tried at once do not do so again.
        let me = weight(&self.settings.feed, &self.settings.me.name).wrapping_add(now);
        self.not_before = now.saturating_add(AGAIN).saturating_add(me % AGAIN);
    }

    pub(super) fn read_back(&mut self, now: Millis) {
        if let State::Taking { since, back, .. } = &mut self.state {
            (*since, *back) = (now, true);
            self.acts.push(Act::Read);
        }
    }

    /// What the record says. `None`: it could not be read.
    pub fn read(&mut self, found: Option<Found>, now: Millis) {
        let Some(found) = found else {
            self.is_unread = true;
            if matches!(self.state, State::Reading { .. } | State::Taking { back: true, .. }) {
                self.give_up(now);
            }
            return;
        };
        if std::mem::take(&mut self.is_unread) {
            // It was cut off, most likely, and whoever holds the feed beyond is heard in a moment.
            self.was_deaf(now);
        }
        let is_news = found.record.as_ref().is_some_and(|record| record.era > self.greatest);
        if let Some(record) = &found.record {
            self.greatest = self.greatest.max(record.era);
        }
        match self.state.clone() {
            // Another node took it just now, and is heard soon.
            State::Reading { why: Why::Silence, .. } if is_news => self.give_up(now),
            State::Reading { why, .. } => self.take(why, &found, now),
            State::Taking { why, era, back: true, .. } => {
                let mine = Record { era, node: self.settings.me.clone() };
                if found.record == Some(mine) { self.begin(why, era, now) } else { self.give_up(now) }
            }
            // At the start: who holds it is known before it is heard.
            State::Following => {
                if let Some(Record { era, node }) = found.record {
                    self.follow.raise(era, Some(node));
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, why: Why, found: &Found, now: Millis) {
        let me = self.settings.me.clone();
        let era = match &why {
            Why::Handed(last) => {
                let theirs = Record { era: last.era, node: last.node.clone() };
                // Only from that holder's own: else someone has taken it since.
                last.era.next().filter(|_| found.record == Some(theirs))
            }
            // This node may have been deaf since it asked.
            Why::Silence
                if self.roll.holder(now).is_some() || now < self.listening.saturating_add(SILENCE) =>
            {
                None
            }
            Why::Silence | Why::Renew => self.greatest.next(),
        };
        let Some(era) = era else { return self.give_up(now) };
        self.state = State::Taking { why, era, since: now, back: false };
        self.acts.push(Act::Swap { revision: found.revision, record: Record { era, node: me } });
    }

    /// Whether the record was replaced. Anything but a clear yes is `false`: it is read back then.
    pub fn swapped(&mut self, done: bool, now: Millis) {
        if let State::Taking { why, era, back: false, .. } = self.state.clone() {
            if done { self.begin(why, era, now) } else { self.read_back(now) }
        }
    }

    fn begin(&mut self, why: Why, era: Era, now: Millis) {
        if self.follow.fence().era >= era {
            return self.give_up(now);
        }
        let me = self.settings.me.clone();
        let (root, follows) = match (why, self.follow.root()) {
            (Why::Handed(last), Some(root)) if self.follow.at() == Some(&last) => (root.clone(), Some(last)),
            _ => (Root { era, node: me.clone() }, None),
        };
        // A topic that had no tick since the root began is numbered from there too: its old numbers may be others' as well.
        let floor = root.era.floor();
        self.greatest = self.greatest.max(era);
        self.follow.raise(era, Some(me.clone()));
        self.roll.holds(era, &me, now);
        self.state = State::Holding { era, root, beats: 0, follows };
        self.acts.push(Act::Begin { floor });
    }
}
