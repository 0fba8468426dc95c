//! The words of nodes in those of the board, and back.

use std::time::Duration;

use serde_json::{Value, json};

use tickerd_cluster::load::{
    Health as HealthWord, Room as RoomWord, Tick as TickWord, Topic as TopicWord, Whole,
};
use tickerd_cluster::wire::Bytes;
use tickerd_config::FeedBars;
use tickerd_model::board::{Board, Kept};
use tickerd_model::health::{FeedState, Health};
use tickerd_model::history::Depth;
use tickerd_model::rooms::Declared;
use tickerd_model::sample::Class;
use tickerd_model::tick::Tick;
use tickerd_model::topic::Topic;

pub fn topic_word(topic: &Topic) -> TopicWord {
    let is_event = topic.class() == Class::Event;
    TopicWord { name: topic.name().into(), kind: topic.kind().into(), is_event }
}

/// The topic of this word as the board has it, or a new one.
pub fn topic(word: &TopicWord, board: &Board) -> Topic {
    let class = if word.is_event { Class::Event } else { Class::State };
    let is_it = |topic: &&Topic| topic.kind() == &*word.kind && topic.class() == class;
    board
        .topic(&word.name)
        .filter(is_it)
        .cloned()
        .unwrap_or_else(|| Topic::new(&word.name, &word.kind, class))
}

pub fn tick_word(tick: &Tick) -> TickWord {
    let Tick { topic, seq, ts, src_ts, from, value, merged, n: _ } = tick;
    TickWord {
        topic: topic.name().into(),
        seq: *seq,
        merged: *merged,
        ts: *ts,
        src_ts: *src_ts,
        from: from.clone(),
        value: Bytes(value.clone()),
    }
}

pub fn tick(word: &TickWord, topic: &Topic) -> Tick {
    let TickWord { topic: _, seq, merged, ts, src_ts, from, value } = word;
    let (topic, from, value) = (topic.clone(), from.clone(), value.0.clone());
    Tick { topic, seq: *seq, n: 0, ts: *ts, src_ts: *src_ts, from, value, merged: *merged }
}

/// All topics of a source, as they were pushed.
pub fn whole_word(board: &Board, source: tickerd_model::source::SourceId) -> Vec<Whole> {
    let of = |kept: Kept<std::sync::Arc<tickerd_model::wire::frame::Frame>>| Whole {
        topic: topic_word(&kept.topic),
        seq: kept.seq,
        age_ms: kept.age / 1_000,
        is_stale: kept.is_stale,
        floor: kept.floor,
        past: kept.past.iter().map(|frame| tick_word(frame.tick())).collect(),
        newest: kept.newest.map(|frame| tick_word(frame.tick())),
    };
    board.whole(source).into_iter().map(of).collect()
}

pub fn whole(word: &Whole, board: &Board) -> Kept<Tick> {
    let topic = topic(&word.topic, board);
    Kept {
        seq: word.seq,
        age: word.age_ms.saturating_mul(1_000),
        is_stale: word.is_stale,
        floor: word.floor,
        past: word.past.iter().map(|word| tick(word, &topic)).collect(),
        newest: word.newest.as_ref().map(|word| tick(word, &topic)),
        topic,
    }
}

pub fn health_word(health: &Health) -> HealthWord {
    let Health { state, since, reason } = health;
    HealthWord { state: state.as_str().into(), since: *since, reason: reason.as_str().into() }
}

pub fn room_word(declared: &Declared) -> RoomWord {
    let Declared { name, publish, presence, depth } = declared;
    RoomWord {
        name: (**name).into(),
        publish: *publish,
        presence: *presence,
        count: depth.count as u64,
        age_ms: u64::try_from(depth.age.as_millis()).unwrap_or(u64::MAX),
    }
}

pub fn room(word: &RoomWord) -> Declared {
    let count = usize::try_from(word.count).unwrap_or(usize::MAX);
    let depth = Depth { count, age: Duration::from_millis(word.age_ms) };
    Declared { name: (*word.name).into(), publish: word.publish, presence: word.presence, depth }
}

/// A state that this version does not know is one that is not as it should be.
pub fn health(word: &HealthWord) -> Health {
    let known = FeedState::ALL.into_iter().find(|state| state.as_str() == &*word.state);
    Health {
        state: known.unwrap_or(FeedState::Degraded),
        since: word.since,
        reason: (*word.reason).to_owned(),
    }
}

/// As `bars` of a `[[feed]]` is written.
pub fn bars_word(bars: &FeedBars) -> Box<str> {
    let value = match bars {
        FeedBars::Auto => Value::Bool(true),
        FeedBars::Off => Value::Bool(false),
        FeedBars::Field { field, volume: None } => json!({ "field": field }),
        FeedBars::Field { field, volume: Some(volume) } => json!({ "field": field, "volume": volume }),
    };
    value.to_string().into()
}

/// What this version does not know has no bars.
pub fn bars(word: &str) -> FeedBars {
    let value: Value = serde_json::from_str(word).unwrap_or(Value::Null);
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match (&value, text("field")) {
        (Value::Bool(true), _) => FeedBars::Auto,
        (_, Some(field)) => FeedBars::Field { field, volume: text("volume") },
        _ => FeedBars::Off,
    }
}

/// A time that is 0 where there is none.
pub fn age(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

pub fn age_ms(age: Option<Duration>) -> u64 {
    age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX).max(1))
}
