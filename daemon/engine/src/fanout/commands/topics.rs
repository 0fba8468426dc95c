//! `topics`: the topics that a pattern matches.

use crate::exchange::ConnId;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::Costly;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event;
use tickerd_model::topic::{self, Pattern};

impl Shard {
    /// Lists them, in turns if they are many.
    pub fn list_topics(&mut self, id: ConnId, request: Option<Id>, pattern: &str) {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.undertake(id, Costly::List { request, pattern }),
            Err(why) => {
                let error = ProtocolError::new(
                    Code::BadPattern,
                    format!("match cannot be used: {why}{}", topic::hint(pattern)),
                );
                self.tell_error(id, request, &error);
            }
        }
    }

    /// Tells the topics that match.
    pub fn tell_topics(&mut self, id: ConnId, request: Option<Id>, pattern: &Pattern) {
        let who = self.who(id);
        let topics = self.table.entries(&who.rights, pattern);
        let mut out = Vec::new();
        self.write(id, &event::Topics { id: request, topics }, &mut out);
        self.send(id, &out);
    }
}
