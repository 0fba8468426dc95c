//! `publish`: passes a client's message to the pulse, and tells what became of it.

use crate::exchange::ConnId;
use crate::exchange::question::{About, Message, Published};
use crate::fanout::connection::request::Then;
use crate::fanout::shard::Shard;
use tickerd_model::access::rights::Verb;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::rooms::{Publisher, To, checked_value};

impl Shard {
    /// Passes a client's message on.
    pub fn publish(&mut self, id: ConnId, request: Option<Id>, topic: String, value: &str, to: Option<&str>) {
        let Some((seat, person)) = self.person(id) else { return };
        let share = self.connection(id).and_then(|conn| conn.share.as_ref());
        let origin = Publisher { address: share.map(|share| share.address()), seat: Some(seat) };
        let who = self.who(id);
        let checked = who
            .check(Verb::Publish, &topic)
            .and_then(|()| self.table.topics.sources().check_room(&topic, who.rights.is_open()))
            .and_then(|()| checked_value(value.as_bytes()))
            .and_then(|value| Ok((value, to.map(To::parse).transpose()?)));
        match checked {
            Ok((value, to)) => {
                let publisher = person.address();
                let message = Message { topic, publisher, origin, to, value };
                self.ask_pulse(id, About::Publish(message), Then::TellPublished { request });
            }
            Err(error) => self.tell_error(id, request, &error),
        }
    }

    pub fn tell_published(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        result: Result<Published, ProtocolError>,
    ) {
        match result {
            // Without an id nobody waits for it.
            Ok(_) if request.is_none() => {}
            Ok(published) => self.tell(id, &published.told(request)),
            Err(error) => self.tell_error(id, request, &error),
        }
    }
}
