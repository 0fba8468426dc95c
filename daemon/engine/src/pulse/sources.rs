//! The sources that the pulse follows, and how they come and go.

use std::sync::Arc;

use super::Pulse;
use super::bars::Fields;
use super::signing::Ahead;
use super::watch::Watch;
use tickerd_config::FeedBars;
use tickerd_model::lane::Lane;
use tickerd_model::rooms::Declared;
use tickerd_model::source::{Kind, Source, SourceId};

/// A source that comes, with what only the pulse needs of it.
#[derive(Clone)]
pub struct Opening {
    pub source: Arc<Source>,
    /// Where a feed's ticks wait; of others there is none.
    pub lane: Option<Arc<Lane>>,
    /// Of which field a feed's topics have bars.
    pub bars: FeedBars,
    /// A room's topics.
    pub rooms: Vec<Declared>,
}

/// Sources that are to come and go, one after the other.
pub(super) enum Order {
    Open(Opening),
    Close(SourceId),
}

/// A source, as the pulse follows it.
pub(super) struct Followed {
    pub source: Arc<Source>,
    pub lane: Option<Arc<Lane>>,
    pub watch: Watch,
    pub fields: Fields,
}

impl Pulse {
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Open(Opening { source, lane, bars, rooms }) => {
                self.limit(&rooms);
                self.follow(source.clone(), lane, bars);
                self.declare(&source, rooms);
            }
            Order::Close(source) => self.leave(source),
        }
    }

    /// From now on a source's ticks are collected and its beats come.
    pub(super) fn follow(&mut self, source: Arc<Source>, lane: Option<Arc<Lane>>, bars: FeedBars) {
        let now = self.mono_us();
        self.board.open(&source);
        self.directory.open(&source);
        self.metrics.open(&source.name);
        for (interval, tier) in source.tiers.all().iter().zip(0u8..) {
            self.metrics.watch_interval(*interval);
            self.schedule.add(*interval, now);
            self.beats.entry(*interval).or_default().push((source.id, tier));
        }
        if let Some(lane) = &lane {
            let max_age = lane.freshness().source_max_age();
            self.board.heed_source(source.id, max_age.map(|age| age.as_micros() as u64));
        }
        if source.signer.is_some() && self.ahead.is_none() {
            self.ahead = Ahead::start();
        }
        let fields = Fields::new(bars);
        self.sources.insert(source.id, Followed { source, lane, watch: Watch::default(), fields });
    }

    /// How much of the past is kept of these topics, before they are on the board.
    pub(super) fn limit(&mut self, rooms: &[Declared]) {
        for Declared { name, depth, .. } in rooms {
            self.board.limit(name, *depth);
        }
    }

    /// Topics that are there before they have spoken.
    pub(super) fn declare(&mut self, source: &Source, rooms: Vec<Declared>) {
        self.rooms.open(source.id, rooms, &mut self.board);
        if source.kind == Kind::Own {
            self.stats.declare(source.id, &mut self.board);
            self.live.open(source.id);
        }
    }

    fn leave(&mut self, id: SourceId) {
        let Some(followed) = self.sources.remove(&id) else { return };
        // Nobody else's beats move.
        self.beats.retain(|interval, beats| {
            beats.retain(|(source, _)| *source != id);
            if beats.is_empty() {
                self.schedule.remove(*interval);
            }
            !beats.is_empty()
        });
        self.rooms.close(id);
        self.board.close(id);
        self.bars.close(id);
        self.directory.close(id);
        self.pending.health.retain(|(source, _)| *source != id);
        self.metrics.close(&followed.source.name);
    }
}
