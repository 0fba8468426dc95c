//! The sources that the pulse follows, and how they come and go.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::Pulse;
use super::bars::Fields;
use super::signing::Ahead;
use super::watch::Watch;
use tickerd_config::FeedBars;
use tickerd_model::lane::Lane;
use tickerd_model::rooms::Declared;
use tickerd_model::source::{Kind, Pace, Source, SourceId};
use tickerd_process::Bell;
use tickerd_process::clock::now_unix_ms;

/// Sources that wait to come or go.
const ORDERS_MAX: usize = 64;

/// A source that comes, with what only the pulse needs of it.
#[derive(Clone)]
pub struct Opening {
    pub source: Arc<Source>,
    /// Where a feed's ticks wait; of others there is none.
    pub lane: Option<Arc<Lane>>,
    /// Of which field a feed's topics have bars.
    pub bars: FeedBars,
    /// The configured greatest age of a feed's news.
    pub max_age: Option<Duration>,
    /// A room's topics.
    pub rooms: Vec<Declared>,
}

/// Sources that are to come and go, one after the other.
pub(super) enum Order {
    Open(Opening),
    /// A source that is there is so from now on.
    Change(Opening),
    Close(SourceId),
}

/// Tells the pulse of sources that come, go and change.
#[derive(Clone)]
pub struct Orders {
    orders: mpsc::SyncSender<Order>,
    bell: Arc<Bell>,
}

impl Orders {
    /// And what the pulse hears them by.
    pub(super) fn new(bell: &Arc<Bell>) -> (Orders, mpsc::Receiver<Order>) {
        let (orders, ordered) = mpsc::sync_channel(ORDERS_MAX);
        (Orders { orders, bell: bell.clone() }, ordered)
    }

    /// A source comes: with the next beat everyone knows it.
    pub fn open(&self, opening: Opening) {
        self.order(Order::Open(opening));
    }

    /// A source that is there is so from now on. Its topics and their numbers go on.
    pub fn change(&self, opening: Opening) {
        self.order(Order::Change(opening));
    }

    /// A source goes, and its topics with it. What it has said until now and was not taken is dropped, as is what it goes on to say.
    pub fn close(&self, source: SourceId) {
        self.order(Order::Close(source));
    }

    /// Waits while [`ORDERS_MAX`] wait.
    fn order(&self, order: Order) {
        self.bell.ring();
        if self.orders.send(order).is_err() {
            tracing::error!("the pulse has ended: no source comes or goes any more");
        }
        self.bell.ring();
    }
}

/// A source, as the pulse follows it.
pub(super) struct Followed {
    pub source: Arc<Source>,
    pub lane: Option<Arc<Lane>>,
    pub watch: Watch,
    pub fields: Fields,
    /// When its lane was emptied last, on the pulse's clock.
    pub emptied: u64,
}

impl Pulse {
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Open(Opening { source, lane, bars, rooms, .. }) => {
                self.limit(&rooms);
                self.follow(source.clone(), lane, bars);
                self.declare(&source, rooms);
            }
            Order::Change(opening) => self.change(opening),
            Order::Close(source) => self.leave(source),
        }
    }

    /// From now on a source's ticks are collected and its beats come.
    pub(super) fn follow(&mut self, source: Arc<Source>, lane: Option<Arc<Lane>>, bars: FeedBars) {
        // In a cluster a room is held and followed as a feed is, though nothing comes by its lane.
        let is_shared = self.nodes.is_some() && source.kind == Kind::Room;
        let lane = lane.or_else(|| is_shared.then(|| Arc::new(Lane::new(1, Box::new(|| {})))));
        if let (Some(nodes), Some(lane)) = (&mut self.nodes, &lane) {
            nodes.open(source.id, lane, bars.clone());
        }
        self.board.open(&source);
        self.directory.open(&source);
        self.metrics.open(&source.name);
        let (watch, fields) = (Watch::default(), Fields::new(bars));
        let followed = Followed { source: source.clone(), lane, watch, fields, emptied: 0 };
        self.sources.insert(source.id, followed);
        self.add_beats(&source);
    }

    /// A source that is followed beats so, is heeded and signed so.
    fn add_beats(&mut self, source: &Source) {
        let now = self.mono_us();
        // Where another node's beats are followed, those come when they come.
        let is_other = self.nodes.as_ref().is_some_and(|nodes| nodes.is_follower(source.id));
        let is_paced = source.pace == Pace::Arrival && !is_other;
        let scheduled = source.tiers.all().iter().zip(0u8..).skip(usize::from(is_other || is_paced));
        for (interval, tier) in scheduled {
            self.metrics.watch_interval(*interval);
            self.schedule.add(*interval, now);
            self.beats.entry(*interval).or_default().push((source.id, tier));
        }
        if is_paced {
            self.arrivals.add(source.id);
        }
        if let Some(lane) = self.sources.get(&source.id).and_then(|followed| followed.lane.as_ref()) {
            lane.set_eager(is_paced);
            let max_age = lane.freshness().source_max_age();
            self.board.heed_source(source.id, max_age.map(|age| age.as_micros() as u64));
        }
        if source.signer.is_some() && self.ahead.is_none() {
            self.ahead = Ahead::start();
        }
    }

    /// How much of the past is kept of these topics, before they are on the board.
    pub(super) fn limit(&mut self, rooms: &[Declared]) {
        for Declared { name, depth, .. } in rooms {
            self.board.limit(name, *depth);
        }
    }

    /// Topics that are there before they have spoken.
    pub(super) fn declare(&mut self, source: &Source, rooms: Vec<Declared>) {
        self.nodes.iter_mut().for_each(|nodes| nodes.declare(source.id, &rooms));
        self.rooms.open(source.id, rooms, &mut self.board);
        if source.kind == Kind::Own {
            self.stats.declare(source.id, &mut self.board);
            self.live.open(source.id);
        }
    }

    /// A source is configured so from now on. Its topics stay, and their numbers go on. What another node holds is as that node says,
    /// until this one holds it.
    fn change(&mut self, Opening { mut source, bars, max_age, rooms, .. }: Opening) {
        let id = source.id;
        let Some(followed) = self.sources.get(&id) else { return };
        if let Some(nodes) = &mut self.nodes {
            nodes.change(id, max_age, bars.clone());
            nodes.declare(id, &rooms);
            if nodes.is_follower(id) {
                return;
            }
            // Whose numbers its topics have does not depend on the configuration.
            source = Arc::new(Source { group: followed.source.group.clone(), ..(*source).clone() });
        }
        self.reform(source.clone());
        if source.kind == Kind::Room {
            self.rooms.reopen(id, rooms, &mut self.board);
        }
        self.make_bars_of(id, bars);
    }

    /// Of which field a source's topics have bars from now on.
    pub(super) fn make_bars_of(&mut self, id: SourceId, bars: FeedBars) {
        let followed = self.sources.get_mut(&id).filter(|followed| !followed.fields.is_of(&bars));
        followed.into_iter().for_each(|followed| followed.fields = Fields::new(bars.clone()));
    }

    /// A source that is there is so from now on: its beats, and whose numbers its topics have.
    pub(super) fn reform(&mut self, source: Arc<Source>) {
        let id = source.id;
        let Some(before) = self.sources.get(&id).map(|followed| followed.source.clone()) else { return };
        // What was due by its beats before comes now, since those may not be there any more.
        for tier in (0..before.tiers.all().len()).filter_map(|tier| u8::try_from(tier).ok()) {
            let before = self.pending.due.len();
            self.board.take_due(id, tier, &mut self.pending.due);
            if let (0, Some(nodes)) = (tier, &mut self.nodes) {
                nodes.beat(id, now_unix_ms(), before..self.pending.due.len());
            }
        }
        self.say();
        self.push();
        self.forget_beats(id);
        self.board.reopen(&source);
        self.directory.open(&source);
        self.add_beats(&source);
        self.sources.get_mut(&id).into_iter().for_each(|followed| followed.source = source.clone());
    }

    /// A source is held from now on, or is not any more: its own beat is its schedule's, or comes when it comes.
    pub(super) fn renew_beats(&mut self, id: SourceId) {
        let Some(source) = self.sources.get(&id).map(|followed| followed.source.clone()) else { return };
        self.forget_beats(id);
        self.add_beats(&source);
    }

    /// Nobody else's beats move.
    fn forget_beats(&mut self, id: SourceId) {
        self.arrivals.remove(id);
        self.beats.retain(|interval, beats| {
            beats.retain(|(source, _)| *source != id);
            if beats.is_empty() {
                self.schedule.remove(*interval);
            }
            !beats.is_empty()
        });
    }

    fn leave(&mut self, id: SourceId) {
        let Some(followed) = self.sources.remove(&id) else { return };
        self.nodes.iter_mut().for_each(|nodes| nodes.close(id));
        self.forget_beats(id);
        self.rooms.close(id);
        self.board.close(id);
        self.bars.close(id);
        self.directory.close(id);
        self.pending.health.retain(|(source, _)| *source != id);
        self.metrics.close(&followed.source.name);
    }
}
