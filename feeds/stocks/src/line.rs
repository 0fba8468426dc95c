//! What the streams of all sources share: where their trades go, what is wrong with them, and when they are over.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::{Fault, Tally};
use tickerd_sdk::{Health, Host, Level};

use crate::desk::{Desk, Part};
use crate::market::named;

/// This many connections within [`OFTEN`] are not a coincidence.
const CONNECTIONS_MAX: usize = 3;
/// The time in which [`CONNECTIONS_MAX`] connections are too many.
const OFTEN: Duration = Duration::from_secs(180);
/// Most complaints kept of one connection.
const COMPLAINTS_MAX: usize = 32;

/// The messages that a source expects, and what its messages mean.
pub(crate) trait Dialogue {
    /// How long the source is silent at most while it is well.
    const SILENCE: Duration;
    /// Whether the source must be pinged, since it may be silent while nobody trades.
    const PINGS: bool;
    /// How long after the beginning of a connection values come at the latest, or the message that they are current.
    const PATIENCE: Option<Duration>;

    /// A connection has begun. Returns the messages to send first.
    fn hello(&self, desk: &Desk) -> Vec<String>;

    /// Takes one message. Its faults have the same meaning as those of [`Stream::hear`].
    fn hear(&mut self, text: &str, line: &mut Line, host: &Host) -> Result<Heard, Fault>;
}

/// A dialogue and the state of its line.
pub(crate) struct Listening<'a, D> {
    line: Line<'a>,
    dialogue: D,
}

impl<'a, D: Dialogue> Listening<'a, D> {
    pub(crate) fn new(desk: &'a Desk, source: &'static str, dialogue: D) -> Listening<'a, D> {
        Listening { line: Line::new(desk, source), dialogue }
    }

    /// Why there will be no stream although the feed goes on.
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

/// The state of a stream beside its dialogue.
pub(crate) struct Line<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) tally: Tally,
    source: &'static str,
    /// When the newest connections were opened.
    opened: VecDeque<Instant>,
    /// Problems that the source reported although the connection goes on.
    complaints: BTreeSet<String>,
    /// Why there will be no stream although the feed goes on without it.
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

    /// A connection has begun: the problems of the last one are over.
    fn open(&mut self) {
        self.complaints.clear();
        self.opened.push_back(Instant::now());
        if self.opened.len() > CONNECTIONS_MAX {
            self.opened.pop_front();
        }
    }

    /// Notes a problem that the source reported.
    pub(crate) fn complain(&mut self, text: &str, host: &Host) {
        let text = self.desk.clean(&format!("{} says: {text}", self.source));
        if self.complaints.len() < COMPLAINTS_MAX && self.complaints.insert(text.clone()) {
            host.log(Level::Warn, text);
        }
    }

    /// Notes that there will be no stream until the feed is started again.
    pub(crate) fn give_up(&mut self, why: String) {
        self.given_up = Some(why);
    }

    /// The fault that ended a connection. If that happens again and again, its text also says what is probably behind
    /// it.
    fn explain(&self, fault: Fault) -> Fault {
        let is_cut_often = self.opened.len() == CONNECTIONS_MAX
            && self.opened.front().is_some_and(|first| first.elapsed() < OFTEN);
        // The key that streams call base_url in general has another name here.
        let fault = fault.map_message(|text| text.replace("base_url", "stream_url"));
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
