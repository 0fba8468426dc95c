//! Watches over the age of each feed's news: tells the shards which topics went stale, and the feed's supervisor when all
//! of them did.

use std::time::Duration;

use super::Pulse;
use super::sources::Followed;
use crate::exchange::beat::{Aged, Stale};
use tickerd_model::board::Board;
use tickerd_model::health::{FeedState, Silence};
use tickerd_model::source::SourceId;
use tickerd_process::clock::now_unix_ms;

/// What the pulse knows of one feed besides its topics.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Its source is closed for now: its topics do not age.
    is_closed: bool,
    /// As last told to the feed's supervisor.
    silence: Option<Silence>,
    /// (stale, all) as last told.
    told: (usize, usize),
}

impl Watch {
    /// The feed's state changed. When its source opens, its topics have their whole age to go before they are stale.
    pub fn hear(&mut self, state: FeedState, source: SourceId, board: &mut Board) {
        let was_closed = std::mem::replace(&mut self.is_closed, state == FeedState::Closed);
        if was_closed && !self.is_closed {
            board.forgive(source);
        }
    }
}

impl Pulse {
    /// When an age has to be looked at.
    pub(super) fn next_look(&self) -> Option<u64> {
        let aging = self.sources.iter().filter(|(_, followed)| followed.max_age().is_some());
        aging.filter_map(|(id, _)| self.board.next_look(*id)).min()
    }

    /// Looks for what has become stale, and tells that and what had news again. Ticks that wait must have been collected.
    pub(super) fn look_at_ages(&mut self) {
        // What is found by one look is stale since then, so that it can be told in one notice.
        let since = now_unix_ms();
        let aging = self.sources.iter().filter_map(|(id, followed)| Some((*id, followed.max_age()?)));
        for (id, max_age) in aging.collect::<Vec<_>>() {
            self.board.look(id, micros(max_age));
            let stale = Stale { since, max_age_ms: max_age.as_millis() as u64 };
            self.take_aged(stale);
        }
        self.take_aged(Stale::default());
        for (id, Followed { source, lane, watch, .. }) in &mut self.sources {
            let counts = (self.board.stale(*id), self.board.topics(*id));
            let is_new = std::mem::replace(&mut watch.told, counts) != counts;
            if is_new {
                self.metrics.set_stale(&source.name, counts.0);
            }
            let Some(freshness) = lane.as_ref().map(|lane| lane.freshness()) else { continue };
            if is_new {
                freshness.set_counts(counts.0, counts.1);
            }
            let max_age = freshness.max_age().unwrap_or_default();
            let old_news = self.board.old_news(*id, micros(max_age));
            let silence = self.board.is_silent(*id).then(|| match old_news {
                Some(age) => Silence::OldNews { age: Duration::from_micros(age), max_age },
                None => Silence::NoNews { max_age },
            });
            // The age of old news grows all the time; what it was at first is told.
            let is_alike = match (watch.silence, silence) {
                (Some(Silence::OldNews { .. }), Some(Silence::OldNews { .. })) => true,
                (before, now) => before == now,
            };
            if !is_alike {
                watch.silence = silence;
                freshness.set_silence(silence);
            }
        }
    }

    /// Tells the shards which topics went stale or had news, since the last call. Those that went stale are so since
    /// `stale.since`, for an age of `stale.max_age_ms`.
    pub(super) fn take_aged(&mut self, stale: Stale) {
        let aged = self.board.take_aged().into_iter();
        self.pending
            .aged
            .extend(aged.map(|aged| Aged { topic: aged.topic, stale: aged.is_stale.then_some(stale) }));
    }
}

impl Followed {
    /// The age at which its topics get stale now.
    fn max_age(&self) -> Option<Duration> {
        self.lane.as_ref().filter(|_| !self.watch.is_closed)?.freshness().max_age()
    }
}

fn micros(age: Duration) -> u64 {
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}
