//! A stream of trades, as far as all sources are alike: who hears of it, what is wrong with it, when it is over.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::{Fault, Tally};
use tickerd_sdk::{Health, Host, Level};

use crate::desk::{Desk, Part};
use crate::market::named;

/// So many connections within [`OFTEN`] are no accident.
const CONNECTIONS_MAX: usize = 3;
/// See [`CONNECTIONS_MAX`].
const OFTEN: Duration = Duration::from_secs(180);
/// Most complaints kept of one connection.
const COMPLAINTS_MAX: usize = 32;

/// What a source wants to hear, and what it says.
pub(crate) trait Dialogue {
    /// How long it is silent at most while it is well.
    const SILENCE: Duration;
    /// Whether it must be pinged, as it may be silent while nobody trades.
    const PINGS: bool;
    /// How long after a connection's begin values, or the word that they are current, come at the latest.
    const PATIENCE: Option<Duration>;

    /// A connection is there: the messages to begin with.
    fn hello(&self, desk: &Desk) -> Vec<String>;

    /// Takes one message; see [`Stream::hear`].
    fn hear(&mut self, text: &str, line: &mut Line, host: &Host) -> Result<Heard, Fault>;
}

/// A dialogue with what surrounds it.
pub(crate) struct Listening<'a, D> {
    line: Line<'a>,
    dialogue: D,
}

impl<'a, D: Dialogue> Listening<'a, D> {
    pub(crate) fn new(desk: &'a Desk, source: &'static str, dialogue: D) -> Listening<'a, D> {
        Listening { line: Line::new(desk, source), dialogue }
    }

    /// Why there will be no stream, though the feed goes on.
    pub(crate) fn given_up(&self) -> Option<&str> {
        self.line.given_up.as_deref()
    }
}

impl<D: Dialogue> Stream for Listening<'_, D> {
    fn hello(&mut self) -> Vec<String> {
        self.line.open();
        self.dialogue.hello(self.line.desk)
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        self.dialogue.hear(text, &mut self.line, host)
    }

    fn silence(&self) -> Duration {
        D::SILENCE
    }

    fn patience(&self) -> Option<Duration> {
        D::PATIENCE
    }

    fn trouble(&self) -> Option<String> {
        named(self.line.complaints.iter().map(String::as_str))
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        Some("trades")
    }

    fn pings(&self) -> bool {
        D::PINGS
    }

    fn is_over(&self) -> bool {
        self.line.desk.has_ended()
    }

    fn explain(&self, fault: Fault) -> Fault {
        self.line.explain(fault)
    }

    fn tell(&mut self, host: &Host, health: Health, reason: &str) {
        self.line.desk.tell(host, Part::Stream, health, reason);
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.line.tally
    }
}

/// What surrounds a dialogue.
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
    fn new(desk: &'a Desk, source: &'static str) -> Line<'a> {
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
    fn open(&mut self) {
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

    /// What ended a connection; when that happens again and again, also what is likely behind it.
    fn explain(&self, fault: Fault) -> Fault {
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
