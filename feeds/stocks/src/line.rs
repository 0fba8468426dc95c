//! What the streams of all sources have in common: who hears of them, and what is wrong with them.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tickerd_feed_provider::{Fault, Tally};
use tickerd_sdk::{Host, Level};

use crate::desk::Desk;
use crate::market::named;

/// So many connections within [`OFTEN`] are no accident.
const CONNECTIONS_MAX: usize = 3;
/// See [`CONNECTIONS_MAX`].
const OFTEN: Duration = Duration::from_secs(180);
/// Most complaints kept of one connection.
const COMPLAINTS_MAX: usize = 32;

/// A stream of trades, as far as all sources are alike.
pub(crate) struct Line<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) tally: Tally,
    source: &'static str,
    /// When the newest connections were opened.
    opened: VecDeque<Instant>,
    /// What the source said is wrong, though the connection goes on.
    complaints: BTreeSet<String>,
    /// Why there will be no stream, though the feed goes on without.
    given_up: Option<String>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(desk: &'a Desk, source: &'static str) -> Line<'a> {
        Line {
            desk,
            tally: Tally::default(),
            source,
            opened: VecDeque::new(),
            complaints: BTreeSet::new(),
            given_up: None,
        }
    }

    /// A connection is there: what was wrong with the last one is over.
    pub(crate) fn open(&mut self) {
        self.complaints.clear();
        self.opened.push_back(Instant::now());
        if self.opened.len() > CONNECTIONS_MAX {
            self.opened.pop_front();
        }
    }

    /// The source says that something is wrong.
    pub(crate) fn complain(&mut self, text: &str, host: &Host) {
        let text = self.desk.clean(&format!("{} says: {text}", self.source));
        if self.complaints.len() < COMPLAINTS_MAX && self.complaints.insert(text.clone()) {
            host.log(Level::Warn, text);
        }
    }

    /// There will be no stream until the feed is started again.
    pub(crate) fn give_up(&mut self, why: String) {
        self.given_up = Some(why);
    }

    /// Why there will be no stream.
    pub(crate) fn given_up(&self) -> Option<&str> {
        self.given_up.as_deref()
    }

    /// What is wrong though trades flow.
    pub(crate) fn trouble(&self) -> Option<String> {
        named(self.complaints.iter().map(String::as_str))
    }

    /// What ended a connection; when that happens again and again, also what is likely behind it.
    pub(crate) fn explain(&self, fault: Fault) -> Fault {
        let is_cut_often = self.opened.len() == CONNECTIONS_MAX
            && self.opened.front().is_some_and(|first| first.elapsed() < OFTEN);
        if !is_cut_often {
            return fault;
        }
        fault.map_message(|text| {
            format!(
                "{text}; {CONNECTIONS_MAX} connections were cut within minutes, and {} takes one per key: does another \
                 program or feed use this key? stream = false does without",
                self.source
            )
        })
    }
}
