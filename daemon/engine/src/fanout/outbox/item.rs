//! What a beat brings to a cohort.

use std::rc::Rc;
use std::sync::Arc;

use crate::fanout::notices::WhenLate;
use crate::fanout::notices::subject::Subject;
use crate::fanout::table::ids::SlotId;
use tickerd_model::wire::encoding::{Encoder, Encoding};
use tickerd_model::wire::frame::Frame;
use tickerd_model::wire::message::Message;

/// One thing that is due.
#[derive(Debug)]
pub struct Item {
    /// The push's number on the shard's count.
    pub pos: u64,
    /// What it is.
    pub payload: Payload,
}

/// What an item is.
#[derive(Debug)]
pub enum Payload {
    /// The newest tick of a topic.
    Newest(SlotId, Arc<Frame>),
    /// The next tick of a topic, for those who get every one.
    Every(SlotId, Arc<Frame>),
    /// Words of the server's own.
    Notice(WhenLate, Rc<Message>),
}

impl Item {
    /// As connections of this encoding get it that are in step with no shared stream.
    pub fn bytes(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        match &self.payload {
            Payload::Newest(_, frame) | Payload::Every(_, frame) => frame.bytes_alone(encoding, encoder),
            Payload::Notice(..) if self.is_of_clients() => self.plain(encoding, encoder),
            Payload::Notice(_, message) => message.bytes(encoding.alone(encoder.settings()), encoder),
        }
    }

    /// As it is before a stream compresses it.
    pub fn plain(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        match &self.payload {
            Payload::Newest(_, frame) | Payload::Every(_, frame) => frame.bytes(encoding, encoder),
            Payload::Notice(_, message) => message.bytes(encoding, encoder),
        }
    }

    /// Whether clients chose its words: what they publish, and what they call themselves. That is no part of a stream.
    pub fn is_of_clients(&self) -> bool {
        match &self.payload {
            Payload::Newest(_, frame) | Payload::Every(_, frame) => frame.is_published(),
            Payload::Notice(WhenLate::Keep(subject), _) => matches!(**subject, Subject::People(_)),
            Payload::Notice(..) => false,
        }
    }
}
