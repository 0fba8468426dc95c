//! One message in all its encodings. Each encoding is built at most once, by the first one that needs it, and is
//! shared by all connections that get it.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::wire::websocket::Opcode;

use crate::wire::encoding::{Encoder, Encoding, Mark};
use crate::wire::signature;
use crate::wire::websocket;

/// A message's bytes. The JSON text frame is built at once, other encodings when they are first asked for.
#[derive(Debug)]
pub struct Message {
    /// A whole WebSocket text frame.
    json: Box<[u8]>,
    /// The length of the header in `json`, in bytes.
    header: u8,
    /// The length of the signature in the text, in bytes; 0 if it has none.
    signature: u8,
    /// Which tick it is.
    mark: Mark,
    others: OnceLock<Box<Others>>,
}

/// The other encodings. They are in a box of their own, since most messages are only needed as JSON.
type Others = [OnceLock<Box<[u8]>>; Encoding::COUNT];

impl Message {
    /// Makes a message of `text`, a whole envelope. `mark` says which tick it is.
    pub fn new(text: &[u8], mark: Mark) -> Message {
        Message::signed(text, mark, 0)
    }

    /// The same of a text whose signature, with its keys, has `signature` bytes.
    pub fn signed(text: &[u8], mark: Mark, signature: usize) -> Message {
        let signature = u8::try_from(signature).unwrap_or(u8::MAX);
        // The exact capacity, so that the vector becomes a boxed slice without a copy.
        let mut json = Vec::with_capacity(websocket::header_bytes(text.len()) + text.len());
        let header = websocket::write(Opcode::Text, text, &mut json) as u8;
        Message { json: json.into_boxed_slice(), header, signature, mark, others: OnceLock::new() }
    }

    /// The envelope alone: `{"event":…,"data":…}`.
    pub fn text(&self) -> &[u8] {
        self.json.get(usize::from(self.header)..).unwrap_or_default()
    }

    /// The envelope as it stands in this encoding: MessagePack changes the text, so there it has no signature.
    pub fn quoted(&self, encoding: Encoding) -> Cow<'_, [u8]> {
        match self.signature {
            0 => Cow::Borrowed(self.text()),
            _ if !encoding.is_msgpack() => Cow::Borrowed(self.text()),
            bytes => Cow::Owned(signature::without(self.text(), usize::from(bytes))),
        }
    }

    /// The whole message in this encoding.
    pub fn bytes(&self, encoding: Encoding, encoder: &Encoder) -> &[u8] {
        let encoding = encoding.settle(self.text().len(), encoder.settings());
        if encoding == Encoding::Json {
            return &self.json;
        }
        let others = self.others.get_or_init(Box::default);
        let Some(form) = others.get(encoding.place()) else { return &[] };
        form.get_or_init(|| {
            let mut bytes = Vec::with_capacity(self.json.len() + 64);
            encoder.write(encoding, &self.quoted(encoding), self.mark, &mut bytes);
            bytes.into_boxed_slice()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::deflate::Settings;

    #[test]
    fn a_form_is_built_once_and_shared() {
        let encoder = Encoder::new("e", Settings::default());
        let message = Message::new(b"{}", Mark { n: 3, ts: 5 });
        for encoding in [Encoding::Json, Encoding::JsonDeflated, Encoding::JsonNarrow, Encoding::Sse] {
            let (first, again) = (message.bytes(encoding, &encoder), message.bytes(encoding, &encoder));
            assert!(std::ptr::eq(first, again), "{encoding:?}");
        }
        assert_eq!(message.bytes(Encoding::Json, &encoder), b"\x81\x02{}");
        assert_eq!(message.bytes(Encoding::Sse, &encoder), b"id: e-3\ndata: {}\n\n");
        assert_eq!(message.text(), b"{}");
    }
}
