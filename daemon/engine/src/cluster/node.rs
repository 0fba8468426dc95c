//! The loop: what comes from other nodes, from the pulse, from the record and from people, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::asks::Asks;
use super::feed::{Held, join_of};
use super::outbox::Outbox;
use super::said::Mouth;
use super::sharing::Sharing;
use super::standing::{NodeSeen, Standing};
use super::{Command, Feed, Keys, Plugins, Settings};
use crate::exchange::nodes::{NodeOrder, PulseSays};
use tickerd_cluster::load::Load;
use tickerd_cluster::wire::{Ask, Message, Said, Tell};
use tickerd_cluster::{Act, Beat, Found, Joint, Millis, Node as Name};
use tickerd_model::source::SourceId;
use tickerd_nats::{Events, Link};

/// Between two looks at the time.
const LOOK: Duration = Duration::from_millis(50);
/// Looks between two heartbeats: 500 ms.
const HEARTBEAT_LOOKS: u64 = 10;
/// Heartbeats between two looks at the records of what this node holds.
const RECORD_HEARTBEATS: u64 = 10;
/// Results of tasks that wait.
pub const RESULTS_MAX: usize = 1_024;
/// Between two tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// The pulse makes a whole board within this time.
const BOARD_MAX: Millis = 5_000;
/// Whole boards that are being made for others at once.
pub(super) const BOARDS_MAX: usize = 8;
/// The same for one of them, so that others get theirs too.
pub(super) const BOARDS_OF_NODE_MAX: usize = 6;

/// What a task of the loop brings back.
#[derive(Debug)]
pub enum Back {
    Found {
        feed: Arc<str>,
        found: Option<Found>,
    },
    Swapped {
        feed: Arc<str>,
        done: bool,
    },
    /// The cluster's epoch.
    Epoch(String),
    /// The plugin of that feed has ended.
    Ended {
        feed: Arc<str>,
    },
}

/// Who waits for a whole board, and of which feed.
pub(super) struct Waits {
    pub feed: Arc<str>,
    pub node: Name,
    pub since: Millis,
}

pub struct Node {
    pub(super) me: Name,
    pub(super) settings: Settings,
    pub(super) link: Link,
    pub(super) feeds: BTreeMap<Arc<str>, Held>,
    pub(super) ids: BTreeMap<SourceId, Arc<str>>,
    pub(super) order: Box<dyn Fn(NodeOrder) + Send>,
    pub(super) plugins: Arc<dyn Plugins>,
    /// Who may connect; none without `[auth]`.
    pub(super) keys: Option<Arc<dyn Keys>>,
    pub(super) sharing: Sharing,
    pub(super) back: mpsc::Sender<Back>,
    results: Option<mpsc::Receiver<Back>>,
    /// What waits to be sent.
    pub(super) out: Outbox,
    pub(super) mouth: Mouth,
    pub(super) standing: Arc<Standing>,
    pub(super) nodes: BTreeMap<Name, NodeSeen>,
    pub(super) is_draining: bool,
    pub(super) moves: Vec<super::hands::Moving>,
    /// The cluster's, as its record has it.
    pub(super) epoch: Option<String>,
    /// What it becomes if it has none. An edge wants none.
    pub(super) wanted: Option<String>,
    pub(super) boards: BTreeMap<u64, Waits>,
    pub(super) boards_made: u64,
    pub(super) asks: Asks,
    looks: u64,
    pub(super) started: Instant,
}

impl Node {
    pub fn new(
        settings: Settings,
        feeds: Vec<Feed>,
        (epoch, wanted): (Option<String>, Option<String>),
        (link, order): (Link, Box<dyn Fn(NodeOrder) + Send>),
        plugins: Arc<dyn Plugins>,
        standing: Arc<Standing>,
    ) -> Node {
        let me = Name { name: settings.node.as_str().into(), life: rand::random() };
        let (back, results) = mpsc::channel(RESULTS_MAX);
        let mouth = Mouth::new(&settings.cluster, &me);
        let out = Outbox::new(&link);
        let mut node = Node {
            me,
            settings,
            link,
            feeds: BTreeMap::new(),
            ids: BTreeMap::new(),
            order,
            keys: plugins.keys(),
            sharing: Sharing::default(),
            plugins,
            back,
            results: Some(results),
            out,
            mouth,
            standing,
            nodes: BTreeMap::new(),
            is_draining: false,
            moves: Vec::new(),
            epoch,
            wanted,
            boards: BTreeMap::new(),
            boards_made: 0,
            asks: Asks::default(),
            looks: 0,
            started: Instant::now(),
        };
        feeds.into_iter().for_each(|feed| node.open(feed));
        node
    }

    pub(super) fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub async fn run(
        mut self,
        mut events: Events,
        mut pulse: mpsc::Receiver<PulseSays>,
        mut commands: mpsc::Receiver<Command>,
        (mut stop, turns): (oneshot::Receiver<()>, Arc<AtomicU64>),
    ) {
        let Some(mut results) = self.results.take() else { return };
        let subjects = self.mouth.subjects(self.settings.feeds.as_ref());
        let mut heard = loop {
            match self.link.subscribe(&subjects).await {
                Ok(heard) => break heard,
                Err(error) => tracing::error!(%error, "the cluster cannot be listened to; it is tried again"),
            }
            tokio::select! {
                _ = &mut stop => return,
                Some(command) = commands.recv() => {
                    self.obey(command);
                    while let Ok(command) = commands.try_recv() {
                        self.obey(command);
                    }
                }
                () = tokio::time::sleep(LISTEN_AGAIN) => {}
            }
            turns.fetch_add(1, Ordering::Relaxed);
        };
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = &mut stop => return self.out.settle().await,
                event = events.next() => match event {
                    Some(event) => self.happened(&event),
                    None => return,
                },
                message = heard.next() => match message {
                    Some(message) => self.hear(message.subject(), &message.bytes),
                    None => return,
                },
                Some(says) = pulse.recv() => self.said(says),
                Some(back) = results.recv() => self.came_back(back),
                Some(command) = commands.recv() => self.obey(command),
                _ = looks.tick() => {
                    turns.fetch_add(1, Ordering::Relaxed);
                    self.look();
                }
            }
        }
    }

    /// A feed comes, or is configured so from now on.
    pub(super) fn open(&mut self, feed: Feed) {
        let name: Arc<str> = (*feed.source.name).into();
        let is_followed = self.settings.feeds.as_ref().is_none_or(|feeds| feeds.contains(&*name));
        if !is_followed {
            return;
        }
        let may_hold = feed.may_hold && !self.settings.is_edge && !self.is_draining;
        if let Some(held) = self.feeds.get_mut(&name) {
            held.configure(feed, may_hold);
            return self.plugins.change(&held.source);
        }
        let held = Held::new(Feed { may_hold, ..feed }, &self.settings, &self.me, self.now());
        self.ids.insert(held.feed.source.id, name.clone());
        self.feeds.insert(name.clone(), held);
        self.read_record(&name);
    }

    /// Does something to a feed, and then what follows from that.
    pub(super) fn with(&mut self, feed: &Arc<str>, act: impl FnOnce(&mut Held)) {
        if let Some(held) = self.feeds.get_mut(feed) {
            act(held);
            self.settle(feed);
        }
    }

    pub(super) fn said(&mut self, says: PulseSays) {
        let now = self.now();
        match says {
            PulseSays::Beat { source, era, load, is_last, greatest_seq } => {
                let Some(feed) = self.ids.get(&source).cloned() else { return };
                self.beat(&feed, era, load, is_last, greatest_seq);
            }
            PulseSays::Whole { source, ask, mut load } => {
                let Some(waits) = self.boards.remove(&ask) else { return };
                let Some(held) = self.feeds.get_mut(&waits.feed).filter(|held| held.source.id == source)
                else {
                    return;
                };
                held.dress(&mut load, &*self.plugins);
                if let Some(answer) = held.part.whole(Arc::new(load)) {
                    self.answer(&waits.feed, &waits.node, answer);
                }
            }
            PulseSays::Publish { source, id, message } => self.publish(source, id, message),
            PulseSays::Published { node, id, outcome } => self.published(&node, id, outcome),
            PulseSays::Presence { source, whole, turnovers } => self.tell_presence(source, whole, turnovers),
            PulseSays::Lost { source, era } => {
                let Some(feed) = self.ids.get(&source).cloned() else { return };
                tracing::warn!(
                    feed = &*feed,
                    "this node cannot send beats as fast as they come, so the feed begins anew"
                );
                self.standing.count_overrun();
                self.with(&feed, |held| {
                    if let Some(mine) = held.part.holds().filter(|mine| mine.number() == era) {
                        held.part.told(mine, None, now);
                    }
                });
            }
            PulseSays::Broken { source, why, dropped: _ } => {
                let Some(feed) = self.ids.get(&source).cloned() else { return };
                tracing::warn!(
                    feed = &*feed,
                    "what its holder says cannot be applied, so all of it is asked for: {why}"
                );
                self.with(&feed, |held| {
                    held.broken = Some(why);
                    held.part.lose(now);
                });
            }
        }
    }

    /// A load of a feed that this node holds goes out as a beat.
    fn beat(&mut self, feed: &Arc<str>, era: u64, mut load: Load, is_last: bool, greatest_seq: u64) {
        let now = self.now();
        let Some(held) = self.feeds.get_mut(feed) else { return };
        // Of a reign that is over: those numbers are nobody's.
        if held.part.holds().map(|mine| mine.number()) != Some(era) {
            return;
        }
        held.dress(&mut load, &*self.plugins);
        let handing = held.handing.take_if(|_| is_last);
        let beat = match handing {
            Some(handing) => held.part.hand_over(Arc::new(load), handing.to, now),
            None => held.part.beat(Arc::new(load), now),
        };
        if let Some(beat) = beat {
            held.part.reached(greatest_seq, now);
            self.standing.count_sent();
            self.send("beat", feed, &Message::Beat(Said { feed: (**feed).into(), beat }));
        }
        self.settle(feed);
    }

    fn came_back(&mut self, back: Back) {
        let now = self.now();
        match back {
            Back::Found { feed, found } => self.with(&feed, |held| {
                held.part.read(found, now);
            }),
            Back::Swapped { feed, done } => self.with(&feed, |held| held.part.swapped(done, now)),
            Back::Epoch(epoch) => self.has_epoch(epoch),
            Back::Ended { feed } => self.plugin_ended(&feed),
        }
    }

    fn look(&mut self) {
        let now = self.now();
        self.looks += 1;
        // The feed may have ended meanwhile.
        self.boards.retain(|_, waits| now.saturating_sub(waits.since) < BOARD_MAX);
        self.look_at_moves(now);
        self.look_for_gone(now);
        self.sharing.look(now);
        self.asks.look(now);
        let names: Vec<_> = self.feeds.keys().cloned().collect();
        for name in names {
            self.with(&name, |held| held.part.look(now));
            self.look_for_holder(&name, now);
            self.look_for_heir(&name, now);
            self.look_for_end(&name, now);
            self.look_at_plugin(&name, now);
        }
        if self.looks.is_multiple_of(HEARTBEAT_LOOKS) {
            self.say_heartbeat(now);
            self.tell_standing(now);
            if self.epoch.is_none() {
                self.read_epoch();
            }
        }
        if self.looks.is_multiple_of(HEARTBEAT_LOOKS * RECORD_HEARTBEATS) {
            self.mend_records();
        }
    }

    /// Does what is to be done, and applies what can be applied. A holder that hears the next one's first beat yields before that is
    /// applied: the pulse takes no other's beats while it holds the feed.
    pub(super) fn settle(&mut self, feed: &Arc<str>) {
        let now = self.now();
        loop {
            let Some(held) = self.feeds.get_mut(feed) else { return };
            for act in held.part.acts() {
                self.act(feed, act);
            }
            let Some((beat, joint)) = self.feeds.get_mut(feed).and_then(|held| held.part.next(now)) else {
                return;
            };
            self.apply(feed, &beat, joint);
        }
    }

    fn apply(&mut self, feed: &Arc<str>, beat: &Beat<Arc<Load>>, joint: Joint) {
        let Some(held) = self.feeds.get_mut(feed) else { return };
        self.standing.count_received(joint, held.lag_ms);
        let mut described = None;
        if let Some(about) = &beat.load.about
            && held.about.as_ref() != Some(about)
        {
            if held.about.as_ref().is_none_or(|before| before.hello != about.hello) && !about.hello.is_empty()
            {
                self.plugins.hear(feed, &about.hello);
            }
            described = Some(self.plugins.source(&held.source, about));
            held.about = Some(about.clone());
        }
        let root = &beat.head.root;
        let source = held.with_root(root, described);
        held.is_absent = false;
        if beat.load.health.is_some() {
            held.health.clone_from(&beat.load.health);
        }
        held.broken = None;
        (self.order)(NodeOrder::Accept {
            id: held.source.id,
            source,
            load: beat.load.clone(),
            join: join_of(joint, root),
        });
        self.introduce(feed, &beat.head.at);
    }

    fn act(&mut self, feed: &Arc<str>, act: Act) {
        match act {
            Act::Read => self.read_record(feed),
            Act::Swap { revision, record } => self.swap_record(feed, revision, &record),
            Act::Begin { floor } => self.begin(feed, floor),
            Act::End => self.end(feed),
            Act::Ask { node, after, root } => {
                self.standing.count_asked();
                self.send("ask", &node.name, &Message::Ask(Ask { feed: (**feed).into(), after, root }));
            }
            // The servers do not let an edge; the others tell as well.
            Act::Tell { .. } if self.settings.is_edge => {}
            Act::Tell { era, holder } => {
                self.send("tell", feed, &Message::Tell(Tell { feed: (**feed).into(), era, holder }));
            }
        }
    }
}
