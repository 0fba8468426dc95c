//! Commands that the pulse answers: they wait for it, and whatever their client says meanwhile waits behind them.

use std::ops::ControlFlow;

use super::connection::{Asking, Then, WaitsFor};
use super::jobs::Work;
use super::shard::Shard;
use super::wish::Wish;
use crate::exchange::ConnId;
use crate::exchange::question::{About, Answer, Client, Found, Missed, NotAsked, Past, Question};
use tickerd_model::protocol::command::{Id, Mode, Since, Terms};
use tickerd_model::protocol::error::{Code, ProtocolError};

/// The terms of one who was there for every tick.
const EVERY: Terms = Terms { rate: None, mode: Mode::All };

impl Shard {
    /// Asks for the past of a topic.
    pub(super) fn ask_history(&mut self, id: ConnId, request: Option<Id>, topic: String, limit: usize) {
        match self.topics.sources().check(&topic, true) {
            Ok(()) => {
                let then = Then::TellHistory { request, topic: topic.clone() };
                self.ask_pulse(id, About::History { topic, limit }, then);
            }
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
        let mut wish = Box::new(Wish::new(request, false, topics, EVERY, snapshot));
        let is_known = |topic: &String| self.topics.sources().epoch_of(topic) == Some(&*since.epoch);
        let (seqs, other): (Vec<_>, Vec<_>) = since.seq.into_iter().partition(|(topic, _)| is_known(topic));
        // Numbers of another history say nothing here.
        wish.missed = other.into_iter().map(|(topic, _)| (topic, None)).collect();
        match seqs.is_empty() {
            true => self.subscribe_to_missed(id, wish, false, Vec::new()),
            false => self.ask_pulse(id, About::Since { seqs }, Then::Subscribe { wish, is_paid: false }),
        }
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
    pub(super) fn ask_pulse(&mut self, id: ConnId, about: About, then: Then) {
        let uplink = self.uplink.clone();
        let Some(conn) = self.connection(id) else { return };
        let from = Client { conn: id, generation: conn.generation };
        let refused = match uplink.ask(Question { from, about }) {
            Ok(()) => {
                let asking = conn.asking.get_or_insert_default();
                (asking.waits_for, asking.then) = (WaitsFor::Pulse, Some(then));
                return;
            }
            Err(refused) => refused,
        };
        let request = then.request().cloned();
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
        let Answer { to: Client { conn: id, generation }, found } = answer;
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else { return };
        let then = conn.asking.as_mut().and_then(|asking| asking.then.take());
        match (then, found) {
            _ if conn.closing_until_s.is_some() => {}
            (Some(Then::TellHistory { request, topic }), Found::History(past)) => {
                self.tell_history(id, request, &topic, past);
            }
            (Some(Then::Subscribe { wish, is_paid }), Found::Missed(missed)) => {
                self.subscribe_to_missed(id, wish, is_paid, missed);
            }
            (Some(Then::TellPublished { request }), Found::Published(result)) => {
                self.tell_published(id, request, result);
            }
            (Some(Then::TellMembers { request, topic }), Found::Members(result)) => {
                self.tell_members(id, request, &topic, result);
            }
            (then, found) => debug_assert!(false, "{then:?} is not what {found:?} answers"),
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

    /// Subscribes one who was there before, and brings what it missed.
    fn subscribe_to_missed(&mut self, id: ConnId, mut wish: Box<Wish>, is_paid: bool, missed: Vec<Missed>) {
        let frames = missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum();
        self.charge_looks(id, frames);
        wish.missed.extend(missed);
        match is_paid {
            true => self.undertake_paid(id, Work::Subscribe(wish)),
            false => self.undertake(id, Work::Subscribe(wish)),
        }
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
        let epoch = self.topics.sources().epoch_of(topic).unwrap_or_default().to_owned();
        self.tell(id, &past.told(request, topic, &epoch));
    }
}
