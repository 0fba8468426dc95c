//! What a command does: the one place where a client changes what its shard keeps.

use std::ops::ControlFlow;
use std::time::Duration;

use super::arrival::Opening;
use super::cohorts::{Ask, ConnId, Edit, Moved, What};
use super::shard::{Shard, unix_ms};
use super::topics::{Slot, SlotId};
use crate::model::close::CloseCode;
use crate::model::protocol::command::{self, Command, Id, Mode, Request, Terms};
use crate::model::protocol::error::{Code, ProtocolError};
use crate::model::protocol::event::{self, Failed, PatternGrant, TopicEntry, TopicGrant};
use crate::model::protocol::{VERSION, rate};
use crate::model::topic::{self, Pattern, first_segment};

/// Bytes of envelopes that one `get` answers at most.
const GET_BYTES_MAX: usize = 1 << 20;
/// Bytes of answers that wait for a client before `get` and `topics` are refused it. Who sends a burst of them and reads
/// nothing keeps this and one answer, not the burst.
const ANSWERS_BYTES_MAX: usize = 1 << 20;

impl Shard {
    /// The first words on a connection, and the subscription that its address asked for.
    pub fn greet(&mut self, id: ConnId, opening: Option<Opening>) {
        // Generations are a shard's own count.
        let generation = self.connection(id).map_or(0, |c| c.generation);
        let conn = format!("{:x}-{generation:x}", self.number);
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
        let mut out = Vec::new();
        event::write(&connected, &mut out);
        self.send(id, &out, &[]);
        let Some(opening) = opening else { return };
        match command::terms(opening.rate.as_deref(), None) {
            Ok(terms) => self.subscribe(id, None, true, &opening.topics, terms, true),
            Err(error) => self.tell_error(id, None, &error),
        }
    }

    /// Reads a text message and does what it says.
    pub fn obey(&mut self, id: ConnId, text: &str) -> ControlFlow<CloseCode> {
        let (now_ms, now_s) = (self.now_ms(), self.now_s);
        let (per_s, burst) = (self.settings.commands_per_s, self.settings.commands_burst);
        let Some(conn) = self.connection(id) else { return ControlFlow::Continue(()) };
        let allowed = conn.budget.take(per_s, burst, now_ms);
        let mistake = match (allowed, command::parse(text)) {
            (Ok(()), Ok(Request { id: request, command })) => {
                self.carry_out(id, request, command);
                return ControlFlow::Continue(());
            }
            (Ok(()), Err(refused)) => {
                self.tell_error(id, refused.id, &refused.error);
                false
            }
            (Err(wait_ms), parsed) => {
                let request = parsed.map_or_else(|refused| refused.id, |request| request.id);
                let mut error = ProtocolError::new(
                    Code::RateLimited,
                    format!(
                        "at most {per_s} commands a second, {burst} at once; name many topics in one command"
                    ),
                );
                error.retry_after_ms = Some(wait_ms);
                self.tell_error(id, request, &error);
                true
            }
        };
        match self.connection(id).and_then(|conn| conn.budget.mistake(mistake, now_s)) {
            Some(code) => ControlFlow::Break(code),
            None => ControlFlow::Continue(()),
        }
    }

    fn carry_out(&mut self, id: ConnId, request: Option<Id>, command: Command) {
        match command {
            Command::Subscribe { topics, terms, snapshot } => {
                self.subscribe(id, request, false, &topics, terms, snapshot);
            }
            Command::Unsubscribe { topics } => self.unsubscribe(id, request, &topics),
            Command::Subscriptions => self.tell_subscriptions(id, request),
            // Their answers may be large, and what the client does not take must be kept.
            Command::Topics { .. } | Command::Get { .. } if self.owed_bytes(id) > ANSWERS_BYTES_MAX => {
                let mut error = ProtocolError::new(
                    Code::RateLimited,
                    "read the answers that wait before asking for more",
                );
                error.retry_after_ms = Some(1000);
                self.tell_error(id, request, &error);
            }
            Command::Topics { pattern } => self.tell_topics(id, request, &pattern),
            Command::Get { topics } => self.tell_values(id, request, &topics),
            Command::Ping { t } => {
                let t = t.and_then(|t| serde_json::value::RawValue::from_string(t.into()).ok());
                self.tell(id, &event::Pong { id: request, t: t.as_deref(), ts: unix_ms() });
            }
        }
    }

    fn owed_bytes(&mut self, id: ConnId) -> usize {
        self.connection(id)
            .and_then(|conn| conn.stall.as_ref())
            .map_or(0, |stall| stall.rest.len() - stall.out)
    }

    fn tell<T: event::Event>(&mut self, id: ConnId, data: &T) {
        let mut out = Vec::new();
        event::write(data, &mut out);
        self.send(id, &out, &[]);
    }

    fn tell_error(&mut self, id: ConnId, request: Option<Id>, error: &ProtocolError) {
        self.metrics.client_errors.inc();
        let mut out = Vec::new();
        event::write_error(request, error, &mut out);
        self.send(id, &out, &[]);
    }

    /// `always_told`: the answer comes even without an id.
    fn subscribe(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        always_told: bool,
        names: &[String],
        terms: Terms,
        snapshot: bool,
    ) {
        let (mut edits, mut failed) = (Vec::with_capacity(names.len()), Vec::new());
        let from = self.connection(id).and_then(|c| c.cohort);
        let (mut exact, mut patterns) = self.count_asks(from);
        for name in names {
            let asked = self.ask(name, terms).and_then(|ask| {
                let new =
                    !edits.iter().any(|edit| matches!(edit, Edit::Set(other) if other.what == ask.what))
                        && !self.has_ask(from, ask.what);
                let (count, max, of) = match ask.what {
                    What::Exact(_) => (&mut exact, self.settings.topics_max, "topics"),
                    What::Pattern(_) => (&mut patterns, self.settings.patterns_max, "patterns"),
                };
                if new && *count >= max {
                    let message =
                        format!("a connection may have {max} {of}; unsubscribe from some, or use a pattern");
                    self.forget(ask.what);
                    return Err(ProtocolError::new(Code::TooManyTopics, message));
                }
                *count += usize::from(new);
                Ok(ask)
            });
            match asked {
                Ok(ask) => edits.push(Edit::Set(ask)),
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        let (cohort, moved) = self.cohorts.edit(&mut self.topics, id, from, &edits);
        if let Some(conn) = self.connection(id) {
            conn.cohort = cohort;
        }
        let whats = edits.iter().filter_map(|edit| match edit {
            Edit::Set(ask) => Some(ask.what),
            Edit::Clear(_) => None,
        });
        let (topics, patterns) = self.grants(cohort, whats);
        let mut out = Vec::new();
        if request.is_some() || always_told || !failed.is_empty() {
            event::write(&event::Subscribed { id: request, topics, patterns, failed }, &mut out);
        }
        self.append_health(self.feeds_of(&edits).into_iter(), &mut out);
        let snapshots = self.snapshots_after(id, &moved, snapshot);
        self.send(id, &out, &snapshots);
    }

    /// Which snapshots are owed after a change. A tick that was had at another rate is not sent again.
    fn snapshots_after(&mut self, id: ConnId, moved: &[Moved], wanted: bool) -> Vec<SlotId> {
        let (mut snapshots, mut had) = (Vec::new(), Vec::new());
        let fresh = self.connection(id).and_then(|c| c.fresh.take());
        for Moved { slot: at, before, now } in moved {
            let (Some(slot), Some(now)) = (self.topics.slot(*at), *now) else { continue };
            let Some(newest) = slot.newest() else { continue };
            let n = newest.tick().n;
            let has = |tier: &u8| {
                let pushed = slot.tiers.get(usize::from(*tier)).and_then(|t| t.frame.as_ref());
                pushed.is_some_and(|frame| frame.tick().n >= n)
            };
            let known = before.as_ref().is_some_and(has)
                || fresh.as_ref().is_some_and(|f| before.is_some() && f.has(*at, n));
            if !known && (wanted || before.is_some()) {
                snapshots.push(*at);
            } else if now > 0 {
                // A slower tier would bring it at its next beat.
                had.push((*at, n));
            }
        }
        if let Some(conn) = self.connection(id) {
            conn.fresh = fresh;
            if let Some(fresh) = &mut conn.fresh {
                // Who had a topic, left it and comes back gets its snapshot again.
                for slot in &snapshots {
                    fresh.sent.remove(slot);
                }
            }
        }
        self.mark_fresh(id, had);
        snapshots
    }

    fn unsubscribe(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let from = self.connection(id).and_then(|c| c.cohort);
        let mut ended = event::Unsubscribed { id: request, ..Default::default() };
        let mut edits = Vec::new();
        for name in names {
            let what = match Pattern::is_pattern(name) {
                true => {
                    Pattern::parse(name).ok().and_then(|p| self.cohorts.find_pattern(&p)).map(What::Pattern)
                }
                false => self.topics.find(name).map(What::Exact),
            };
            let Some(what) = what.filter(|what| self.has_ask(from, *what)) else { continue };
            edits.push(Edit::Clear(what));
            match what {
                What::Exact(_) => ended.topics.push(name.clone()),
                What::Pattern(_) => ended.patterns.push(name.clone()),
            }
        }
        let (cohort, moved) = self.cohorts.edit(&mut self.topics, id, from, &edits);
        if let Some(conn) = self.connection(id) {
            conn.cohort = cohort;
        }
        // An exact ask that goes may leave the topic to a pattern with another rate.
        let snapshots = self.snapshots_after(id, &moved, true);
        let mut out = Vec::new();
        if ended.id.is_some() {
            event::write(&ended, &mut out);
        }
        self.send(id, &out, &snapshots);
    }

    fn tell_subscriptions(&mut self, id: ConnId, request: Option<Id>) {
        let cohort = self.connection(id).and_then(|c| c.cohort);
        let asks = cohort.and_then(|c| self.cohorts.get(c)).map(|c| c.asks().to_vec()).unwrap_or_default();
        let (topics, patterns) = self.grants(cohort, asks.iter().map(|ask| ask.what));
        self.tell(id, &event::Subscriptions { id: request, topics, patterns });
    }

    fn tell_topics(&mut self, id: ConnId, request: Option<Id>, text: &str) {
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            Err(why) => {
                let error = ProtocolError::new(Code::BadPattern, format!("match cannot be used: {why}"));
                return self.tell_error(id, request, &error);
            }
        };
        let matching = self.topics.present().filter(|(_, slot)| pattern.matches(&slot.name));
        let mut topics: Vec<TopicEntry<'_>> = matching
            .filter_map(|(_, slot)| {
                let topic = slot.topic.as_ref()?;
                Some(TopicEntry {
                    topic: &slot.name,
                    kind: topic.kind(),
                    class: topic.class().as_str(),
                    seq: slot.seq(),
                    ts: slot.newest().map_or(0, |frame| frame.tick().ts),
                    interval_ms: self.topics.rate(slot, 0).as_millis() as u64,
                })
            })
            .collect();
        topics.sort_unstable_by_key(|entry| entry.topic);
        let mut out = Vec::new();
        event::write(&event::Topics { id: request, topics }, &mut out);
        self.send(id, &out, &[]);
    }

    fn tell_values(&mut self, id: ConnId, request: Option<Id>, names: &[String]) {
        let (mut frames, mut failed, mut bytes) = (Vec::new(), Vec::new(), 0);
        for name in names {
            let found = self.check_topic(name).and_then(|()| {
                let newest =
                    self.topics.find(name).and_then(|slot| self.topics.slot(slot)).and_then(Slot::newest);
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
        // Envelopes are JSON by construction, so none is left out here.
        let values =
            frames.iter().filter_map(|frame| serde_json::from_slice(frame.envelope()).ok()).collect();
        let mut out = Vec::new();
        event::write(&event::Values { id: request, values, failed }, &mut out);
        self.send(id, &out, &[]);
    }

    /// Checks that an exact topic is one, and that some feed could bring it.
    fn check_topic(&self, name: &str) -> Result<(), ProtocolError> {
        topic::check(name.as_bytes()).map_err(|why| match Pattern::is_pattern(name) {
            true => ProtocolError::new(Code::BadPattern, "a pattern cannot be used here; name the topics"),
            false => ProtocolError::new(Code::BadRequest, format!("not a topic: {why}")),
        })?;
        match self.topics.feed_of(name) {
            Some(_) => Ok(()),
            None => Err(self.unknown_feed(first_segment(name))),
        }
    }

    fn unknown_feed(&self, seen: &str) -> ProtocolError {
        let names: Vec<&str> = self.topics.feeds().iter().map(|feed| feed.name.as_str()).collect();
        let near = names.iter().map(|name| (strsim::damerau_levenshtein(name, seen), *name)).min();
        let hint = match near {
            Some((distance, name)) if distance <= 2 => format!("; did you mean {name}?"),
            _ if names.is_empty() => "; this server runs no feed".into(),
            _ => {
                format!("; this server has {}", names.iter().take(20).copied().collect::<Vec<_>>().join(", "))
            }
        };
        ProtocolError::new(Code::UnknownTopic, format!("there is no feed {seen:?}{hint}"))
    }

    /// One name of a `subscribe`, as an ask that can be granted.
    fn ask(&mut self, name: &str, terms: Terms) -> Result<Ask, ProtocolError> {
        if !Pattern::is_pattern(name) {
            self.check_topic(name)?;
            let slot = self.topics.intern(name).ok_or_else(|| self.unknown_feed(first_segment(name)))?;
            let what = What::Exact(slot);
            let refused =
                self.topics.slot(slot).and_then(|slot| self.refusal(slot.feed, slot.is_event(), terms));
            return match refused {
                Some(error) => {
                    self.forget(what);
                    Err(error)
                }
                None => Ok(Ask { what, terms }),
            };
        }
        let pattern = Pattern::parse(name)
            .map_err(|why| ProtocolError::new(Code::BadPattern, format!("not a pattern: {why}")))?;
        let feeds = match pattern.feed() {
            Some(feed) => vec![self.topics.feed_of(feed).ok_or_else(|| self.unknown_feed(feed))?],
            None => (0..self.topics.feeds().len()).collect(),
        };
        if let Some(error) = feeds.iter().find_map(|feed| self.refusal(*feed, false, terms)) {
            return Err(error);
        }
        Ok(Ask { what: What::Pattern(self.cohorts.intern_pattern(&pattern)), terms })
    }

    /// Why topics of a feed cannot be had on these terms.
    fn refusal(&self, feed: usize, event: bool, terms: Terms) -> Option<ProtocolError> {
        if terms.mode == Some(Mode::All) && !event {
            return Some(ProtocolError::new(
                Code::UnknownEvent,
                "mode all is built for event topics alone, and they have it without asking; leave mode out",
            ));
        }
        let tiers = &self.topics.feeds().get(feed)?.tiers;
        if event || tiers.grant(terms.rate).is_some() {
            return None;
        }
        let slower: Vec<String> = tiers.all().iter().map(|tier| rate::format(*tier)).collect();
        Some(ProtocolError::new(
            Code::BadRequest,
            format!("no push is that slow here; the rates are {}", slower.join(", ")),
        ))
    }

    /// Frees what [`Shard::ask`] made and nobody asks for after all.
    fn forget(&mut self, what: What) {
        match what {
            What::Exact(slot) => self.topics.release(slot),
            What::Pattern(pattern) => self.cohorts.release_pattern(pattern),
        }
    }

    fn has_ask(&self, cohort: Option<u32>, what: What) -> bool {
        let asks = cohort.and_then(|c| self.cohorts.get(c)).map(|c| c.asks()).unwrap_or_default();
        asks.binary_search_by_key(&what, |ask| ask.what).is_ok()
    }

    fn count_asks(&self, cohort: Option<u32>) -> (usize, usize) {
        let asks = cohort.and_then(|c| self.cohorts.get(c)).map(|c| c.asks()).unwrap_or_default();
        let exact = asks.partition_point(|ask| matches!(ask.what, What::Exact(_)));
        (exact, asks.len() - exact)
    }

    fn feeds_of(&self, edits: &[Edit]) -> Vec<usize> {
        let mut feeds = Vec::new();
        for edit in edits {
            match edit {
                Edit::Set(Ask { what: What::Exact(slot), .. }) => {
                    feeds.extend(self.topics.slot(*slot).map(|slot| slot.feed));
                }
                Edit::Set(Ask { what: What::Pattern(id), .. }) => {
                    match self.cohorts.pattern(*id).and_then(Pattern::feed) {
                        Some(feed) => feeds.extend(self.topics.feed_of(feed)),
                        None => feeds.extend(0..self.topics.feeds().len()),
                    }
                }
                Edit::Clear(_) => {}
            }
        }
        feeds
    }

    /// What a cohort was granted for these asks.
    fn grants(
        &self,
        cohort: Option<u32>,
        whats: impl Iterator<Item = What>,
    ) -> (Vec<TopicGrant>, Vec<PatternGrant>) {
        let (mut topics, mut patterns) = (Vec::new(), Vec::new());
        let Some(cohort) = cohort.and_then(|c| self.cohorts.get(c)) else { return (topics, patterns) };
        for what in whats {
            let Ok(at) = cohort.asks().binary_search_by_key(&what, |ask| ask.what) else { continue };
            let Some(terms) = cohort.asks().get(at).map(|ask| ask.terms) else { continue };
            match what {
                What::Exact(id) => {
                    let Some(slot) = self.topics.slot(id) else { continue };
                    let tier = self.topics.grant(slot, terms.rate).unwrap_or(0);
                    topics.push(TopicGrant {
                        topic: slot.name.clone(),
                        seq: slot.seq(),
                        rate: rate::format(self.topics.rate(slot, tier)),
                        mode: if slot.is_event() { Mode::All } else { Mode::Latest },
                    });
                }
                What::Pattern(id) => {
                    let Some(pattern) = self.cohorts.pattern(id) else { continue };
                    let count = self.topics.present().filter(|(_, slot)| pattern.matches(&slot.name)).count();
                    patterns.push(PatternGrant {
                        pattern: pattern.as_str().into(),
                        count,
                        rate: terms.rate.filter(|rate| *rate > Duration::ZERO).map(rate::format),
                        mode: Mode::Latest,
                    });
                }
            }
        }
        (topics, patterns)
    }
}
