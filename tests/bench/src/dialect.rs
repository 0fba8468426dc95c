//! The ways in, as a subscriber asks for them and finds ticks in what it gets.

use std::net::SocketAddr;

/// How a subscriber is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// JSON in text frames.
    #[default]
    Json,
    /// The same, each message compressed by itself.
    Deflate,
    /// The same, compressed in a context that clients share.
    Shared,
    /// MessagePack in binary frames.
    Msgpack,
    /// An event stream over HTTP.
    Events,
}

impl Dialect {
    /// The request for it; `query` is `?topics=…`.
    pub fn request(self, server: SocketAddr, query: &str) -> String {
        let extra = match self {
            Dialect::Events => return format!("GET /v1/sse{query} HTTP/1.1\r\nHost: {server}\r\n\r\n"),
            Dialect::Json => "",
            Dialect::Deflate => {
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
            }
            Dialect::Shared => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            Dialect::Msgpack => "Sec-WebSocket-Protocol: tickerd.v1.msgpack\r\n",
        };
        format!(
            "GET /ws{query} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
        )
    }

    /// Whether this is the head of the answer that grants it.
    pub fn is_granted(self, head: &[u8]) -> bool {
        let has = |name: &[u8]| head.to_ascii_lowercase().windows(name.len()).any(|at| at == name);
        match self {
            Dialect::Json => head.starts_with(b"HTTP/1.1 101 "),
            Dialect::Deflate => {
                head.starts_with(b"HTTP/1.1 101 ") && has(b"permessage-deflate; server_no_context_takeover")
            }
            Dialect::Shared => {
                head.starts_with(b"HTTP/1.1 101 ") && has(b"permessage-deflate; client_no_context_takeover")
            }
            Dialect::Msgpack => head.starts_with(b"HTTP/1.1 101 ") && has(b"tickerd.v1.msgpack"),
            Dialect::Events => head.get(8..).is_some_and(|rest| rest.starts_with(b" 200 ")),
        }
    }
}

/// Counts the lines of an event stream that begin with a word, however it is cut.
#[derive(Debug)]
pub struct Lines {
    /// A line end, and the word.
    word: &'static [u8],
    /// How much of it the last bytes are.
    at: usize,
}

impl Lines {
    /// `word` begins with a line end, which is nowhere else in it.
    pub fn new(word: &'static [u8]) -> Self {
        Self { word, at: 0 }
    }

    pub fn count(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        for byte in bytes {
            if self.word.get(self.at) == Some(byte) {
                self.at += 1;
                if self.at == self.word.len() {
                    (count, self.at) = (count + 1, 0);
                }
            } else {
                self.at = usize::from(self.word.first() == Some(byte));
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_however_they_are_cut() {
        let stream = b"retry: 1\n\ndata: {}\n\nid: e-1\ndata: id: \n\n:\n\nid: e-2\ndata: {}\n\n";
        for size in 1..stream.len() {
            let (mut ids, mut data) = (Lines::new(b"\nid: "), Lines::new(b"\ndata: "));
            let count = |lines: &mut Lines| stream.chunks(size).map(|piece| lines.count(piece)).sum::<u64>();
            assert_eq!((count(&mut ids), count(&mut data)), (2, 3), "{size}");
        }
    }
}
