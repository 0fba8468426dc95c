//! A subscription of a client that was there before: `since`, or the last tick of an event stream. What it missed comes from
//! the pulse, and then it is a subscription like any other.

use crate::exchange::ConnId;
use crate::exchange::question::Missed;
use crate::fanout::connection::request::SubscribeRequest;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::{Costly, Seen};
use crate::fanout::table::ids::CohortId;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::{Epochs, Id, Mode, Since, Terms};

/// The terms of one who was there for every tick.
const EVERY: Terms = Terms { rate: None, mode: Mode::All };

impl Shard {
    /// Subscribes a client that was there before.
    pub fn ask_since(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topics: Vec<String>,
        snapshot: bool,
        since: Since,
    ) {
        let mut wanted = Box::new(SubscribeRequest::of_command(request, topics, EVERY, snapshot));
        let Since { epoch, seq } = since;
        let (seqs, other): (Vec<_>, Vec<_>) =
            seq.into_iter().partition(|(topic, _)| self.has_epoch(topic, &epoch));
        wanted.since = Some(epoch);
        // Numbers of another history say nothing here.
        wanted.missed = other.into_iter().map(|(topic, _)| (topic, None)).collect();
        // What becomes of a question tells whether there is such a topic, and costs the pulse something.
        let who = self.who(id);
        let seqs: Vec<_> =
            seqs.into_iter().filter(|(topic, _)| who.rights.allow(Verb::Subscribe, topic)).collect();
        match seqs.is_empty() {
            true => self.undertake(id, Costly::Subscribe(wanted)),
            false => self.undertake(id, Costly::Resume(wanted, Seen::Numbers(seqs))),
        }
    }

    /// Whether a position in a topic is one of the numbers that it has now.
    pub fn has_epoch(&self, topic: &str, said: &Epochs) -> bool {
        let now = self.table.topics.sources().epoch_of(topic);
        now.is_some() && now == said.of(topic)
    }

    /// Subscribes an event stream that was there and of which nothing can be told, since its history was another: that is said
    /// of all topics of which each tick matters, and of those that were named and have not spoken.
    pub fn subscribe_anew(&mut self, id: ConnId, topics: Vec<String>, terms: Terms) {
        let silent = topics.iter().filter(|name| {
            let slot = self.table.topics.find(name).and_then(|slot| self.table.topics.slot(slot));
            slot.is_none_or(|slot| slot.topic.is_none())
        });
        let missed = silent.map(|name| (name.clone(), None)).collect();
        let wanted =
            SubscribeRequest { missed, was_there: true, ..SubscribeRequest::of_address(topics, terms) };
        self.undertake(id, Costly::Subscribe(Box::new(wanted)));
    }

    /// Subscribes one who was there before, and brings what it missed. That is done at once, since what is live follows what was
    /// missed; it costs little, as the cohort is `held` that it brings its client to.
    pub fn subscribe_to_missed(
        &mut self,
        id: ConnId,
        mut wanted: SubscribeRequest,
        held: Option<CohortId>,
        missed: Vec<Missed>,
    ) {
        let frames = missed.iter().filter_map(|(_, frames)| frames.as_ref()).map(Vec::len).sum();
        self.charge_looks(id, frames);
        wanted.missed.extend(missed);
        self.serve_early(id);
        self.subscribe(id, wanted);
        self.release(held);
    }
}
