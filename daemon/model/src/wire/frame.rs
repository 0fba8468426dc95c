//! The bytes of a tick on the wire, built at most once per encoding and shared by all connections that get it.
//!
//! A data frame depends on the tick alone, never on the connection, the subscription or a token. That is why all
//! connections can share it. The order of its keys is fixed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use crate::tick::Tick;
use crate::topic::PUBLISHED;
use crate::wire::encoding::{Encoder, Encoding, Mark};
use crate::wire::message::Message;
use crate::wire::signature::{self, Sign};

/// About how many bytes a frame takes besides its value.
const FRAME_BYTES: usize = 320;
/// The weight of a frame with the shortest value, one digit.
pub const WEIGHT_MIN: usize = 2 + FRAME_BYTES;

/// A numbered tick, and its encoded bytes once a connection needs them.
#[derive(Debug)]
pub struct Frame {
    tick: Tick,
    /// Who signs it. `None`: it is not signed.
    signer: Option<Arc<dyn Sign>>,
    message: OnceLock<Message>,
}

impl Frame {
    /// Wraps a tick. The board must have numbered it.
    pub fn new(tick: Tick) -> Frame {
        Frame::of(tick, None)
    }

    /// Wraps a tick that `signer` signs, if there is one. It is signed when its bytes are first needed, so once at most.
    pub fn of(tick: Tick, signer: Option<&Arc<dyn Sign>>) -> Frame {
        debug_assert!(tick.seq > 0, "the board numbers a tick before it is framed");
        Frame { tick, signer: signer.cloned(), message: OnceLock::new() }
    }

    /// The tick it carries.
    pub fn tick(&self) -> &Tick {
        &self.tick
    }

    /// About how many bytes it takes in memory: its value, its encoded bytes and the structures around them.
    pub fn weight(&self) -> usize {
        2 * self.tick.value.len() + FRAME_BYTES + self.signature_bytes()
    }

    /// Whether it is signed.
    pub fn is_signed(&self) -> bool {
        self.signer.is_some()
    }

    /// About how many bytes its signature takes in its envelope.
    pub fn signature_bytes(&self) -> usize {
        if self.is_signed() { signature::BYTES } else { 0 }
    }

    /// Writes and signs the envelope now, unless that was done.
    pub fn prepare(&self) {
        self.message();
    }

    /// The whole message in this encoding.
    pub fn bytes(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        self.message().bytes(encoding, encoder)
    }

    /// Whether a client said it.
    pub fn is_published(&self) -> bool {
        self.tick.from.is_some() || self.tick.topic.kind() == PUBLISHED
    }

    /// The same as one gets it that is in step with no shared stream. What a client said is never compressed for who keeps a
    /// window: the length of a guess would tell whether it is a repetition.
    pub fn bytes_alone(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        let alone = encoding.alone(encoder.settings());
        // For most there is no difference, and who said it needs no look.
        let encoding = if alone == encoding || self.is_published() { encoding } else { alone };
        self.bytes(encoding, encoder)
    }

    /// The same without the id that an event stream has it with: who has this tick need not have those before it.
    pub fn bytes_unmarked(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        let bytes = self.bytes_alone(encoding, encoder);
        let id = match encoding {
            Encoding::Sse if bytes.starts_with(b"id: ") => bytes.iter().position(|byte| *byte == b'\n'),
            _ => None,
        };
        id.and_then(|end| bytes.get(end + 1..)).unwrap_or(bytes)
    }

    /// The envelope alone: `{"event":…,"data":…}`.
    pub fn envelope(&self) -> &[u8] {
        self.message().text()
    }

    /// The envelope as it stands inside an answer in this encoding. MessagePack changes the text, so there it has no
    /// signature.
    pub fn quoted(&self, encoding: Encoding) -> Cow<'_, [u8]> {
        self.message().quoted(encoding)
    }

    fn message(&self) -> &Message {
        thread_local! {
            static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        self.message.get_or_init(|| {
            SCRATCH.with_borrow_mut(|envelope| {
                envelope.clear();
                write_envelope(&self.tick, envelope);
                let mark = Mark { n: self.tick.n, ts: self.tick.ts };
                match &self.signer {
                    None => Message::new(envelope, mark),
                    Some(signer) => {
                        let suffix = signature::append(&**signer, envelope);
                        Message::signed(envelope, mark, suffix)
                    }
                }
            })
        })
    }
}

/// Writes a tick's envelope. Names and kinds hold nothing that JSON would escape, by their grammars.
fn write_envelope(tick: &Tick, out: &mut Vec<u8>) {
    let Tick { topic, seq, ts, src_ts, from, value, .. } = tick;
    let (name, kind) = (topic.name(), topic.kind());
    let written = write!(out, r#"{{"event":"{kind}","data":{{"topic":"{name}","seq":{seq},"ts":{ts},"#);
    debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
    if *src_ts != 0 {
        let written = write!(out, r#""src_ts":{src_ts},"#);
        debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
    }
    if let Some(from) = from {
        // An address, like a topic, has no character that JSON would escape.
        let written = write!(out, r#""from":"{from}","#);
        debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
    }
    out.extend_from_slice(br#""value":"#);
    out.extend_from_slice(value);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Class;
    use crate::topic::Topic;
    use crate::wire::deflate::Settings;
    use crate::wire::websocket::{header_bytes, write_ping, write_pong};

    fn frame(value: &str, src_ts: u64) -> Frame {
        let topic = Topic::new("stocks.AAPL", "quote", Class::State);
        Frame::new(Tick {
            topic,
            seq: 48213,
            n: 50000,
            ts: 1767225600123,
            src_ts,
            from: None,
            value: value.as_bytes().into(),
            merged: 0,
        })
    }

    #[test]
    fn envelope_is_as_promised() {
        let plain = frame(r#"{"price":"189.30"}"#, 0);
        assert_eq!(
            std::str::from_utf8(plain.envelope()).unwrap(),
            r#"{"event":"quote","data":{"topic":"stocks.AAPL","seq":48213,"ts":1767225600123,"value":{"price":"189.30"}}}"#
        );
        let dated = frame("1", 7);
        assert!(
            std::str::from_utf8(dated.envelope())
                .unwrap()
                .contains(r#""ts":1767225600123,"src_ts":7,"value":1}"#)
        );
        let said = Frame::new(Tick { from: Some("user:ann".into()), ..dated.tick().clone() });
        let text = String::from_utf8_lossy(said.envelope()).into_owned();
        assert!(text.contains(r#","src_ts":7,"from":"user:ann","value":1}"#), "{text}");
    }

    #[test]
    fn header_fits_the_length() {
        for (value, header) in [(10, 2), (200, 4), (70_000, 10)] {
            let frame = frame(&"1".repeat(value), 0);
            let bytes = frame.bytes(Encoding::Json, &Encoder::new("e", Settings::default()));
            assert_eq!(bytes[0], 0x81);
            assert_eq!(bytes.len() - frame.envelope().len(), header);
            assert_eq!(header_bytes(frame.envelope().len()), header);
            assert_eq!(bytes[1] & 0x80, 0, "a server never masks");
        }
        let mut ping = Vec::new();
        write_ping(&mut ping);
        write_pong(b"hi", &mut ping);
        assert_eq!(ping, [0x89, 0, 0x8a, 2, b'h', b'i']);
    }
}
