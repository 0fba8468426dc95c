//! `presence`: asks the pulse who is in a declared topic.

use crate::exchange::ConnId;
use crate::exchange::question::About;
use crate::fanout::connection::request::Then;
use crate::fanout::notices::presence::member;
use crate::fanout::shard::Shard;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::protocol::event;
use tickerd_model::rooms::Person;

impl Shard {
    /// Asks who is there, if the topic is a declared one.
    pub fn ask_members(&mut self, id: ConnId, request: Option<Id>, topic: String) {
        let who = self.who(id);
        let sources = self.table.topics.sources();
        let granted = who.check(Verb::Presence, &topic);
        match granted.and_then(|()| sources.check_room(&topic, who.rights.is_open())) {
            Ok(()) => {
                let then = Then::TellMembers { request, topic: topic.clone() };
                self.ask_pulse(id, About::Members { topic }, then);
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    /// Tells who is in a declared topic.
    pub fn tell_members(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        topic: &str,
        result: Result<(usize, Vec<Person>), ProtocolError>,
    ) {
        match result {
            Ok((count, people)) => {
                self.charge_looks(id, people.len());
                let members = people.into_iter().map(member).collect();
                self.tell_said(id, &event::Members { id: request, topic, count, members });
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }
}
