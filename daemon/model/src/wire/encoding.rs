//! How a connection's messages are encoded into bytes, and the encoder that does it.
//!
//! A message is one JSON text: a tick's envelope, or an event of the server's own. Each encoding is a pure function
//! of that text (and of a tick's number), so one set of bytes serves all connections of the same encoding.

use std::cell::{Cell, RefCell};
use std::io::Write as _;

use crate::wire::websocket::Opcode;

use crate::wire::deflate::{Deflater, Settings, WINDOW_BITS_MIN};
use crate::wire::msgpack;
use crate::wire::websocket;

/// A comment, which tells proxies and clients that an event stream is alive.
pub const SSE_COMMENT: &[u8] = b":\n\n";

/// One way to put messages into bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A WebSocket text frame of the JSON text.
    #[default]
    Json,
    /// The same, compressed in the configured window.
    JsonDeflated,
    /// The same, compressed in the smallest window, for those whose own is smaller than the configured one.
    JsonNarrow,
    /// JSON for who keeps a window of so many bits between messages. What is not of a shared stream comes as it is, or, to
    /// who is in no step with one, as [`Encoding::alone`] has it.
    JsonShared(u8),
    /// A WebSocket binary frame of the message in MessagePack.
    Msgpack,
    /// The same, compressed in the configured window.
    MsgpackDeflated,
    /// The same, compressed in the smallest window.
    MsgpackNarrow,
    /// MessagePack for who keeps a window of so many bits between messages.
    MsgpackShared(u8),
    /// A server-sent event whose data is the JSON text, and whose id for ticks is `epoch-n`; among several nodes `epoch-ts`.
    Sse,
}

/// The window in which messages are compressed: how far back they may refer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The configured window.
    Wide,
    /// The smallest window, [`WINDOW_BITS_MIN`].
    Narrow,
}

impl Encoding {
    /// The number of encodings whose bytes differ.
    pub const COUNT: usize = 7;

    /// Its place among those.
    pub fn place(self) -> usize {
        match self {
            Encoding::Json | Encoding::JsonShared(_) => 0,
            Encoding::JsonDeflated => 1,
            Encoding::JsonNarrow => 2,
            Encoding::Msgpack | Encoding::MsgpackShared(_) => 3,
            Encoding::MsgpackDeflated => 4,
            Encoding::MsgpackNarrow => 5,
            Encoding::Sse => 6,
        }
    }

    /// The same encoding with compressed messages. Server-sent events have none and stay as they are.
    pub fn deflated(self, window: Window) -> Encoding {
        match (self, window) {
            (Encoding::Json, Window::Wide) => Encoding::JsonDeflated,
            (Encoding::Json, Window::Narrow) => Encoding::JsonNarrow,
            (Encoding::Msgpack, Window::Wide) => Encoding::MsgpackDeflated,
            (Encoding::Msgpack, Window::Narrow) => Encoding::MsgpackNarrow,
            (other, _) => other,
        }
    }

    /// The same encoding for who keeps a window of so many bits between messages.
    pub fn shared(self, bits: u8) -> Encoding {
        match self {
            Encoding::Json => Encoding::JsonShared(bits),
            Encoding::Msgpack => Encoding::MsgpackShared(bits),
            other => other,
        }
    }

    /// The window that its client keeps between messages, in bits; `None` if it keeps none.
    pub fn kept_bits(self) -> Option<u8> {
        match self {
            Encoding::JsonShared(bits) | Encoding::MsgpackShared(bits) => Some(bits),
            _ => None,
        }
    }

    /// How one is spoken to that keeps a window and is in step with no stream: each message is compressed by itself. Other
    /// encodings stay as they are.
    pub fn alone(self, settings: &Settings) -> Encoding {
        let window = |bits| if bits >= settings.window_bits { Window::Wide } else { Window::Narrow };
        match self {
            Encoding::JsonShared(bits) => Encoding::Json.deflated(window(bits)),
            Encoding::MsgpackShared(bits) => Encoding::Msgpack.deflated(window(bits)),
            other => other,
        }
    }

    /// Whether compression was agreed on, so that its client may compress its messages.
    pub fn is_compressed(self) -> bool {
        self.deflate().is_some() || self.kept_bits().is_some()
    }

    /// The window in which each message is compressed by itself. `None`: none is.
    pub fn deflate(self) -> Option<Window> {
        match self {
            Encoding::JsonDeflated | Encoding::MsgpackDeflated => Some(Window::Wide),
            Encoding::JsonNarrow | Encoding::MsgpackNarrow => Some(Window::Narrow),
            Encoding::Json | Encoding::Msgpack | Encoding::Sse => None,
            Encoding::JsonShared(_) | Encoding::MsgpackShared(_) => None,
        }
    }

    /// Whether its messages are MessagePack in binary frames.
    pub fn is_msgpack(self) -> bool {
        use Encoding::{Msgpack, MsgpackDeflated, MsgpackNarrow, MsgpackShared};
        matches!(self, Msgpack | MsgpackDeflated | MsgpackNarrow | MsgpackShared(_))
    }

    /// The encoding, this one or another, that gives the same bytes for a message whose JSON text has `text` bytes
    /// and that most connections use. So more connections share the bytes.
    pub fn settle(self, text: usize, settings: &Settings) -> Encoding {
        match self {
            Encoding::JsonShared(_) => Encoding::Json,
            Encoding::MsgpackShared(_) => Encoding::Msgpack,
            Encoding::JsonDeflated | Encoding::JsonNarrow if text < settings.threshold => Encoding::Json,
            // No byte of the message is further back than the smallest window.
            Encoding::JsonNarrow if text <= 1 << WINDOW_BITS_MIN => Encoding::JsonDeflated,
            other => other,
        }
    }
}

/// Which tick a message is, for the id of its server-sent event. The default is of any other message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The tick's process-wide number.
    pub n: u64,
    /// When it was accepted, Unix milliseconds.
    pub ts: u64,
}

/// Puts messages into bytes. Each shard has its own.
#[derive(Debug)]
pub struct Encoder {
    epoch: Box<str>,
    /// Ids of server-sent events are times, which every node knows.
    ids_are_times: bool,
    deflate: Settings,
    /// The deflaters are made when they are first needed.
    wide: RefCell<Option<Deflater>>,
    narrow: RefCell<Option<Deflater>>,
    built: Cell<u64>,
}

impl Encoder {
    /// `epoch` goes into the ids of server-sent events.
    pub fn new(epoch: &str, deflate: Settings) -> Encoder {
        let (wide, narrow) = (RefCell::new(None), RefCell::new(None));
        Encoder { epoch: epoch.into(), ids_are_times: false, deflate, wide, narrow, built: Cell::new(0) }
    }

    /// The same for one of several nodes: ids of server-sent events mean the same on each.
    pub fn among_nodes(self) -> Encoder {
        Encoder { ids_are_times: true, ..self }
    }

    /// How many messages were encoded.
    pub fn built(&self) -> u64 {
        self.built.get()
    }

    /// The settings of its compression.
    pub fn settings(&self) -> &Settings {
        &self.deflate
    }

    /// Appends one message of JSON `text`. `mark` says which tick it is.
    pub fn write(&self, encoding: Encoding, text: &[u8], mark: Mark, out: &mut Vec<u8>) {
        self.built.set(self.built.get() + 1);
        match encoding {
            Encoding::Json | Encoding::JsonDeflated | Encoding::JsonNarrow | Encoding::JsonShared(_) => {
                self.write_frame(Opcode::Text, text, encoding.deflate(), out);
            }
            Encoding::Msgpack
            | Encoding::MsgpackDeflated
            | Encoding::MsgpackNarrow
            | Encoding::MsgpackShared(_) => {
                let mut binary = Vec::with_capacity(text.len());
                msgpack::write(text, &mut binary);
                self.write_frame(Opcode::Binary, &binary, encoding.deflate(), out);
            }
            Encoding::Sse => {
                if mark.n > 0 {
                    let id = if self.ids_are_times { mark.ts } else { mark.n };
                    let written = writeln!(out, "id: {}-{id}", self.epoch);
                    debug_assert!(written.is_ok(), "a Vec takes all that is written to it");
                }
                // JSON text has no raw line end, neither in an envelope nor in a string. So one line holds it all.
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(text);
                out.extend_from_slice(b"\n\n");
            }
        }
    }

    /// Appends one text or binary frame. It is compressed if `deflate` names a window and the frame gets shorter by
    /// it.
    fn write_frame(&self, opcode: Opcode, payload: &[u8], deflate: Option<Window>, out: &mut Vec<u8>) {
        match deflate.filter(|_| payload.len() >= self.deflate.threshold) {
            Some(window) => self.deflate(window, |deflater| match deflater.deflate(payload) {
                Some(shorter) => websocket::write_compressed(opcode, shorter, out),
                None => websocket::write(opcode, payload, out),
            }),
            None => websocket::write(opcode, payload, out),
        };
    }

    /// Appends one frame that sends a client's message back. It is compressed whenever compression was negotiated,
    /// even if it does not get shorter.
    pub fn write_echo(&self, opcode: Opcode, payload: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
        match encoding.deflate() {
            Some(window) => self.deflate(window, |deflater| match deflater.deflate_anyway(payload) {
                Some(compressed) => websocket::write_compressed(opcode, compressed, out),
                None => websocket::write(opcode, payload, out),
            }),
            None => websocket::write(opcode, payload, out),
        };
    }

    fn deflate<T>(&self, window: Window, run: impl FnOnce(&mut Deflater) -> T) -> T {
        let (deflater, bits) = match window {
            Window::Wide => (&self.wide, self.deflate.window_bits),
            Window::Narrow => (&self.narrow, WINDOW_BITS_MIN),
        };
        let mut deflater = deflater.borrow_mut();
        run(deflater.get_or_insert_with(|| Deflater::new(self.deflate.level, bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::deflate::Inflater;

    fn write(encoding: Encoding, text: &[u8], n: u64) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::new("k3v9", Settings::default()).write(encoding, text, Mark { n, ts: 5 }, &mut out);
        out
    }

    #[test]
    fn only_ticks_move_the_last_event_id() {
        let tick = write(Encoding::Sse, br#"{"event":"quote"}"#, 7);
        assert_eq!(std::str::from_utf8(&tick), Ok("id: k3v9-7\ndata: {\"event\":\"quote\"}\n\n"));
        let notice = write(Encoding::Sse, br#"{"event":"notice"}"#, 0);
        assert_eq!(std::str::from_utf8(&notice), Ok("data: {\"event\":\"notice\"}\n\n"));
    }

    #[test]
    fn among_nodes_an_event_id_is_a_time() {
        let encoder = Encoder::new("k3v9", Settings::default()).among_nodes();
        let write = |mark| {
            let mut out = Vec::new();
            encoder.write(Encoding::Sse, b"{}", mark, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write(Mark { n: 7, ts: 1767225600123 }), "id: k3v9-1767225600123\ndata: {}\n\n");
        assert_eq!(write(Mark::default()), "data: {}\n\n");
    }

    #[test]
    fn what_is_short_or_gets_no_shorter_is_sent_as_it_is() {
        let noise: Vec<u8> = (0..300).map(|_| rand::random()).collect();
        for text in [&[b'x'; 127][..], &noise] {
            for encoding in [Encoding::JsonDeflated, Encoding::JsonNarrow] {
                assert_eq!(write(encoding, text, 1), write(Encoding::Json, text, 1));
            }
        }
        let compressed = write(Encoding::JsonDeflated, &[b'x'; 128], 1);
        assert_eq!((compressed[0], usize::from(compressed[1])), (0xc1, compressed.len() - 2));
        let text = Inflater::default().inflate(&compressed[2..], 1000).map(<[u8]>::to_vec);
        assert_eq!(text, Ok(vec![b'x'; 128]));
    }

    /// An encoding and the one it is settled to must give the same bytes.
    #[test]
    fn forms_that_are_the_same_are_shared() {
        let settings = Settings::default();
        for len in [1, 127, 128, 300, 511, 512, 513, 2000] {
            let text: Vec<u8> = (0..len).map(|at: usize| b'a' + (at * at % 19) as u8).collect();
            for encoding in [Encoding::JsonDeflated, Encoding::JsonNarrow, Encoding::Sse] {
                let settled = encoding.settle(len, &settings);
                let same =
                    settled == encoding || len > 250 || write(encoding, &text, 1) == write(settled, &text, 1);
                assert!(same, "{encoding:?} {len}");
            }
            let far = Encoding::JsonNarrow.settle(len, &settings) == Encoding::JsonNarrow;
            assert_eq!(far, len > 512);
        }
    }
}
