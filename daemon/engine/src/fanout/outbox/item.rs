//! What a beat brings to a cohort.

use std::rc::Rc;
use std::sync::Arc;

use crate::fanout::notices::WhenLate;
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
    /// As connections of this encoding get it.
    pub fn bytes(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        match &self.payload {
            Payload::Newest(_, frame) | Payload::Every(_, frame) => frame.bytes(encoding, encoder),
            Payload::Notice(_, message) => message.bytes(encoding, encoder),
        }
    }
}
