//! `tickerd.stats`: what the server says of itself in the stream.

use prometheus::IntGauge;

use tickerd_model::board::Board;
use tickerd_model::sample::Class;
use tickerd_model::source::SourceId;
use tickerd_model::tick::Tick;
use tickerd_model::topic::Topic;

/// The server's own topic; its value is `{"clients":12,"topics":340}`.
pub const STATS: &str = "tickerd.stats";
/// The kind of its ticks.
const KIND: &str = "stats";

/// How many clients and topics there are, as a topic.
#[derive(Debug)]
pub struct Stats {
    topic: Topic,
    clients: IntGauge,
    /// Whose topic it is, once it is declared.
    source: Option<SourceId>,
    told: (i64, usize),
}

impl Stats {
    /// `clients` counts the open connections.
    pub fn new(clients: IntGauge) -> Stats {
        Stats { topic: Topic::new(STATS, KIND, Class::State), clients, source: None, told: (-1, 0) }
    }

    /// Puts the topic on the board, so that it is there before it has spoken.
    pub fn declare(&mut self, source: SourceId, board: &mut Board) {
        self.source = Some(source);
        board.declare(source, &self.topic);
    }

    /// Its `source` beats: offers a tick when something has changed since the last one.
    pub fn tell(&mut self, source: SourceId, ts: u64, board: &mut Board) {
        if self.source != Some(source) {
            return;
        }
        let now = (self.clients.get(), board.count());
        if std::mem::replace(&mut self.told, now) == now {
            return;
        }
        let (clients, topics) = now;
        let value = format!(r#"{{"clients":{clients},"topics":{topics}}}"#).into_bytes().into();
        let topic = self.topic.clone();
        board.offer(source, Tick { topic, seq: 0, n: 0, ts, src_ts: 0, from: None, value, merged: 0 });
    }
}
