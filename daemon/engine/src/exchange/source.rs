//! Which sources of ticks there are, and whether a topic may ever speak.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tickerd_model::basics::near::near;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::rate::period_name;
use tickerd_model::source::{Kind, Source, SourceId};
use tickerd_model::topic::{self, Pattern, SERVER_SEGMENT, bar, first_segment};

/// Names that are listed when none of them is near.
const LISTED_MAX: usize = 20;
/// What rooms are mostly called.
const ROOM_WORDS: [&str; 3] = ["rooms", "room", "chat"];

/// The sources there are, by id and by name. Each room that needs them keeps its own, which the board's changes fill.
#[derive(Debug, Default)]
pub struct Directory {
    by_id: BTreeMap<SourceId, Arc<Source>>,
    by_name: HashMap<Box<str>, SourceId>,
}

impl Directory {
    /// A source came.
    pub fn open(&mut self, source: &Arc<Source>) {
        self.by_name.insert(source.name.clone(), source.id);
        self.by_id.insert(source.id, source.clone());
    }

    /// A source went.
    pub fn close(&mut self, id: SourceId) {
        if let Some(source) = self.by_id.remove(&id)
            && self.by_name.get(&source.name) == Some(&id)
        {
            self.by_name.remove(&source.name);
        }
    }

    /// All of them, in the order they came.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.by_id.values()
    }

    /// One of them.
    pub fn get(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.by_id.get(&id)
    }

    /// The one that `topic` belongs to, by its first segment.
    pub fn of(&self, topic: &str) -> Option<&Arc<Source>> {
        self.by_name.get(first_segment(topic)).and_then(|id| self.by_id.get(id))
    }

    /// Under which epoch the past of `topic` goes.
    pub fn epoch_of(&self, topic: &str) -> Option<&str> {
        self.of(topic).map(|source| &*source.group.epoch)
    }

    /// Checks that an exact topic is one, and that it may ever speak; `hinted`: the error says what may have been meant.
    pub fn check(&self, name: &str, hinted: bool) -> Result<(), ProtocolError> {
        topic::check(name.as_bytes()).map_err(|why| match Pattern::is_pattern(name) {
            true => ProtocolError::new(Code::BadPattern, "a pattern cannot be used here; name the topics"),
            false => ProtocolError::new(Code::BadRequest, format!("not a topic: {why}{}", topic::hint(name))),
        })?;
        match self.of(name) {
            None => Err(self.unknown(first_segment(name), hinted)),
            Some(source) if source.may_have(name) => match bar::behind(name) {
                Some(behind) => self.check_behind(behind.topic, hinted),
                None => Ok(()),
            },
            Some(source) => Err(undeclared(source, name, hinted)),
        }
    }

    /// Checks that a pattern may ever match something, as far as its names say.
    pub fn check_pattern(&self, pattern: &Pattern, hinted: bool) -> Result<(), ProtocolError> {
        let Some(feed) = pattern.feed() else { return Ok(()) };
        let source = self.of(feed).ok_or_else(|| self.unknown(feed, hinted))?;
        if !bar::is_among_bars(pattern.as_str()) {
            return Ok(());
        }
        match pattern.bars() {
            Some(reach) if reach.period.is_none_or(|period| source.keeps(period)) => {
                match Pattern::is_pattern(first_segment(reach.topics)) {
                    true => Ok(()),
                    false => self.check_behind(reach.topics, hinted),
                }
            }
            _ => Err(undeclared(source, pattern.as_str(), hinted)),
        }
    }

    /// Checks that there may be bars of a topic, or of topics that match a pattern, whose first segment is known.
    fn check_behind(&self, topic: &str, hinted: bool) -> Result<(), ProtocolError> {
        let source = self.of(topic).ok_or_else(|| self.unknown(first_segment(topic), hinted))?;
        match source.kind {
            Kind::Feed => Ok(()),
            Kind::Room | Kind::Own => {
                let message = format!("{topic:?} has no bars; only topics of feeds have");
                Err(ProtocolError::new(Code::UnknownTopic, message))
            }
        }
    }

    /// The same for a topic that clients publish to: the error says what to declare.
    pub fn check_room(&self, name: &str, hinted: bool) -> Result<(), ProtocolError> {
        self.check(name, hinted).map_err(|error| match (error.code, self.of(name)) {
            (Code::UnknownTopic, None) => {
                let change = format!(
                    "{}; what clients publish to is declared: [[topic]] name = {name:?}",
                    error.message
                );
                ProtocolError::new(Code::UnknownTopic, change)
            }
            _ => error,
        })
    }

    /// There is no source of this name.
    pub fn unknown(&self, seen: &str, hinted: bool) -> ProtocolError {
        let hint = match hinted {
            true if ROOM_WORDS.contains(&seen) => {
                "; rooms, which clients publish to, are declared in the configuration ([[topic]])".into()
            }
            true if self.by_id.is_empty() => "; this server runs no feed".into(),
            true => {
                let names = || self.all().map(|source| &*source.name);
                format!("; {}", meant(seen, "this server", names))
            }
            false => String::new(),
        };
        ProtocolError::new(Code::UnknownTopic, format!("there is no feed {seen:?}{hint}"))
    }
}

/// Why a topic that was not declared is none, where only declared ones are.
fn undeclared(source: &Source, name: &str, hinted: bool) -> ProtocolError {
    if source.kind == Kind::Own && bar::is_among_bars(name) {
        return ProtocolError::new(Code::UnknownTopic, no_bars(source, name));
    }
    let what = match &*source.name {
        SERVER_SEGMENT => format!("{name:?} is no topic of the server's own"),
        _ => format!("{name:?} is no topic that was declared ([[topic]])"),
    };
    let only = source.only.as_deref().unwrap_or_default();
    let hint = match hinted {
        true => format!("; {}", meant(name, &source.name, || only.iter().map(|known| &**known))),
        false => String::new(),
    };
    ProtocolError::new(Code::UnknownTopic, format!("{what}{hint}"))
}

/// Why a name that begins as those of bars do is none. The periods are no secret.
fn no_bars(source: &Source, name: &str) -> String {
    let kept = source.periods.join(", ");
    match bar::reach(name).and_then(|reach| reach.period) {
        _ if source.periods.is_empty() => "this server keeps no bars".to_owned(),
        Some(period) if !source.keeps(period) => {
            let length = tickerd_config::read_duration(period).ok();
            match length.map(period_name).filter(|known| source.keeps(known)) {
                // The period begins at the name's first digit.
                Some(known) => {
                    format!(
                        "{period} is called {known} in topics; write {}",
                        name.replacen(period, &known, 1)
                    )
                }
                None => format!("bars of {period} are not kept here; the periods are {kept}"),
            }
        }
        _ => format!(
            "{name:?} names no bars; write tickerd.bars.PERIOD.TOPIC, or tickerd.bar.PERIOD.TOPIC for the open one, with the \
             topic of a feed and one of the periods {kept}"
        ),
    }
}

/// The name that is near to what was seen, else some of those that `owner` has.
pub fn meant<'a, I: Iterator<Item = &'a str>>(seen: &str, owner: &str, known: impl Fn() -> I) -> String {
    match near(seen, known()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let more = if known().nth(LISTED_MAX).is_some() { " and others" } else { "" };
            let listed: Vec<&str> = known().take(LISTED_MAX).collect();
            format!("{owner} has {}{more}", listed.join(", "))
        }
    }
}

/// For the tests of all rooms: a board of one feed, `f`.
#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use tickerd_model::board::Board;
    use tickerd_model::history::Limits;
    use tickerd_model::protocol::rate::Tiers;
    use tickerd_model::source::Group;

    /// The feed.
    pub const F: SourceId = SourceId(0);

    /// A feed with a beat of 100 ms and these slower tiers.
    pub fn feed(id: u32, name: &str, slower: &[Duration]) -> Arc<Source> {
        let tiers = Tiers::new(Duration::from_millis(100), slower);
        Arc::new(Source::feed(SourceId(id), name, tiers, &Arc::new(Group { epoch: "e".into() })))
    }

    /// A board with the feed on it, whose coming is told already.
    pub fn board_of_f(limits: Limits) -> Board {
        let mut board = Board::new(limits);
        board.open(&feed(F.0, "f", &[]));
        board.take_changes();
        board
    }

    /// What is wrong with each name, and whether it is one at all.
    #[test]
    fn bars_are_of_kept_periods_and_of_feeds() {
        let own = |only: &[&str], kind, name: &str| {
            let only: Box<[Box<str>]> = only.iter().map(|name| (*name).into()).collect();
            let feed = Arc::into_inner(feed(1, name, &[])).unwrap();
            Source { id: SourceId(kind as u32 + 1), kind, only: Some(only), ..feed }
        };
        let mut directory = Directory::default();
        directory.open(&feed(0, "f", &[]));
        directory.open(&Arc::new(own(&["r.a"], Kind::Room, "r")));
        let server = own(&["tickerd.stats"], Kind::Own, "tickerd");
        directory.open(&Arc::new(Source { periods: ["10s".into(), "1m".into()].into(), ..server }));
        let said = |name: &str| {
            let checked = match Pattern::parse(name) {
                Ok(pattern) if Pattern::is_pattern(name) => directory.check_pattern(&pattern, true),
                _ => directory.check(name, true),
            };
            checked.err().map(|error| (error.code, error.message.into_owned()))
        };
        for name in [
            "tickerd.bars.1m.f.a.b",
            "tickerd.bar.10s.f.a",
            "tickerd.stats",
            "tickerd.bars.1m.*",
            "tickerd.bars.1m.f.*",
            "tickerd.bars.*.f.a",
            "tickerd.*.5m.f.a",
            "tickerd.bar.**",
            "tickerd.**",
        ] {
            assert_eq!(said(name), None, "{name}");
        }
        for (name, why) in [
            ("tickerd.bars.5m.f.a", "the periods are 10s, 1m"),
            ("tickerd.bars.5m.f.*", "the periods are 10s, 1m"),
            ("tickerd.bars.60s.f.a", "write tickerd.bars.1m.f.a"),
            ("tickerd.bar.60s.f.*", "write tickerd.bar.1m.f.*"),
            ("tickerd.bars.1m.g.a", "there is no feed \"g\""),
            ("tickerd.bars.1m.g.*", "there is no feed \"g\""),
            ("tickerd.bars.1m.r.a", "only topics of feeds"),
            ("tickerd.bars.1m.r.*", "only topics of feeds"),
            ("tickerd.bars.1m", "names no bars"),
            ("tickerd.bars.*", "names no bars"),
            ("tickerd.bars.1M.f.a", "names no bars"),
            ("tickerd.bars.1m.tickerd.stats", "names no bars"),
            ("tickerd.bars.1m.tickerd.bars.1m.f.a", "names no bars"),
            ("tickerd.bars.1m.tickerd.*", "names no bars"),
            ("tickerd.stat", "did you mean tickerd.stats?"),
        ] {
            let (code, message) = said(name).unwrap_or_else(|| panic!("{name} is taken"));
            assert!(code == Code::UnknownTopic && message.contains(why), "{name}: {message}");
        }
        directory.open(&Arc::new(own(&[], Kind::Own, "tickerd")));
        assert!(directory.check("tickerd.bars.1m.f.a", false).is_err_and(|e| e.message.contains("no bars")));
    }
}
