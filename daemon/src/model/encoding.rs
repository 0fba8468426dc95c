//! How a connection's messages are put into bytes, and what puts them there.
//!
//! A message is one JSON text, a tick's envelope or the server's own words. Each encoding is a pure function of that text
//! (and a tick's number), so one set of bytes serves all connections of the same encoding.

use std::cell::Cell;
use std::fmt::Write as _;

use super::frame;

/// One way to put messages into bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A WebSocket text frame of the JSON text.
    #[default]
    Json,
    /// A server-sent event whose data is the JSON text, and whose id is `epoch-n` for ticks.
    Sse,
}

impl Encoding {
    /// How many there are.
    pub const COUNT: usize = 2;
}

/// Puts messages into bytes. Each shard has its own.
#[derive(Debug)]
pub struct Encoder {
    epoch: Box<str>,
    built: Cell<u64>,
}

impl Encoder {
    /// `epoch` goes into the ids of server-sent events.
    pub fn new(epoch: &str) -> Encoder {
        Encoder { epoch: epoch.into(), built: Cell::new(0) }
    }

    /// How many messages it has put into bytes.
    pub fn built(&self) -> u64 {
        self.built.get()
    }

    /// Appends one message of JSON `text`; `n` is the process-wide number of a tick, and 0 for all else.
    pub fn write(&self, encoding: Encoding, text: &[u8], n: u64, out: &mut Vec<u8>) {
        self.built.set(self.built.get() + 1);
        match encoding {
            Encoding::Json => drop(frame::write_text(text, out)),
            Encoding::Sse => {
                let mut id = String::new();
                if n > 0 {
                    // A String takes all that is written to it.
                    let _ = writeln!(id, "id: {}-{n}", self.epoch);
                }
                // Neither the envelope nor any JSON string holds a raw line end, so one `data:` line holds it all.
                out.extend_from_slice(id.as_bytes());
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(text);
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticks_move_the_last_event_id() {
        let encoder = Encoder::new("k3v9");
        let mut out = Vec::new();
        encoder.write(Encoding::Sse, br#"{"event":"quote"}"#, 7, &mut out);
        encoder.write(Encoding::Sse, br#"{"event":"notice"}"#, 0, &mut out);
        assert_eq!(
            std::str::from_utf8(&out),
            Ok("id: k3v9-7\ndata: {\"event\":\"quote\"}\n\ndata: {\"event\":\"notice\"}\n\n")
        );
    }
}
