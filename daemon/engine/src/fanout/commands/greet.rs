//! The first words on a connection.

use super::auth::expires_in_ms;
use crate::exchange::ConnId;
use crate::exchange::arrival::{Opening, TickId};
use crate::fanout::connection::request::SubscribeRequest;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::{Costly, Seen};
use tickerd_model::board::missed::Last;
use tickerd_model::protocol::VERSION;
use tickerd_model::protocol::command::{Mode, Terms};
use tickerd_model::protocol::event;

/// How often it is asked again what an event stream missed, because topics came meanwhile.
const RESUMES_MAX: u8 = 3;
/// As each topic's class says.
const AS_EACH_IS: Terms = Terms { rate: None, mode: Mode::Latest };

impl Shard {
    /// The first words on a connection, and the subscription that its address asked for.
    pub fn greet(&mut self, id: ConnId, opening: Option<Opening>) {
        let conn = self.seat(id).map(|seat| self.told_as(seat.generation)).unwrap_or_default();
        let settings = self.settings.clone();
        let connected = event::Connected {
            v: VERSION,
            server: &settings.server,
            conn: &conn,
            epoch: &settings.epoch,
            heartbeat_ms: settings.heartbeat.as_millis() as u64,
            limits: event::Limits {
                topics: settings.topics_max,
                patterns: settings.patterns_max,
                message_bytes: settings.limits.message,
            },
        };
        if self.is_sse(id) {
            // Those who lose the server at the same moment come back one by one.
            let retry = format!("retry: {}\n\n", rand::random_range(500..=5000));
            self.send(id, retry.as_bytes());
        }
        self.tell(id, &connected);
        let who = self.who(id);
        if let Some(user) = &who.user {
            self.tell(id, &event::Authenticated { id: None, user, expires_in_ms: expires_in_ms(&who) });
        }
        if self.must_say_who(id) {
            // Until then nothing could be granted.
            if let Some(conn) = self.connection(id) {
                conn.opening = opening.map(Box::new);
            }
            return;
        }
        self.open(id, opening);
    }

    /// Subscribes what the address asked for, and what the token says.
    pub fn open(&mut self, id: ConnId, opening: Option<Opening>) {
        let who = self.who(id);
        if !who.subscribe.is_empty() {
            let wanted = SubscribeRequest::of_address(who.subscribe.to_vec(), AS_EACH_IS);
            self.undertake(id, Costly::Subscribe(Box::new(wanted)));
        }
        let Some(opening) = opening else { return };
        let settings = self.settings.clone();
        let Opening { topics, terms, last } = opening;
        let command = match last {
            Some(TickId { epoch, n }) if epoch == settings.epoch => {
                let last = if settings.node.is_some() { Last::Time(n) } else { Last::Number(n) };
                Costly::Resume(
                    Box::new(SubscribeRequest::of_address(topics, terms)),
                    Seen::UpTo(last, RESUMES_MAX),
                )
            }
            Some(_) => return self.subscribe_anew(id, topics, terms),
            None => Costly::Subscribe(Box::new(SubscribeRequest::of_address(topics, terms))),
        };
        self.undertake(id, command);
    }
}
