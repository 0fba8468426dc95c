//! One feed, as this node holds or follows it.

use std::sync::Arc;

use super::{Feed, Plugins, Settings};
use crate::exchange::nodes::Join;
use tickerd_cluster::load::{About, Health, Load};
use tickerd_cluster::wire::{MESSAGE_BYTES_MAX, TooBig};
use tickerd_cluster::{Era, Joint, Millis, Node, Part, Root, Settings as PartSettings};
use tickerd_model::source::{Group, Source};

/// Between a plugin and what is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    Off,
    Runs,
    /// It was told to end, then. Whether it is wanted again.
    Ends {
        again: bool,
        since: Millis,
    },
}

/// A whole board that was too long is made again after this.
const TOO_BIG_AGAIN: Millis = 10_000;
/// That it was is told for so long.
const TOO_BIG_TOLD: Millis = 30_000;
/// What is missing is had within this time, or something is wrong.
const LACKING: Millis = 10_000;

/// A plugin has ended within this time: its grace, and what it takes to kill it. Who was to tell could not.
const ENDS_MAX: Millis = 10_000;

impl Plugin {
    /// It is to run. Whether it is to be started now.
    pub fn begin(&mut self) -> bool {
        match self {
            Plugin::Off => {
                *self = Plugin::Runs;
                return true;
            }
            Plugin::Ends { again, .. } => *again = true,
            Plugin::Runs => {}
        }
        false
    }

    /// It is not to run. Whether it is to be ended now.
    pub fn end(&mut self, now: Millis) -> bool {
        match self {
            Plugin::Runs => {
                *self = Plugin::Ends { again: false, since: now };
                return true;
            }
            Plugin::Ends { again, .. } => *again = false,
            Plugin::Off => {}
        }
        false
    }

    /// It has ended. Whether it is wanted again; none: one that was started since runs.
    pub fn ended(&mut self) -> Option<bool> {
        if *self == Plugin::Runs {
            return None;
        }
        let again = matches!(self, Plugin::Ends { again: true, .. });
        *self = Plugin::Off;
        Some(again)
    }

    /// Nobody told that it has ended, and it is time to end it once more.
    pub fn is_overdue(&mut self, now: Millis) -> bool {
        match self {
            Plugin::Ends { since, .. } if now.saturating_sub(*since) > ENDS_MAX => {
                *since = now;
                true
            }
            _ => false,
        }
    }
}

/// A hand-over that has begun: the plugin ends first, then the last beat goes out.
#[derive(Debug)]
pub struct Handing {
    pub to: Node,
}

pub struct Held {
    pub feed: Feed,
    pub part: Part<Arc<Load>>,
    pub plugin: Plugin,
    /// The source as the pulse has it now.
    pub source: Arc<Source>,
    /// Whose numbers the pulse has.
    pub root: Option<Root>,
    /// Who said what was applied last, and in which era.
    pub heard: Option<(Era, Node)>,
    /// What the holder said of the feed last.
    pub about: Option<About>,
    /// What this node's plugin said of itself, as it was told to others last.
    pub told_hello: Option<Arc<str>>,
    pub handing: Option<Handing>,
    /// The pulse was told that nobody holds it.
    pub is_absent: bool,
    /// As its holder said last.
    pub health: Option<Health>,
    /// A whole board was asked for, since what came could not be applied.
    pub broken: Option<String>,
    /// Its whole board is longer than a message may be: as of when, and how long.
    pub too_big: Option<(Millis, TooBig)>,
    /// When the holder's last beat was sent, by its clock, and how much later it came, by this one's.
    pub lag_ms: u64,
}

impl Held {
    pub fn new(feed: Feed, settings: &Settings, me: &Node, now: Millis) -> Held {
        let part = Part::new(
            PartSettings {
                feed: (*feed.source.name).into(),
                me: me.clone(),
                nodes: feed.nodes.clone(),
                may_hold: feed.may_hold,
                past: None,
                stored: feed.stored,
                kept: settings.kept,
                weigh,
            },
            now,
        );
        Held {
            source: feed.source.clone(),
            feed,
            part,
            plugin: Plugin::Off,
            root: None,
            heard: None,
            about: None,
            told_hello: None,
            handing: None,
            is_absent: false,
            health: None,
            broken: None,
            too_big: None,
            lag_ms: 0,
        }
    }

    /// It is configured so from now on. Of what this node follows, the holder says how it is.
    pub fn configure(&mut self, feed: Feed, may_hold: bool) {
        self.part.set_may_hold(may_hold);
        self.part.set_nodes(feed.nodes.clone());
        if self.part.holds().is_some() {
            self.source = Arc::new(Source { group: self.source.group.clone(), ..(*feed.source).clone() });
        }
        self.feed = Feed { may_hold, ..feed };
    }

    /// Whether its whole board is worth making: it was not too long a moment ago.
    pub fn may_make_board(&self, now: Millis) -> bool {
        self.too_big.is_none_or(|(since, _)| now.saturating_sub(since) >= TOO_BIG_AGAIN)
    }

    /// What is wrong with it, and what to change.
    pub fn trouble(&self, now: Millis) -> Option<String> {
        let lacks = || {
            let (since, holder) = (self.part.lacking()?, self.part.holder(now)?);
            let long = now.saturating_sub(since);
            (long >= LACKING).then(|| {
                let (name, seconds) = (&*holder.name, long / 1_000);
                format!(
                    "the node {name} has not given what is missing here for {seconds} s; `tickerd cluster status` there may say why"
                )
            })
        };
        let too_big = || {
            let recent = |(at, _): &(Millis, TooBig)| now.saturating_sub(*at) < TOO_BIG_TOLD;
            let (_, TooBig { bytes }) = self.too_big.filter(recent)?;
            let (have, most) = (bytes.div_ceil(1 << 20), MESSAGE_BYTES_MAX >> 20);
            Some(format!(
                "a node asks for all of it, which has {have} MiB, and {most} MiB can be sent; make two feeds of it, or lower its topics_max"
            ))
        };
        self.broken.clone().or_else(too_big).or_else(lacks)
    }

    pub fn name(&self) -> &str {
        &self.feed.source.name
    }

    /// Adds to what the pulse says of this node's own feed what only the plugin and the configuration say.
    pub fn dress(&mut self, load: &mut Load, plugins: &dyn Plugins) {
        let hello = plugins.hello(self.name());
        let is_new = hello.is_some() && hello != self.told_hello;
        if load.about.is_none() && is_new && load.whole.is_none() {
            load.about.clone_from(&self.about);
        }
        let Some(about) = &mut load.about else { return };
        about.hello = hello.as_deref().unwrap_or_default().into();
        about.section = self.feed.section;
        if self.part.holds().is_some() {
            self.about = Some(about.clone());
            self.told_hello = hello;
        }
    }

    /// The source with that root's epoch; none if it is the same as before.
    pub fn with_root(&mut self, root: &Root, described: Option<Source>) -> Option<Arc<Source>> {
        let is_same = self.root.as_ref() == Some(root);
        if is_same && described.is_none() {
            return None;
        }
        let group = if is_same {
            self.source.group.clone()
        } else {
            Arc::new(Group { epoch: epoch_of(root).into() })
        };
        self.root = Some(root.clone());
        let source = described.unwrap_or_else(|| (*self.source).clone());
        self.source = Arc::new(Source { group, ..source });
        Some(self.source.clone())
    }
}

/// Names whose numbers a topic has. No other root has the same.
pub fn epoch_of(Root { era, node }: &Root) -> String {
    format!("{era}-{}-{:x}", node.name, node.life)
}

/// Whether a text has the form of a cluster's epoch; one that was edited by hand may not.
pub fn is_epoch(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub fn join_of(joint: Joint, root: &Root) -> Join {
    match joint {
        Joint::Next => Join::Next,
        Joint::Begins => Join::Begins { floor: root.era.floor() },
        Joint::Whole => Join::Whole,
    }
}

/// About the bytes that a load takes in memory.
fn weigh(load: &Arc<Load>) -> usize {
    const TICK: usize = 120;
    let ticks = load.ticks.iter().map(|tick| TICK + tick.value.len());
    let whole = load.whole.iter().flatten();
    let past =
        whole.flat_map(|topic| topic.past.iter().chain(&topic.newest)).map(|tick| TICK + tick.value.len());
    TICK + ticks.chain(past).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_is_wanted_again_starts_once_it_has_ended() {
        let mut plugin = Plugin::Off;
        assert!(!plugin.end(0));
        assert!(plugin.begin() && !plugin.begin());
        assert!(plugin.end(1) && !plugin.end(2));
        assert!(!plugin.begin(), "it still ends");
        assert_eq!((plugin.ended(), plugin), (Some(true), Plugin::Off));
        assert!(plugin.begin());
        assert_eq!(plugin.ended(), None, "that was the one before");
    }

    #[test]
    fn an_end_that_nobody_tells_of_is_asked_for_again() {
        let mut plugin = Plugin::Runs;
        assert!(!plugin.is_overdue(ENDS_MAX * 2));
        assert!(plugin.end(5));
        assert!(!plugin.is_overdue(5 + ENDS_MAX));
        assert!(plugin.is_overdue(6 + ENDS_MAX));
        assert!(!plugin.is_overdue(7 + ENDS_MAX), "once in that time");
        assert!(plugin.is_overdue(7 + 2 * ENDS_MAX));
    }
}
