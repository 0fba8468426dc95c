//! Commands that the pulse answers: they wait for it, and whatever their client says meanwhile waits behind them.

use std::ops::ControlFlow;

use super::cohorts::ConnId;
use super::connection::{Asking, WaitsFor};
use super::jobs::{Wish, Work};
use super::question::{About, Answer, Found, From, Missed, NotAsked, Past, Question};
use super::shard::Shard;
use tickerd_model::protocol::command::{Id, Mode, Since, Terms};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event;

/// The terms of one who was there for every tick.
const EVERY: Terms = Terms { rate: None, mode: Mode::All };

impl Shard {
    /// Asks for the past of a topic.
    pub(super) fn ask_history(&mut self, id: ConnId, request: Option<Id>, topic: String, limit: usize) {
        match self.check_topic(&topic) {
            Ok(()) => self.ask_pulse(id, request, About::History { topic, limit }),
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    /// Subscribes a client that was there before.
    pub(super) fn ask_since(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topics: Vec<String>,
        snapshot: bool,
        since: Since,
    ) {
        if since.epoch != self.settings.epoch {
            // Numbers of another history say nothing here.
            let missed = since.seq.into_keys().map(|topic| (topic, None)).collect();
            return self.subscribe_since(id, request, topics, snapshot, missed);
        }
        let seqs = since.seq.into_iter().collect();
        self.ask_pulse(id, request, About::Since { topics, snapshot, seqs });
    }

    /// Subscribes an event stream that was there and of which nothing can be told, since its history was another: that is said
    /// of all topics of which each tick matters, and of those that were named and have not spoken.
    pub(super) fn subscribe_anew(&mut self, id: ConnId, topics: Vec<String>, terms: Terms) {
        let silent = topics.iter().filter(|name| {
            let slot = self.topics.find(name).and_then(|slot| self.topics.slot(slot));
            slot.is_none_or(|slot| slot.topic.is_none())
        });
        let missed = silent.map(|name| (name.clone(), None)).collect();
        let wish = Wish { missed, was_there: true, ..Wish::new(None, true, topics, terms, true) };
        self.undertake(id, Work::Subscribe(Box::new(wish)));
    }

    /// Asks the pulse. Until it answers, the client is not listened to: what it says later may depend on it.
    pub(super) fn ask_pulse(&mut self, id: ConnId, request: Option<Id>, about: About) {
        let Some(conn) = self.connection(id) else { return };
        let from = From::Client { conn: id, generation: conn.generation };
        let question = Question { from, request: request.clone(), about };
        let refused = match self.uplink.ask(question) {
            Ok(()) => {
                let conn = self.connection(id);
                return conn.into_iter().for_each(|conn| {
                    conn.asking.get_or_insert_default().waits_for = WaitsFor::Pulse;
                });
            }
            Err(refused) => refused,
        };
        let mut error = match refused {
            NotAsked::Full => ProtocolError::new(
                Code::RateLimited,
                "too many clients publish or ask for the past at once; try again",
            ),
            NotAsked::Ended => ProtocolError::new(Code::Internal, "the server is about to stop; come back"),
        };
        error.retry_after_ms = Some(1000);
        self.tell_error(id, request, &error);
    }

    /// Takes the pulse's answer, and listens to the client again once it is out.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        let Answer { from, request, found } = answer;
        let (id, generation) = match from {
            From::Client { conn, generation } => (conn, generation),
            From::Http(number) => return self.answer_asked(number, found),
        };
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else { return };
        if conn.closing_until_s.is_none() {
            match found {
                Found::History { topic, past } => self.tell_history(id, request, &topic, past),
                Found::Since { topics, snapshot, missed } => {
                    self.subscribe_since(id, request, topics, snapshot, missed);
                }
                Found::Resumed { wish, missed } => {
                    let frames = missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum();
                    self.charge_looks(id, frames);
                    let missed = missed.into_iter().collect();
                    let wish = Wish { missed, was_there: true, ..*wish };
                    self.undertake_paid(id, Work::Subscribe(Box::new(wish)));
                }
                Found::Published(result) => self.tell_published(id, request, result),
                Found::Members(result) => self.tell_members(id, request, result),
            }
        }
        let Some(conn) = self.connection(id) else { return };
        let asking = conn.asking.get_or_insert_default();
        if asking.waits_for == WaitsFor::Turn {
            return;
        }
        asking.waits_for = WaitsFor::WayOut;
        if conn.stall.is_none() {
            self.listen_again(id);
        }
    }

    /// Does what a client said while it was not listened to, and goes on reading.
    pub(super) fn listen_again(&mut self, id: ConnId) {
        let Some(asking) = self.connection(id).and_then(|conn| conn.asking.take()) else { return };
        let mut said = asking.said.into_iter();
        while let Some(next) = said.next() {
            if self.connection(id).is_none_or(|conn| conn.closing_until_s.is_some()) {
                break;
            }
            if let ControlFlow::Break(code) = self.obey(id, next.as_deref().map_err(Clone::clone)) {
                self.close(id, code);
            }
            let Some(conn) = self.connection(id) else { return };
            if conn.asking.is_some() || conn.stall.is_some() {
                // Once more the rest has to wait.
                let on_its_way = || Box::new(Asking { waits_for: WaitsFor::WayOut, ..Asking::default() });
                conn.asking.get_or_insert_with(on_its_way).said.extend(said);
                break;
            }
        }
        self.start_reading(id);
    }

    fn subscribe_since(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topics: Vec<String>,
        snapshot: bool,
        missed: Vec<Missed>,
    ) {
        let frames = missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum();
        self.charge_looks(id, frames);
        let missed = missed.into_iter().collect();
        let wish = Wish { missed, ..Wish::new(request, false, topics, EVERY, snapshot) };
        self.undertake(id, Work::Subscribe(Box::new(wish)));
    }

    fn tell_history(&mut self, id: ConnId, request: Option<Id>, topic: &str, past: Option<Past>) {
        let Some(past) = past else {
            let error = ProtocolError::new(
                Code::UnknownTopic,
                "the topic has not spoken yet; subscribe to wait for it",
            );
            return self.tell_error(id, request, &error);
        };
        self.charge_looks(id, past.frames.len());
        let settings = self.settings.clone();
        self.tell(id, &history(request, topic, &settings.epoch, &past));
    }
}

fn history<'a>(id: Option<Id>, topic: &'a str, epoch: &'a str, past: &'a Past) -> event::History<'a> {
    // Envelopes are JSON by construction, so none is left out here.
    let values =
        past.frames.iter().filter_map(|frame| serde_json::from_slice(frame.envelope()).ok()).collect();
    event::History { id, topic, epoch, values, truncated: past.truncated }
}

/// The same for who did not ask as a client: the event's data alone.
pub fn object(topic: &str, epoch: &str, past: &Past) -> Vec<u8> {
    // It is plain data, and a Vec takes all that is written to it.
    serde_json::to_vec(&history(None, topic, epoch, past)).expect("history is plain data")
}
