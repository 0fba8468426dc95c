//! What a client asks its shard to do: whether it may, who does it, and how it is told.

use std::ops::ControlFlow;

use super::connection::Then;
use super::jobs::Work;
use super::shard::Shard;
use super::wish::Wish;
use crate::exchange::ConnId;
use crate::exchange::arrival::{Opening, TickId};
use crate::exchange::question::About;
use tickerd_model::close::CloseCode;
use tickerd_model::encoding::Encoding;
use tickerd_model::protocol::VERSION;
use tickerd_model::protocol::command::{self, Command, Id, Refused, Request};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event;
use tickerd_model::topic::{self, Pattern};
use tickerd_process::clock::now_unix_ms;

/// Bytes of answers that may wait for a client before its next command is refused; one more answer fits over it.
const ANSWERS_BYTES_MAX: usize = 1 << 20;

impl Shard {
    /// The first words on a connection, and the subscription that its address asked for.
    pub fn greet(&mut self, id: ConnId, opening: Option<Opening>) {
        // Generations are a shard's own count.
        let conn = self.seat(id).map(super::rooms::told_as).unwrap_or_default();
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
        if self.encoding(id) == Encoding::Sse {
            // Those who lose the server at the same moment come back one by one.
            let retry = format!("retry: {}\n\n", rand::random_range(500..=5000));
            self.send(id, retry.as_bytes(), &[]);
        }
        self.tell(id, &connected);
        let Some(opening) = opening else { return };
        let Opening { topics, terms, last } = opening;
        match last {
            Some(TickId { epoch, n }) if epoch == settings.epoch => {
                let wish = Box::new(Wish::new(None, true, topics, terms, true));
                self.undertake(id, Work::Resume(wish, n));
            }
            Some(_) => self.subscribe_anew(id, topics, terms),
            None => {
                let wish = Box::new(Wish::new(None, true, topics, terms, true));
                self.undertake(id, Work::Subscribe(wish));
            }
        }
    }

    /// Does what a message says.
    pub fn obey(&mut self, id: ConnId, said: Result<&str, Refused>) -> ControlFlow<CloseCode> {
        let (now_ms, now_s) = (self.now_ms(), self.now_s);
        let (per_s, burst) = (self.settings.commands_per_s, self.settings.commands_burst);
        let Some(conn) = self.connection(id) else { return ControlFlow::Continue(()) };
        if let Some(asking) = &mut conn.asking {
            asking.hear(said);
            return ControlFlow::Continue(());
        }
        let waiting = conn.stall.as_ref().map_or(0, |stall| stall.answers());
        let allowed = conn.budget.take(per_s, burst, now_ms);
        let too_many = allowed.is_err();
        let refusal = match allowed {
            Ok(()) if waiting <= ANSWERS_BYTES_MAX => None,
            Ok(()) => Some(("read the answers to your earlier commands first".into(), 1000)),
            Err(wait_ms) => {
                let limit = format!("at most {per_s} commands a second, {burst} at once");
                Some((format!("{limit}; name many topics in one command, and list them rarely"), wait_ms))
            }
        };
        match (refusal, said.and_then(command::parse)) {
            (None, Ok(Request { id: request, command })) => {
                self.carry_out(id, request, command);
                return ControlFlow::Continue(());
            }
            (None, Err(refused)) => self.tell_error(id, refused.id, &refused.error),
            (Some((message, wait_ms)), parsed) => {
                let request = parsed.map_or_else(|refused| refused.id, |request| request.id);
                let mut error = ProtocolError::new(Code::RateLimited, message);
                error.retry_after_ms = Some(wait_ms);
                self.tell_error(id, request, &error);
                if !too_many {
                    // Within its rate, only not reading: that is no mistake, and costs it the answers alone.
                    return ControlFlow::Continue(());
                }
            }
        }
        match self.connection(id).and_then(|conn| conn.budget.mistake(too_many, now_s)) {
            Some(code) => ControlFlow::Break(code),
            None => ControlFlow::Continue(()),
        }
    }

    fn carry_out(&mut self, id: ConnId, request: Option<Id>, command: Command) {
        let most = self.settings.topics_max + self.settings.patterns_max;
        if command.topics().len() > most {
            let message = format!("one command names at most {most} topics and patterns; split it");
            return self.tell_error(id, request, &ProtocolError::new(Code::TooLarge, message));
        }
        match command {
            Command::Subscribe { topics, terms, snapshot, since: None } => {
                let wish = Box::new(Wish::new(request, false, topics, terms, snapshot));
                self.undertake(id, Work::Subscribe(wish));
            }
            Command::Subscribe { topics, snapshot, since: Some(since), .. } => {
                self.ask_since(id, request, topics, snapshot, since);
            }
            Command::History { topic, limit } => self.ask_history(id, request, topic, limit),
            Command::Unsubscribe { topics: names } => {
                self.undertake(id, Work::Unsubscribe { request, names });
            }
            Command::Subscriptions => self.tell_subscriptions(id, request),
            Command::Topics { pattern } => match Pattern::parse(&pattern) {
                Ok(pattern) => self.undertake(id, Work::List { request, pattern }),
                Err(why) => {
                    let error = ProtocolError::new(
                        Code::BadPattern,
                        format!("match cannot be used: {why}{}", topic::hint(&pattern)),
                    );
                    self.tell_error(id, request, &error);
                }
            },
            Command::Get { topics } => self.tell_values(id, request, &topics),
            Command::Publish { topic, value, to } => self.publish(id, request, topic, &value, to.as_deref()),
            Command::Presence { topic } => match self.topics.sources().check_room(&topic) {
                Ok(()) => {
                    let then = Then::TellMembers { request, topic: topic.clone() };
                    self.ask_pulse(id, About::Members { topic }, then);
                }
                Err(error) => self.tell_error(id, request, &error),
            },
            Command::Ping { t } => {
                let t = t.and_then(|t| serde_json::value::RawValue::from_string(t.into()).ok());
                self.tell(id, &event::Pong { id: request, t: t.as_deref(), ts: now_unix_ms() });
            }
        }
    }

    pub(super) fn tell<T: event::Event>(&mut self, id: ConnId, data: &T) {
        let mut out = Vec::new();
        self.write(id, data, &mut out);
        self.send(id, &out, &[]);
    }

    /// Appends an event as a connection is spoken to.
    pub(super) fn write<T: event::Event>(&self, id: ConnId, data: &T, out: &mut Vec<u8>) {
        event::write(data, self.encoding(id), &self.encoder, out);
    }

    pub(super) fn tell_error(&mut self, id: ConnId, request: Option<Id>, error: &ProtocolError) {
        self.metrics.client_errors.inc();
        self.tell(id, &event::error(request, error));
    }

    /// Takes out of a client's budget what looking at so many topics or ticks costs.
    pub(super) fn charge_looks(&mut self, id: ConnId, looks: usize) {
        let per_s = self.settings.commands_per_s;
        if let Some(conn) = self.connection(id) {
            conn.budget.charge(looks, per_s);
        }
    }
}
