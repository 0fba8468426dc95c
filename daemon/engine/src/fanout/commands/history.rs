//! `history`: asks the pulse for the past of a topic.

use crate::exchange::ConnId;
use crate::exchange::limit::{self, Limit};
use crate::exchange::past_bars::{self, BARS_BYTES_MAX, Span};
use crate::exchange::question::{About, Past, Quotes};
use crate::fanout::connection::request::Then;
use crate::fanout::shard::Shard;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};

impl Shard {
    /// Asks for the past of a topic.
    pub fn ask_history(&mut self, id: ConnId, request: Option<Id>, topic: String, limit: usize) {
        match self.check_past(id, &topic) {
            Ok(()) => {
                let then = Then::TellHistory { request, topic: topic.clone() };
                self.ask_pulse(id, About::History { topic, limit }, then);
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    /// Whether a client may have the past of a topic now.
    fn check_past(&mut self, id: ConnId, topic: &str) -> Result<(), ProtocolError> {
        let who = self.who(id);
        who.check(Verb::History, topic)?;
        self.table.topics.sources().check(topic, who.rights.is_open())?;
        let owed_ms = self.connection(id).and_then(|conn| conn.share.as_ref()?.owed_past_ms());
        match owed_ms.filter(|_| self.settings.tally.enforce(Limit::HistoryBytesPerS)) {
            None => Ok(()),
            owed_ms => {
                let error = ProtocolError::new(Code::RateLimited, limit::PAST_SPENT);
                Err(ProtocolError { retry_after_ms: owed_ms, ..error })
            }
        }
    }

    fn charge_past(&mut self, id: ConnId, bytes: usize) {
        if let Some(share) = self.connection(id).and_then(|conn| conn.share.as_ref()) {
            share.charge_past(bytes);
        }
    }

    /// Asks for the bars of a topic.
    pub fn ask_bars(&mut self, id: ConnId, request: Option<Id>, topic: String, span: Span) {
        match self.check_past(id, &topic) {
            Ok(()) => self.ask_pulse(id, About::Bars { topic, span }, Then::TellBars { request }),
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    /// Tells the bars of a topic.
    pub fn tell_bars(&mut self, id: ConnId, request: Option<Id>, found: past_bars::Found) {
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.tell_error(id, request, &error),
        };
        self.charge_looks(id, found.past.weight());
        let epoch = self.table.topics.sources().epoch_of(&found.topic).unwrap_or_default().to_owned();
        let (bars, is_truncated) = found.text(BARS_BYTES_MAX);
        self.charge_past(id, bars.get().len());
        self.tell(id, &found.told(request, &epoch, &bars, is_truncated));
    }

    /// Tells the past of a topic.
    pub fn tell_history(&mut self, id: ConnId, request: Option<Id>, topic: &str, past: Option<Past>) {
        let Some(past) = past else {
            let error = ProtocolError::new(
                Code::UnknownTopic,
                "the topic has not spoken yet; subscribe to wait for it",
            );
            return self.tell_error(id, request, &error);
        };
        self.charge_looks(id, past.frames.len());
        let epoch = self.table.topics.sources().epoch_of(topic).unwrap_or_default().to_owned();
        let quotes = Quotes::of(&past.frames, self.encoding(id));
        self.charge_past(id, quotes.bytes());
        match past.frames.iter().any(|frame| frame.is_published()) {
            true => self.tell_said(id, &past.told(request, topic, &epoch, &quotes)),
            false => self.tell(id, &past.told(request, topic, &epoch, &quotes)),
        }
    }
}
