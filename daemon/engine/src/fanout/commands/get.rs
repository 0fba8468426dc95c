//! `get`: the newest value of each topic that is named.

use crate::exchange::ConnId;
use crate::exchange::question::Quotes;
use crate::fanout::shard::Shard;
use crate::fanout::table::edits::HINTS_MAX;
use crate::fanout::table::topics::Slot;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::{self, Failed};

/// Bytes of envelopes that one `get` answers at most.
const GET_BYTES_MAX: usize = 1 << 20;

impl Shard {
    /// Tells the newest value of each topic.
    pub fn tell_values(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let who = self.who(id);
        let (mut frames, mut failed, mut bytes) = (Vec::new(), Vec::new(), 0);
        for name in names {
            let granted = who.check(Verb::Subscribe, name);
            let hinted = who.rights.is_open() && failed.len() < HINTS_MAX;
            let found =
                granted.and_then(|()| self.table.topics.sources().check(name, hinted)).and_then(|()| {
                    let newest = self
                        .table
                        .topics
                        .find(name)
                        .and_then(|slot| self.table.topics.slot(slot))
                        .and_then(Slot::newest);
                    newest.cloned().ok_or_else(|| {
                        ProtocolError::new(
                            Code::UnknownTopic,
                            "the topic has not spoken yet; subscribe to wait for it",
                        )
                    })
                });
            match found {
                Ok(frame) if bytes + frame.envelope().len() <= GET_BYTES_MAX => {
                    bytes += frame.envelope().len();
                    frames.push(frame);
                }
                Ok(_) => failed.push(Failed::new(
                    name,
                    &ProtocolError::new(
                        Code::TooLarge,
                        format!("one answer holds {GET_BYTES_MAX} bytes; ask for the rest in another get"),
                    ),
                )),
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        let quotes = Quotes::of(&frames, self.encoding(id));
        self.tell(id, &event::Values { id: request, values: quotes.values(), failed });
    }
}
