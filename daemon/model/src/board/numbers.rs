//! In a cluster: the numbers of a source's ticks, which are of whoever holds it.

use std::collections::VecDeque;
use std::fmt;

use crate::topic::Topic;

/// Topics that went and of which the last number is still known.
const GONE_MAX: usize = 1024;

/// A topic of a source that came or went.
#[derive(Debug, Clone)]
pub enum Turn {
    Added(Topic),
    /// The one of this name.
    Removed(Topic),
}

/// Why the board cannot take what another node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// The source is not open.
    NoSource,
    /// The topic's first segment is not the source's name.
    Astray,
    /// A tick of a topic that was not added.
    NoTopic,
    /// A topic that is there was added with another kind or class.
    Changed,
    /// A tick's number is not above those before.
    Back,
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSource => "the feed is not known here",
            Self::Astray => "a topic's first segment is not the feed's name",
            Self::NoTopic => "a tick of a topic that was not added before",
            Self::Changed => "a topic was added with another kind or class than it has",
            Self::Back => "a tick's seq is not above the one before",
        })
    }
}

/// The numbers of a source's ticks.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// They began anew above this one.
    pub base: u64,
    /// The first tick of a new topic has a number above this one: topics that were retired had up to it.
    pub top: u64,
    /// Topics that came and went, if someone takes them.
    pub turns: Option<Vec<Turn>>,
    /// Topics that went last, with the numbers that they had come to. A new holder may not know yet that they went.
    gone: VecDeque<(Box<str>, u64)>,
}

impl Numbers {
    pub fn introduce(&mut self, topic: &Topic) {
        self.turns.iter_mut().for_each(|turns| turns.push(Turn::Added(topic.clone())));
    }

    /// The number that a topic of this name had come to when it went; 0 if that is not known.
    pub fn gone(&self, name: &str) -> u64 {
        self.gone.iter().filter(|(gone, _)| **gone == *name).map(|(_, seq)| *seq).max().unwrap_or(0)
    }

    /// A topic went whose ticks were pushed up to this number.
    pub fn retire(&mut self, topic: &Topic, pushed: u64) {
        self.top = self.top.max(pushed);
        if self.gone.len() == GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((topic.name().into(), pushed));
        self.turns.iter_mut().for_each(|turns| turns.push(Turn::Removed(topic.clone())));
    }
}
