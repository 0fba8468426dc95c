//! Commands about the past: they wait for the pulse, and whatever their client says meanwhile waits behind them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::cohorts::ConnId;
use super::connection::Asking;
use super::question::{About, Answer, Found, Missed, NotAsked, Past, Question};
use super::shard::Shard;
use crate::model::protocol::command::{Id, Mode, Since, Terms};
use crate::model::protocol::error::{Code, ProtocolError};
use crate::model::protocol::event;

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
            return self.subscribe_since(id, request, &topics, snapshot, missed);
        }
        let seqs = since.seq.into_iter().collect();
        self.ask_pulse(id, request, About::Since { topics, snapshot, seqs });
    }

    /// Asks the pulse. Until it answers, the client is not listened to: what it says later may depend on it.
    fn ask_pulse(&mut self, id: ConnId, request: Option<Id>, about: About) {
        let Some(conn) = self.connection(id) else { return };
        let question = Question { conn: id, generation: conn.generation, request: request.clone(), about };
        let refused = match self.uplink.ask(question) {
            Ok(()) => {
                self.connection(id).into_iter().for_each(|conn| conn.asking = Some(Box::default()));
                return;
            }
            Err(refused) => refused,
        };
        let mut error = match refused {
            NotAsked::Full => {
                ProtocolError::new(Code::RateLimited, "too many clients ask for the past at once; ask again")
            }
            NotAsked::Ended => ProtocolError::new(Code::Internal, "the server is about to stop; come back"),
        };
        error.retry_after_ms = Some(1000);
        self.tell_error(id, request, &error);
    }

    /// Takes the pulse's answer, and listens to the client again once it is out.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        let Answer { conn: id, generation, request, found } = answer;
        let Some(conn) = self.connection(id).filter(|conn| conn.generation == generation) else { return };
        if conn.closing_until_s.is_none() {
            match found {
                Found::History { topic, past } => self.tell_history(id, request, &topic, past),
                Found::Since { topics, snapshot, missed } => {
                    self.subscribe_since(id, request, &topics, snapshot, missed);
                }
            }
        }
        let Some(conn) = self.connection(id) else { return };
        conn.asking.get_or_insert_default().answered = true;
        if conn.stall.is_none() {
            self.listen_again(id);
        }
    }

    /// Does what a client said while it was not listened to, and goes on reading.
    pub(super) fn listen_again(&mut self, id: ConnId) {
        let Some(asking) = self.connection(id).and_then(|conn| conn.asking.take()) else { return };
        let mut said = asking.said.into_iter();
        while let Some(text) = said.next() {
            if self.connection(id).is_none_or(|conn| conn.closing_until_s.is_some()) {
                break;
            }
            if let ControlFlow::Break(code) = self.obey(id, &text) {
                self.close(id, code);
            }
            let Some(conn) = self.connection(id) else { return };
            if conn.asking.is_some() || conn.stall.is_some() {
                // Once more the rest has to wait.
                let asking = conn
                    .asking
                    .get_or_insert_with(|| Box::new(Asking { answered: true, ..Asking::default() }));
                asking.said.extend(said);
                break;
            }
        }
        self.start_reading(id);
    }

    fn subscribe_since(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topics: &[String],
        snapshot: bool,
        missed: Vec<Missed>,
    ) {
        let frames = missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum();
        self.charge_looks(id, frames);
        let missed: HashMap<String, _> = missed.into_iter().collect();
        self.subscribe(id, request, false, topics, EVERY, snapshot, missed);
    }

    fn tell_history(&mut self, id: ConnId, request: Option<Id>, topic: &str, past: Option<Past>) {
        let Some(Past { frames, truncated }) = past else {
            let error = ProtocolError::new(
                Code::UnknownTopic,
                "the topic has not spoken yet; subscribe to wait for it",
            );
            return self.tell_error(id, request, &error);
        };
        self.charge_looks(id, frames.len());
        // Envelopes are JSON by construction, so none is left out here.
        let values =
            frames.iter().filter_map(|frame| serde_json::from_slice(frame.envelope()).ok()).collect();
        let settings = self.settings.clone();
        self.tell(id, &event::History { id: request, topic, epoch: &settings.epoch, values, truncated });
    }
}
