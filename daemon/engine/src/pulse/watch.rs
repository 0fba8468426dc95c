//! Watches over the age of each feed's news: tells the shards which topics went stale, and the feed's supervisor when all
//! of them did.

use std::time::Duration;

use super::Pulse;
use super::sources::Followed;
use crate::exchange::beat::{Aged, Stale};
use tickerd_model::board::Board;
use tickerd_model::lane::FeedState;
use tickerd_model::protocol::rate;
use tickerd_model::source::SourceId;
use tickerd_process::clock::now_unix_ms;

/// What the pulse knows of one feed besides its topics.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Its source is closed for now: its topics do not age.
    is_closed: bool,
    silence: Silence,
    /// (stale, all) as last told.
    told: (usize, usize),
}

/// Whether a feed brings news.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    None,
    /// Values come, and all of them are old by their source's time.
    OldNews,
    /// Nothing comes.
    NoNews,
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
        for (id, Followed { source, lane, watch }) in &mut self.sources {
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
            let silence = match (self.board.is_silent(*id), old_news) {
                (false, _) => Silence::None,
                (true, Some(_)) => Silence::OldNews,
                (true, None) => Silence::NoNews,
            };
            if std::mem::replace(&mut watch.silence, silence) == silence {
                continue;
            }
            let max_age = rate::format(max_age);
            freshness.set_silence(match silence {
                Silence::None => None,
                Silence::OldNews => {
                    let age = shown(Duration::from_micros(old_news.unwrap_or_default()));
                    let why = format!(
                        "its newest value is {age} old by its source's own time; max_age is {max_age}"
                    );
                    Some((FeedState::Degraded, why))
                }
                Silence::NoNews => {
                    Some((FeedState::Stale, format!("no topic has had news for {max_age}, its max_age")))
                }
            });
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

/// An age as people say it: `3 h`, `5 min`, `12 s`.
fn shown(age: Duration) -> String {
    match age.as_secs() {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}
