//! What a client asks its shard to do: one file per command, each in the order check, do, tell.
//!
//! [`Shard::obey`] is where all of them begin. Commands that may be about patterns go through [`in_turns`] ([`subscriptions`],
//! [`topics`], [`get`]); those that the pulse answers ([`history`], [`publish`], [`presence`], and a `subscribe` with
//! `since` through [`subscriptions`]) go through [`asking`]. No command calls another: what a client said meanwhile is the loop's
//! business.

mod asking;
mod auth;
mod get;
mod greet;
mod history;
mod in_turns;
mod presence;
mod publish;
mod subscriptions;
mod topics;

use std::ops::ControlFlow;

use super::connection::request::SubscribeRequest;
use super::settings::Settings;
use super::shard::Shard;
use super::shard::turns::Costly;
use crate::exchange::ConnId;
use crate::exchange::limit::Limit;
use crate::exchange::past_bars::Span;
use tickerd_model::protocol::command::{self, Command, Id, Refused, Request};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event;
use tickerd_model::wire::close::CloseCode;
use tickerd_process::clock::now_unix_ms;

impl Shard {
    /// Does what a message says.
    pub fn obey(&mut self, id: ConnId, said: Result<&str, Refused>) -> ControlFlow<CloseCode> {
        let (now_ms, now_s) = (self.now_ms(), self.now_s);
        let (per_s, burst) = (self.settings.commands_per_s, self.settings.commands_burst);
        let Some(conn) = self.connection(id) else { return ControlFlow::Continue(()) };
        if let Some(asking) = conn.phase.asking_mut() {
            asking.hear(said);
            return ControlFlow::Continue(());
        }
        let waiting = conn.outbox.as_ref().map_or(0, |outbox| outbox.answers());
        let allowed = conn.budget.take(per_s, burst, now_ms);
        let Settings { pending, tally, .. } = &*self.settings;
        let allowed = allowed.or_else(|wait_ms| match tally.enforce(Limit::CommandsPerS) {
            true => Err(wait_ms),
            false => Ok(()),
        });
        let is_too_often = allowed.is_err();
        let refusal = match allowed {
            // One more answer fits over it.
            Ok(()) if waiting <= *pending => None,
            Ok(()) => {
                tally.enforce(Limit::Pending);
                Some(("read the answers to your earlier commands first".into(), 1000))
            }
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
                if !is_too_often {
                    // Within its rate, only not reading: that is no mistake, and costs it the answers alone.
                    return ControlFlow::Continue(());
                }
            }
        }
        match self.connection(id).and_then(|conn| conn.budget.mistake(is_too_often, now_s)) {
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
            Command::Auth { token } => self.authenticate(id, request, token),
            Command::Subscribe { topics, terms, snapshot, since: None } => {
                let wanted = SubscribeRequest::of_command(request, topics, terms, snapshot);
                self.undertake(id, Costly::Subscribe(Box::new(wanted)));
            }
            Command::Subscribe { topics, snapshot, since: Some(since), .. } => {
                self.ask_since(id, request, topics, snapshot, since);
            }
            Command::History { topic, limit } => self.ask_history(id, request, topic, limit),
            Command::Bars { topic, period, limit, before } => {
                self.ask_bars(id, request, topic, Span { period, limit, before });
            }
            Command::Unsubscribe { topics: names } => {
                self.undertake(id, Costly::Unsubscribe { request, names });
            }
            Command::Subscriptions => self.tell_subscriptions(id, request),
            Command::Topics { pattern } => self.list_topics(id, request, &pattern),
            Command::Get { topics } => self.get(id, request, topics),
            Command::Publish { topic, value, to } => self.publish(id, request, topic, &value, to.as_deref()),
            Command::Presence { topic } => self.ask_members(id, request, topic),
            Command::Ping { t } => {
                let t = t.and_then(|t| serde_json::value::RawValue::from_string(t.into()).ok());
                self.tell(id, &event::Pong { id: request, t: t.as_deref(), ts: now_unix_ms() });
            }
        }
    }
}
