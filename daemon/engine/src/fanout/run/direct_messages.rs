//! Messages to some connections alone.

use crate::exchange::limit::Limit;
use crate::fanout::shard::Shard;
use tickerd_model::protocol::event;
use tickerd_model::rooms::{Letter, Seat};
use tickerd_model::wire::message::Message;

impl Shard {
    /// Sends direct messages to those of this shard's connections that they are for. Where too much waits for a client, they
    /// are passed over, and told as skipped.
    pub(super) fn hand_out(&mut self, messages: &[(Seat, Letter)]) {
        let mut written: Option<(&Letter, Message)> = None;
        let (number, pending) = (self.number, self.settings.pending);
        for (to, letter) in messages.iter().filter(|(to, _)| to.shard as usize == number) {
            let Some(conn) = self.same_connection(to.conn, to.generation) else { continue };
            if let Some(outbox) = conn.outbox.as_mut().filter(|outbox| outbox.answers() > pending) {
                outbox.miss(1);
                self.settings.tally.enforce(Limit::Pending);
                continue;
            }
            if conn.phase.is_closing() {
                continue;
            }
            let encoding = conn.encoding;
            // One message to several connections of a user is written once.
            let message = match &written {
                Some((last, message)) if *last == letter => message,
                _ => &written.insert((letter, direct_message(letter))).1,
            };
            let encoder = self.encoder.clone();
            self.send(to.conn, message.bytes(encoding, &encoder));
            self.counts.frames += 1;
        }
    }
}

fn direct_message(letter: &Letter) -> Message {
    let value = std::str::from_utf8(letter.value()).unwrap_or("null");
    let value: &serde_json::value::RawValue =
        serde_json::from_str(value).expect("the value was checked when it was published");
    let (topic, from, to) = (letter.topic(), letter.from(), letter.to());
    event::message(&event::LetterTo { topic, seq: letter.seq(), ts: letter.ts(), from, to, value })
}
