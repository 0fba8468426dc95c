//! A client at the other end of a socket pair.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Reads what is there, and never waits.
pub struct Client {
    pub socket: UnixStream,
    pub unread: Vec<u8>,
    /// All that came.
    pub all: Vec<u8>,
    /// Read, and not looked at yet.
    pub later: Vec<String>,
}

impl Client {
    /// The bytes that are there.
    pub fn read_all(&mut self, into: &mut Vec<u8>) {
        let mut scratch = vec![0; 1 << 16];
        while let Ok(n @ 1..) = self.socket.read(&mut scratch) {
            into.extend_from_slice(&scratch[..n]);
        }
    }

    /// The text frames that are there.
    pub fn read(&mut self) -> Vec<String> {
        let mut scratch = vec![0; 1 << 16];
        while let Ok(n @ 1..) = self.socket.read(&mut scratch) {
            self.unread.extend_from_slice(&scratch[..n]);
            self.all.extend_from_slice(&scratch[..n]);
        }
        let mut frames = std::mem::take(&mut self.later);
        loop {
            let (head, len) = match self.unread.as_slice() {
                [_, 126, high, low, ..] => (4, usize::from(*high) << 8 | usize::from(*low)),
                [_, 127, len @ ..] if len.len() >= 8 => {
                    (10, len[..8].iter().fold(0, |n, b| n << 8 | usize::from(*b)))
                }
                [_, len @ ..=125, ..] => (2, usize::from(*len)),
                _ => return frames,
            };
            if self.unread.len() < head + len {
                return frames;
            }
            let frame: Vec<u8> = self.unread.drain(..head + len).skip(head).collect();
            // A close carries a number before its words.
            frames.push(String::from_utf8_lossy(&frame).into_owned());
        }
    }

    /// Sends frames, masked with zeros.
    pub fn say(&mut self, opcode: u8, payloads: &[&str]) {
        let frame = |p: &&str| [&[0x80 | opcode, 0x80 | p.len() as u8, 0, 0, 0, 0], p.as_bytes()].concat();
        let bytes: Vec<u8> = payloads.iter().flat_map(frame).collect();
        self.socket.write_all(&bytes).unwrap();
    }
}
